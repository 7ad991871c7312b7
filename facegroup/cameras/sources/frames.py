"""What a source gives: decoded frames, and what else happens while it is read."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import av

from facegroup.cameras.sources.clock import Schedule
from facegroup.errors import NoKeyFrame


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
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


ReadEvent: TypeAlias = Literal["came", "damaged", "waiting"] | DecodedFrame | NoKeyFrame
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

    def read(self, schedule: Schedule, stop: threading.Event) -> Iterator[ReadEvent]:
        """Yield what comes until the end, or `stop`. Frames that are not due may be left undecoded.

        Raises:
            SourceError: it broke off, stalled, or is no video.
        """

    def close(self) -> None:
        """Let go of it."""
