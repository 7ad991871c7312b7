"""What a video file says of itself, and when reading it is over: the same for a command and for a server."""

from pathlib import Path

from facegroup.cameras.types import Camera, Frame, Status
from facegroup.errors import NoVideo, SourceEnded
from facegroup.viewing import Facts

_MISSING_SECONDS = 1.0  # beyond the last frame that was due: less says nothing, as sound is often longer


def length(file: Path) -> float | None:
    """Return how many seconds of picture a video says it has; None: it does not say, or is none."""
    import av

    try:
        with av.open(str(file)) as container:
            (video, *_), sound = container.streams.video or (None,), container.streams.audio
            if video is not None and video.duration is not None and video.time_base is not None:
                return float(video.duration * video.time_base)
            return None if video is None or sound or container.duration is None else container.duration / 1e6
    except (av.FFmpegError, OSError):
        return None


def broken(frame: Frame | None, status: Status) -> NoVideo | None:
    """Return why no more of a file can be read, after what its eye gave; None: it goes on, or is at its end."""
    # An eye would open it once more, and begin again.
    if status.counts.opened > 1 or (frame is None and status.reason not in (None, "source_ended")):
        return NoVideo(status.detail or "it breaks off")
    return None


def cut_short(facts: Facts, camera: Camera, whole: float | None) -> SourceEnded | None:
    """Return what to say of a file that ended before the length that it says it has; None: it did not."""
    if whole is None or facts.seconds >= whole - 1 / camera.fps - _MISSING_SECONDS:
        return None
    return SourceEnded(f"only {facts.seconds:.1f} of its {whole:.1f} seconds could be read")
