"""What a video file says of itself, and when reading it is over: the same for a command and for a server."""

from pathlib import Path

from facegroup.cameras.sources.video_tracks import moving
from facegroup.cameras.types import Camera, Frame, Status
from facegroup.cameras.video.viewing import Facts
from facegroup.errors import DamagedVideo, NoVideo, SourceEnded, SourceError

_MISSING_SECONDS = 1.0  # beyond the last frame that was due: less says nothing, as sound is often longer


def length(file: Path) -> float | None:
    """Return how many seconds of picture a video says it has; None: it does not say, or is none."""
    import av

    try:
        with av.open(str(file)) as container:
            video, sound = moving(container), container.streams.audio
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


def told(
    problem: NoVideo | None, status: Status, facts: Facts, camera: Camera, whole: float | None
) -> SourceError | None:
    """Return what is to be said of a file in which something was seen; None: it was read to its end, all of it.

    Args:
        problem: of `broken`, or why it was given up.
        status: of its eye, after the last frame.
        facts: of its viewing.
        camera: that it was looked at as.
        whole: of `length`.
    """
    if problem is not None:
        return type(problem)(f"it ends early: {problem.detail}")
    if whole is not None and facts.ends < whole - 1 / camera.fps - _MISSING_SECONDS:
        return SourceEnded(f"it ends early: only {facts.seconds:.1f} of its {whole:.1f} seconds could be read")
    if damaged := status.counts.damaged:
        return DamagedVideo(
            f"it is damaged: {damaged} {'part' if damaged == 1 else 'parts'} of it could not be decoded"
        )
    return None
