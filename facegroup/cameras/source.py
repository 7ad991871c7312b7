"""A camera's address → a `Source`: something that gives frames. Which kind it is, is decided here."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import av

from facegroup.cameras import address
from facegroup.cameras.clock import Schedule
from facegroup.cameras.types import Camera
from facegroup.errors import InvalidSource, NoKeyFrame, SourceUnreachable
from facegroup.settings import Cameras


@dataclass(frozen=True, slots=True, eq=False)
class Glimpse:
    """A frame that was decoded.

    Attributes:
        frame: as FFmpeg gives it.
        at: seconds since the epoch; see `facegroup.cameras.types.Frame`.
        position: seconds since the first frame of this source.
        moment: seconds by which it is due or not, and moved or not: of a monotonic clock, or its position.
        lasts: seconds for which it is shown, where the source says so; else 0.
        aspect: width of a pixel / height of a pixel, as it is stored.
    """

    frame: av.VideoFrame
    at: float
    position: float
    moment: float
    lasts: float = 0.0
    aspect: float = 1.0


News: TypeAlias = Literal["came", "damaged", "waiting"] | Glimpse | NoKeyFrame
"""A frame came; one of those could not be decoded; one of those was: each that came is at most one of the other two. Or the
source is `quiet` from now on; or nothing can be decoded yet."""


class Source(Protocol):
    """What gives frames.

    Attributes:
        ends: whether it comes to an end by itself.
        quiet: whether it may give nothing for long without being broken; it may change.
        every: whether every frame is due, however fast they come.
        note: what there is to say of it, for a person.
    """

    ends: bool
    quiet: bool
    every: bool
    note: str | None

    def read(self, schedule: Schedule, stop: threading.Event) -> Iterator[News]:
        """Yield what comes until the end, or `stop`. Frames that are not due may be left undecoded.

        Raises:
            SourceError: it broke off, stalled, or is no video.
        """

    def close(self) -> None:
        """Let go of it."""


def open_source(camera: Camera, settings: Cameras, start: float = 0.0) -> Source:
    """Open a camera's source: its address is checked anew each time, for names may lead elsewhere by now.

    Args:
        camera: whose.
        settings: what may be opened.
        start: position of its first frame.

    Raises:
        SourceError: as of `address.check`, or SourceUnreachable, SourceRefused, NoVideo.
    """
    from facegroup.cameras import stream  # FFmpeg's and pictures' libraries: each is loaded where it is needed

    parts = address.split(camera.source, (*address.PORTS, *address.LOCAL))
    if parts.scheme in {"rtsp", "rtsps"}:
        return stream.open_rtsp(camera, address.resolve(parts, settings)[0], start)
    if parts.scheme in {"http", "https"}:
        return stream.open_http(camera, settings, start)
    if parts.scheme == "v4l2":
        return stream.open_device(camera, address.device(parts, settings), start)
    path = address.path(parts, settings)
    if path.is_dir():
        from facegroup.cameras.pictures import Pictures

        return Pictures(path, camera.realtime)
    if not path.exists():
        raise SourceUnreachable("there is no such file or folder")
    if not path.is_file():
        raise InvalidSource("this is neither a file nor a folder")
    return stream.open_file(camera, path, start)
