"""A video and what was seen in it → a copy with boxes and names: every frame, with those of the last look before it.

There is no sound in it, and it is as wide and high as the first frame, upright.
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


def annotate(file: Path, viewing: VideoAnalysis, target: Path, tell: Callable[[float], None] = lambda _: None) -> None:
    """Write it; what was there before is replaced when the copy is whole.

    Args:
        file: the video; of one that is damaged the copy has what can be read.
        viewing: what was seen in it.
        target: of any kind of file that FFmpeg writes by its name, such as ``.mp4``.
        tell: is told how far it is, in seconds.

    Raises:
        NoVideo: it cannot be read, or the copy cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".facegroup-") as folder:
        made = Path(folder) / target.name
        problem = _write(file, viewing, made, tell)
        if problem is not None:
            raise NoVideo(f"the annotated copy could not be written: {problem}")
        shutil.move(made, target)


def _write(file: Path, viewing: VideoAnalysis, target: Path, tell: Callable[[float], None]) -> str | None:
    """Return what is wrong, if anything."""
    import av

    looks, at = viewing.looks, -1
    try:
        with av.open(str(file)) as source, av.open(str(target), "w") as copy:
            stream: Any = None
            for seconds, image in _frames(source):
                if stream is None:
                    rate = getattr(moving(source), "average_rate", None) or Fraction(25)
                    stream = copy.add_stream("libx264", rate=rate)
                    # Of 4:2:0, an even number of pixels.
                    stream.width, stream.height = (max(2, side // 2 * 2) for side in image.shape[1::-1])
                    stream.pix_fmt = "yuv420p"
                    stream.codec_context.time_base = _TICK
                while at + 1 < len(looks) and looks[at + 1].position <= seconds + 1e-3:
                    at += 1
                drawn = av.VideoFrame.from_ndarray(_drawn(image, viewing, at), "rgb24")
                frame = drawn.reformat(stream.width, stream.height, "yuv420p")
                frame.pts, frame.time_base = round(seconds / _TICK), _TICK
                copy.mux(stream.encode(frame))
                tell(seconds)
            if stream is None:
                return "there is no picture in the video"
            copy.mux(stream.encode(None))
    except (av.FFmpegError, OSError, ValueError) as error:
        return type(error).__name__
    return None


def _frames(source: Any) -> Iterator[tuple[float, Image]]:
    """Give every frame that can be decoded, upright, with its seconds since the first."""
    import av

    start, last, deinterlacer = None, -1.0, Deinterlacer()
    video: Any = moving(source)
    rate = float(video.average_rate or 25)
    for packet in source.demux(video):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            continue  # damaged: the next ones may be well
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


def _drawn(image: Image, viewing: VideoAnalysis, at: int) -> Image:
    if at < 0 or not viewing.looks[at].faces:
        return image
    look = viewing.looks[at]
    boxes = np.array([box for _, box in look.faces], np.float32)
    boxes *= np.tile(np.array([image.shape[1] / look.width, image.shape[0] / look.height], np.float32), 2)
    return drawing.boxes(image, boxes, [viewing.names.get(track, "?") for track, _ in look.faces])
