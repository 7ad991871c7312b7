"""An RTSP server of cameras, for tests: run by Debian's own Python, which has GStreamer's bindings.

    /usr/bin/python3 tests/rtsp_server.py '{"port": 0, "cameras": {"/a": "clip.h264"}, "user": null, "password": null}'

Each camera plays a recording (`tests.clips.Recording`) over and over, to everybody who asks, and begins with the first who
does. It says the port on a line of standard output once it listens, and lives until its standard input ends.
"""

import json
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

import gi  # type: ignore[import-not-found]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # type: ignore[import-not-found]  # noqa: E402

PIPES = {
    "h264": "appsrc name=frames is-live=true do-timestamp=true format=time "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au ! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1",
    "garbage": "appsrc name=frames is-live=true do-timestamp=true format=time "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au ! rtph264pay name=pay0 pt=96",
    "mjpeg": "appsrc name=frames is-live=true do-timestamp=true format=time caps=image/jpeg,framerate=25/1 "
    "! jpegparse ! rtpjpegpay name=pay0 pt=26",
}
"""How each kind of recording is sent; garbage as it is, where the others are held in order on the way."""


def read(path: Path) -> tuple[str, float, list[bytes]]:
    """Return the kind, frames a second, and the frames of a recording."""
    with path.open("rb") as file:
        about = json.loads(file.readline())
        frames = []
        while length := file.read(4):
            frames.append(file.read(struct.unpack(">I", length)[0]))
    return about["codec"], about["fps"], frames


class Factory(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]
    """Makes the stream of one camera."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        kind, self.fps, self.frames = read(path)
        self.set_launch(f"( {PIPES[kind]} )")
        self.set_shared(True)
        self.connect("media-configure", self.configure)

    def configure(self, _: Any, media: Any) -> None:
        """Play into a stream that somebody asked for, until nobody does."""
        over = threading.Event()
        media.connect("unprepared", lambda _: over.set())
        source = media.get_element().get_by_name("frames")
        threading.Thread(target=self.play, args=(source, over), daemon=True).start()

    def play(self, source: Any, over: threading.Event) -> None:
        """Push frames at their own pace."""
        due = time.monotonic()
        while True:
            for frame in self.frames:
                if over.wait(max(0.0, due - time.monotonic())):
                    return
                due += 1 / self.fps
                if source.emit("push-buffer", Gst.Buffer.new_wrapped(frame)) not in {Gst.FlowReturn.OK, 0}:
                    time.sleep(0.01)


def main() -> None:
    """Serve."""
    asked = json.loads(sys.argv[1])
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(asked["port"]))
    role = GstRtspServer.RTSPToken()
    if asked.get("user"):
        auth = GstRtspServer.RTSPAuth()
        role.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(asked["user"], asked["password"]), role)
        server.set_auth(auth)
    for mount, path in asked["cameras"].items():
        factory = Factory(Path(path))
        if asked.get("user"):
            allowed = GstRtspServer.RTSPPermissions()
            allowed.add_permission_for_role("viewer", "media.factory.access", True)
            allowed.add_permission_for_role("viewer", "media.factory.construct", True)
            factory.set_permissions(allowed)
        server.get_mount_points().add_factory(mount, factory)
    if not server.attach(None):
        sys.exit("the port cannot be had")
    print(server.get_bound_port(), flush=True)
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
    loop.run()


if __name__ == "__main__":
    main()
