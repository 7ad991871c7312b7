"""An open container → which of its tracks is the video: cover art and other pictures are tracks too, wherever they stand."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_PICTURES = frozenset(("mjpeg", "png", "bmp", "gif", "webp", "tiff", "jpegls", "jpeg2000", "ljpeg", "apng"))
"""Codecs that cover art is in; of cameras' videos, too, where there is no other track."""


def moving(container: "InputContainer") -> "VideoStream | None":
    """Return the track whose pictures move; None: there is none, whatever pictures there are.

    Of several it is one that is no format of pictures, then one that lasts, then the default, the largest, the first.
    """
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
    found = [each for each in container.streams.video if not each.disposition & pictures]
    return max(found, key=lambda track: _rank(track, bool(track.disposition & Disposition.default)), default=None)


def stamp(container: "InputContainer", of: "Packet[Any] | VideoFrame") -> int | None:
    """Return when a packet, or a frame, is shown, in the time base of its track; None: it does not say.

    An AVI file says only in which order frames are stored: those times count, which grow by one a frame as the shown do.
    """
    return of.dts if container.format.name == "avi" else of.pts


def _rank(track: "VideoStream", default: bool) -> tuple[bool, bool, bool, int, int]:
    codec = track.codec_context
    lasts = track.frames != 1 and _seconds(track) > 1
    picture = codec is None or codec.name in _PICTURES
    return not picture, lasts, default, 0 if codec is None else codec.width * codec.height, -track.index


def _seconds(track: "VideoStream") -> float:
    """Return how long a track says that it is; infinity where it does not."""
    if track.duration is not None and track.time_base is not None:
        return float(track.duration * track.time_base)
    hours, _, rest = track.metadata.get("DURATION", "").partition(":")  # Matroska's
    minutes, _, seconds = rest.partition(":")
    try:
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return float("inf")
