"""A real RTSP server of our own on a free port: it can be killed and started again at the same one."""

import json
import os
import socket
import subprocess
from functools import cache
from pathlib import Path

import pytest

PYTHON = "/usr/bin/python3"
"""Debian's, which has GStreamer's bindings."""


@cache
def missing() -> bool:
    """Whether GStreamer's server is not installed."""
    probe = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    try:
        return subprocess.run([PYTHON, "-c", probe], capture_output=True, check=False).returncode != 0
    except FileNotFoundError:
        return True


class RtspProcess:
    """Cameras, each of which plays a recording (`tests.clips`) over and over.

    Args:
        cameras: path of the address → recording, ``{"/door": Path("a.recording")}``.
        user: that is asked for, or None.
        password: of that.
    """

    def __init__(self, cameras: dict[str, Path], user: str | None = None, password: str | None = None) -> None:
        if missing():
            reason = "gir1.2-gst-rtsp-server-1.0 is not installed; without it nothing is known about cameras over RTSP"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        self._cameras = {mount: str(path) for mount, path in cameras.items()}
        self._user, self._password = user, password
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def url(self, mount: str, user: str | None = None, password: str | None = None) -> str:
        """The address of a camera."""
        who = f"{user}:{password}@" if user else ""
        return f"rtsp://{who}127.0.0.1:{self.port}{mount}"

    def start(self) -> None:
        """Listen; returns once it does."""
        asked = {"port": self.port, "cameras": self._cameras, "user": self._user, "password": self._password}
        self._process = subprocess.Popen(
            [PYTHON, str(Path(__file__).with_name("rtsp_server.py")), json.dumps(asked)],
            stdin=subprocess.PIPE,  # it ends with us
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == str(self.port), "the RTSP server did not start"

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
