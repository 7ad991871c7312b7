"""Annotated copy of a video: every frame, with the boxes and names of the last analysed frame before it.

The copy has no sound. It is as wide and high as the first frame, upright.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from facegroup.cameras.sources.deinterlacing import Deinterlacer
from facegroup.cameras.sources.pose import Pose, square
from facegroup.cameras.sources.video_tracks import moving, stamp
from facegroup.cameras.video.viewing import VideoAnalysis
from facegroup.errors import NoVideo
from facegroup.images import drawing
from facegroup.types import Image

_TICK = Fraction(1, 90_000)


def annotate(
    file: Path, analysis: VideoAnalysis, target: Path, report: Callable[[float], None] = lambda _: None
) -> None:
    """Write the copy. An existing file is replaced once the copy is complete.

    Args:
        file: the video; if it is damaged, the copy has what can be read.
        analysis: of the video.
        target: the copy; FFmpeg chooses the format by its suffix, such as ``.mp4``.
        report: called with the progress, in seconds of the video.

    Raises:
        NoVideo: the video cannot be read, or the copy cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".facegroup-") as folder:
        made = Path(folder) / target.name
        problem = _write(file, analysis, made, report)
        if problem is not None:
            raise NoVideo(f"the annotated copy could not be written: {problem}")
        shutil.move(made, target)


def _write(file: Path, analysis: VideoAnalysis, target: Path, report: Callable[[float], None]) -> str | None:
    """Write the copy; return what went wrong, or None."""
    import av

    analysed, at = analysis.frames, -1
    try:
        with av.open(str(file)) as source, av.open(str(target), "w") as copy:
            stream: Any = None
            for seconds, image in _frames(source):
                if stream is None:
                    rate = getattr(moving(source), "average_rate", None) or Fraction(25)
                    stream = copy.add_stream("libx264", rate=rate)
                    # 4:2:0 needs an even number of pixels.
                    stream.width, stream.height = (max(2, side // 2 * 2) for side in image.shape[1::-1])
                    stream.pix_fmt = "yuv420p"
                    stream.codec_context.time_base = _TICK
                while at + 1 < len(analysed) and analysed[at + 1].position <= seconds + 1e-3:
                    at += 1
                drawn = av.VideoFrame.from_ndarray(_drawn(image, analysis, at), "rgb24")
                frame = drawn.reformat(stream.width, stream.height, "yuv420p")
                frame.pts, frame.time_base = round(seconds / _TICK), _TICK
                copy.mux(stream.encode(frame))
                report(seconds)
            if stream is None:
                return "there is no picture in the video"
            copy.mux(stream.encode(None))
    except (av.FFmpegError, OSError, ValueError) as error:
        return type(error).__name__
    return None


def _frames(source: Any) -> Iterator[tuple[float, Image]]:
    """Yield every frame that can be decoded, upright, with its seconds since the first frame."""
    import av

    start, last, deinterlacer = None, -1.0, Deinterlacer()
    video: Any = moving(source)
    rate = float(video.average_rate or 25)
    for packet in source.demux(video):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue  # damaged: later packets may be intact
        for frame in frames:
            at = stamp(source, frame)
            time = last + 1 / rate if at is None else float(at * frame.time_base)
            start = time if start is None else start
            if frame.is_corrupt or time - start <= last:
                continue
            last = time - start
            aspect = float(video.sample_aspect_ratio or video.codec_context.sample_aspect_ratio or 1)
            width, height = map(round, square(frame.width, frame.height, aspect))
            shown: Any = deinterlacer.deinterlace(frame).to_ndarray(format="rgb24", width=width, height=height)
            yield last, np.ascontiguousarray(Pose.of(frame).shown(shown))


def _drawn(image: Image, analysis: VideoAnalysis, at: int) -> Image:
    if at < 0 or not analysis.frames[at].faces:
        return image
    frame = analysis.frames[at]
    boxes = np.array([box for _, box in frame.faces], np.float32)
    boxes *= np.tile(np.array([image.shape[1] / frame.width, image.shape[0] / frame.height], np.float32), 2)
    return drawing.boxes(image, boxes, [analysis.names.get(track, "?") for track, _ in frame.faces])
