"""Video files: their length, and the errors of a file that cannot be read to its end."""

from pathlib import Path

from facegroup.cameras.sources.video_tracks import moving
from facegroup.cameras.types import Camera, Frame, Status
from facegroup.cameras.video.viewing import Facts
from facegroup.errors import DamagedVideo, NoVideo, SourceEnded, SourceError

_MISSING_SECONDS = 1.0  # after the last frame that was due: less is normal, since sound is often longer


def length(file: Path) -> float | None:
    """Return the length of a video's picture in seconds, as its header says; None if it does not say, or is no video."""
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
    """Return why no more of a file can be read, after a reader's answer; None if it continues, or is at its end."""
    # A reader would open the file again, and start from its beginning.
    if status.counts.opened > 1 or (frame is None and status.reason not in (None, "source_ended")):
        return NoVideo(status.detail or "it breaks off")
    return None


def incomplete(
    problem: NoVideo | None, status: Status, facts: Facts, camera: Camera, whole: float | None
) -> SourceError | None:
    """Return what is wrong with a file of which some frames were read; None if all of it was read.

    Args:
        problem: from `broken`, or why reading was given up; None: nothing.
        status: of the reader, after the last frame.
        facts: of the analysis.
        camera: from `viewing.camera`.
        whole: from `length`.
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
