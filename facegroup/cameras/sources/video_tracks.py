"""Finds the video track of an open container: cover art and other pictures are tracks, too."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av import Packet, VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_PICTURES = frozenset(("mjpeg", "png", "bmp", "gif", "webp", "tiff", "jpegls", "jpeg2000", "ljpeg", "apng"))
"""Codecs of cover art. Some cameras send video in them, too."""


def moving(container: "InputContainer") -> "VideoStream | None":
    """Return the video track; None if there is none, or only pictures.

    Of several, a codec that is not one of pictures comes first, then length, then the default track, size, and order.
    """
    from av.stream import Disposition

    pictures = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails
    found = [each for each in container.streams.video if not each.disposition & pictures]
    return max(found, key=lambda track: _rank(track, bool(track.disposition & Disposition.default)), default=None)


def stamp(container: "InputContainer", of: "Packet[Any] | VideoFrame") -> int | None:
    """Return the display time of a packet or frame, in the time base of its track; None if it has none.

    An AVI file has only the order of decoding, whose times grow by one a frame as those of display would.
    """
    return of.dts if container.format.name == "avi" else of.pts


def _rank(track: "VideoStream", default: bool) -> tuple[bool, bool, bool, int, int]:
    codec = track.codec_context
    lasts = track.frames != 1 and _seconds(track) > 1
    picture = codec is None or codec.name in _PICTURES
    return not picture, lasts, default, 0 if codec is None else codec.width * codec.height, -track.index


def _seconds(track: "VideoStream") -> float:
    """Return the length of a track; infinity if it does not say."""
    if track.duration is not None and track.time_base is not None:
        return float(track.duration * track.time_base)
    hours, _, rest = track.metadata.get("DURATION", "").partition(":")  # Matroska's
    minutes, _, seconds = rest.partition(":")
    try:
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return float("inf")
