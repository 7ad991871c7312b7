"""A video file → who appears when, in this process: read ahead, analysed in batches, told as JSON, CSV or WebVTT.

An annotated copy is made in a second pass: every frame, with the boxes and names of the last look before it.
"""

import csv
import html
import io
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from facegroup import drawing
from facegroup.cameras.eye import Eye
from facegroup.cameras.types import Camera, Frame
from facegroup.errors import FacegroupError, NoVideo
from facegroup.photos import Photo, Seen
from facegroup.settings import Cameras
from facegroup.viewing import Viewing

BATCH = 8
"""Frames that are analysed at once."""

_WAIT_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0
_COLUMNS = ("name", "person_id", "unknown", "first_seen", "last_seen", "frames", "similarity")


class Pipeline(Protocol):
    """What sees: `facegroup.recognizer.Recognizer` is one."""

    def see(self, photos: list[Photo]) -> list[Seen | FacegroupError]:
        """Return what is in each photo."""


def look_through(
    viewing: Viewing, camera: Camera, pipeline: Pipeline, tell: Callable[[float], None] = lambda _: None
) -> FacegroupError | None:
    """Let a viewing see every frame of a file that is due.

    Args:
        viewing: takes in what is seen.
        camera: of `viewing.camera`.
        pipeline: sees.
        tell: is told how far it is, in seconds of the video.

    Returns:
        Why it ended before the file's end; None: it did not.

    Raises:
        NoVideo: there is no frame in it at all.
        FacegroupError: what the gallery said no with.
    """
    problem: list[FacegroupError | None] = []
    for frames in _batches(_frames(camera, problem)):
        answers = pipeline.see([viewing.photo(frame) for frame in frames])
        for frame, answer in zip(frames, answers, strict=True):
            seen = _seen(answer)
            if viewing.take(frame, seen):
                viewing.take(frame, _seen(pipeline.see([viewing.recognise(frame, seen.faces)])[0]))
            tell(frame.position)
    if not viewing.facts.analysed:
        raise problem[0] if problem and problem[0] else NoVideo("there is no picture in it")
    return problem[0] if problem else None


def as_csv(report: dict[str, Any]) -> str:
    """Return the sightings as CSV; a name that a spreadsheet would take for a formula has ' in front."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(_COLUMNS)
    for each in report["sightings"]:
        rows.writerow("" if each[name] is None else _plain(each[name]) for name in _COLUMNS)
    return text.getvalue()


def as_vtt(report: dict[str, Any]) -> str:
    """Return the sightings as subtitles (W3C, WebVTT): each moment shows the names of who is there."""
    edges = sorted({each[edge] for each in report["sightings"] for edge in ("first_seen", "last_seen")})
    parts = ["WEBVTT\n"]
    for start, end in pairwise(edges):
        here = [
            each["name"] for each in report["sightings"] if each["first_seen"] <= start and end <= each["last_seen"]
        ]
        if here:
            text = "\n".join(" ".join(html.escape(name, quote=False).split()) for name in here)
            parts.append(f"{_clock(start)} --> {_clock(end)}\n{text}\n")
    return "\n".join(parts)


def annotate(file: Path, viewing: Viewing, target: Path, tell: Callable[[float], None] = lambda _: None) -> None:
    """Write a copy of a video with boxes and names; without sound.

    Args:
        file: the video.
        viewing: what was seen in it.
        target: of any kind of file that FFmpeg writes by its name, such as ``.mp4``.
        tell: is told how far it is, in seconds.

    Raises:
        NoVideo: it cannot be read, or the copy cannot be written.
    """
    import av

    try:
        with av.open(str(file)) as source, av.open(str(target), "w") as copy:
            rate = source.streams.video[0].average_rate or Fraction(25)
            stream: Any = copy.add_stream("libx264", rate=rate)
            looks, at, start = viewing.looks, -1, None
            for number, frame in enumerate(source.decode(video=0)):
                image: Any = frame.to_ndarray(format="rgb24")
                image = np.ascontiguousarray(image[: len(image) // 2 * 2, : image.shape[1] // 2 * 2])  # of 4:2:0
                seconds = number / float(rate) if frame.time is None else frame.time
                start = seconds if start is None else start
                while at + 1 < len(looks) and looks[at + 1].position <= seconds - start + 1e-3:
                    at += 1
                if not number:
                    stream.height, stream.width = image.shape[:2]
                    stream.pix_fmt = "yuv420p"
                drawn = av.VideoFrame.from_ndarray(_drawn(image, viewing, at), "rgb24")
                drawn.pts, drawn.time_base = round((seconds - start) * 90_000), Fraction(1, 90_000)
                copy.mux(stream.encode(drawn))
                tell(seconds - start)
            copy.mux(stream.encode(None))
    except (av.FFmpegError, ValueError) as error:
        raise NoVideo(f"the annotated copy could not be written: {type(error).__name__}") from None


def _drawn(image: Any, viewing: Viewing, at: int) -> Any:
    if at < 0 or not viewing.looks[at].faces:
        return image
    look = viewing.looks[at]
    boxes = np.array([box for _, box in look.faces], np.float32)
    boxes *= np.tile(np.array([image.shape[1] / look.width, image.shape[0] / look.height], np.float32), 2)
    return drawing.boxes(image, boxes, [viewing.names.get(track, "?") for track, _ in look.faces])


def _frames(camera: Camera, problem: list[FacegroupError | None]) -> Iterator[Frame]:
    """Give the frames of a file; the next ones are decoded meanwhile."""
    settings = Cameras(folder=Path("/"))  # whoever runs the command may read what they may
    ahead: queue.Queue[Frame | None] = queue.Queue(2 * BATCH)
    over = threading.Event()
    with closing(Eye(camera, settings)) as eye:

        def put(frame: Frame | None) -> None:
            while not over.is_set():
                with suppress(queue.Full):
                    ahead.put(frame, timeout=0.2)
                    return

        def read() -> None:
            last = time.monotonic()
            while not over.is_set():
                frame, status = eye.next(_WAIT_SECONDS), eye.status()
                if frame is not None:
                    last = time.monotonic()
                    put(frame)
                elif status.state == "ended":
                    break
                elif status.state == "failed" or time.monotonic() - last > _PATIENCE_SECONDS:
                    problem.append(NoVideo(status.detail or "it cannot be read"))
                    break
            put(None)

        reader = threading.Thread(target=read, name="read", daemon=True)
        reader.start()
        try:
            while (frame := ahead.get()) is not None:
                yield frame
        finally:
            over.set()
            eye.close()
            reader.join(5)


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    batch: list[Frame] = []
    for frame in frames:
        batch.append(frame)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _seen(answer: Seen | FacegroupError) -> Seen:
    if isinstance(answer, FacegroupError):
        raise answer
    return answer


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _clock(seconds: float) -> str:
    whole = round(seconds * 1000)
    return f"{whole // 3_600_000:02}:{whole // 60_000 % 60:02}:{whole // 1000 % 60:02}.{whole % 1000:03}"
