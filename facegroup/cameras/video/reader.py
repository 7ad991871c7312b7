"""Analyses a video file in this process: frames are read ahead and analysed in batches."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import chain, islice
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from facegroup.cameras.sources.reader import CameraReader
from facegroup.cameras.types import Camera, Frame
from facegroup.cameras.video.files import broken, incomplete, length
from facegroup.cameras.video.viewing import VideoAnalysis
from facegroup.errors import FacegroupError, NoVideo
from facegroup.pipeline.messages import Photo, PhotoResult
from facegroup.settings import Cameras

BATCH = 8
"""Frames that are analysed at once."""

_WAIT_SECONDS = 0.2
_PATIENCE_SECONDS = 60.0  # for one frame


class Pipeline(Protocol):
    """Recognition pipeline, such as `facegroup.recognizer.Recognizer`."""

    def see(self, photos: list[Photo]) -> list[PhotoResult | FacegroupError]:
        """Recognise the faces of each photo."""


def analyse(
    analysis: VideoAnalysis, camera: Camera, pipeline: Pipeline, report: Callable[[float], None] = lambda _: None
) -> FacegroupError | None:
    """Analyse every frame of a file that is due.

    Args:
        analysis: takes the recognised frames.
        camera: from `viewing.camera`.
        pipeline: recognises the faces.
        report: called with the progress, in seconds of the video.

    Returns:
        What is wrong with the file: it ends early, or a part of it is damaged. None if nothing is.

    Raises:
        NoVideo: no frame can be read.
        FacegroupError: the gallery cannot be searched.
    """
    reader = _Reader(camera)
    with closing(reader):
        for frames in _batches(reader.frames()):
            answers = pipeline.see([analysis.photo(frame) for frame in frames])
            for frame, answer in zip(frames, answers, strict=True):
                seen = _seen(answer)
                if analysis.take(frame, seen):
                    analysis.take(frame, _seen(pipeline.see([analysis.recognise(frame, seen.faces)])[0]))
                report(frame.position)
    if not analysis.facts.analysed:
        raise reader.problem or NoVideo("there is no picture in it")
    return incomplete(reader.problem, reader.status, analysis.facts, camera, length(_path(camera)))


class _Reader:
    """Reads the frames of a file that are due. The next frames are decoded while the caller works.

    Attributes:
        problem: why reading ended before the file's end; None if it did not.
        status: of the camera reader, after the last frame.
    """

    def __init__(self, camera: Camera) -> None:
        # The command may read every file that its user may read.
        self._reader = CameraReader(camera, Cameras(folder=Path("/")))
        self._ahead: queue.Queue[Frame | None] = queue.Queue(2 * BATCH)
        self._over = threading.Event()
        self.problem: NoVideo | None = None
        self.status = self._reader.status()
        self._thread = threading.Thread(target=self._read, name="read", daemon=True)
        self._thread.start()

    def frames(self) -> Iterator[Frame]:
        """Yield the frames until the end."""
        while (frame := self._ahead.get()) is not None:
            yield frame

    def close(self) -> None:
        """Stop reading."""
        self._over.set()
        self._reader.close()
        self._thread.join(5)

    def _read(self) -> None:
        waited = 0.0
        while not self._over.is_set():
            frame, status = self._reader.next(_WAIT_SECONDS), self._reader.status()
            self.status = status
            waited = 0.0 if frame is not None else waited + _WAIT_SECONDS
            self.problem = broken(frame, status)
            if self.problem is None and waited > _PATIENCE_SECONDS:
                self.problem = NoVideo(f"no frame came for {_PATIENCE_SECONDS:g} s")
            if self.problem is not None or (frame is None and status.state == "ended"):
                break
            if frame is not None:
                self._put(frame)
        self._put(None)

    def _put(self, frame: Frame | None) -> None:
        while not self._over.is_set():
            with suppress(queue.Full):
                self._ahead.put(frame, timeout=_WAIT_SECONDS)
                break


def _path(camera: Camera) -> Path:
    return Path(unquote(camera.source.removeprefix("file://")))


def _batches(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    for first in frames:
        yield list(chain([first], islice(frames, BATCH - 1)))


def _seen(answer: PhotoResult | FacegroupError) -> PhotoResult:
    if isinstance(answer, FacegroupError):
        raise answer
    return answer
