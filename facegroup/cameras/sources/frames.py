"""The frames of a source, and the protocol of all sources."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import av

from facegroup.cameras.sources.clock import Schedule
from facegroup.errors import NoKeyFrame


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """Class that holds a decoded frame.

    Attributes:
        frame: as FFmpeg gives it.
        at: seconds since the epoch; see `facegroup.cameras.types.Frame`.
        position: seconds since the first frame of this source.
        moment: seconds of a monotonic clock, or the position: the schedule and the motion filter go by it.
        lasts: seconds for which it is shown; 0 if the source does not say.
        aspect: width of a pixel / height of a pixel, as it is stored.
    """

    frame: av.VideoFrame
    at: float
    position: float
    moment: float
    lasts: float = 0.0
    aspect: float = 1.0


ReadEvent: TypeAlias = Literal["came", "damaged", "waiting"] | DecodedFrame | NoKeyFrame
"""``came``: a frame was received. ``damaged``: it could not be decoded. `DecodedFrame`: it was. ``waiting``: the source is
`quiet` from now on. `NoKeyFrame`: nothing can be decoded yet."""


class Source(Protocol):
    """Protocol of everything that gives frames.

    Attributes:
        ends: whether it ends by itself.
        quiet: whether it may give nothing for long without being broken; it may change.
        every: whether every frame is due, however fast they come.
        note: message for a person; None shows none.
    """

    ends: bool
    quiet: bool
    every: bool
    note: str | None

    def read(self, schedule: Schedule, stop: threading.Event) -> Iterator[ReadEvent]:
        """Yield events until the source ends or `stop` is set. Frames that are not due may be left undecoded.

        Raises:
            SourceError: the connection broke, the source stalled, or it is not a video.
        """

    def close(self) -> None:
        """Close it."""
