"""Analyse every frame of the clips in ../shared/faces/videos once, and read who is where (tests/ground_truth/videos.json).

At a lower frame rate, only every n-th frame is used; the first one is the phase.
"""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facegroup.cameras.sources.reader import CameraReader
from facegroup.cameras.types import Camera, Frame
from facegroup.detection.boxes import overlap
from facegroup.pipeline.messages import Photo, PhotoResult, Query
from facegroup.recognizer import Recognizer
from facegroup.settings import Cameras
from facegroup.types import Floats

ROOT = Path(__file__).resolve().parents[1]
VIDEOS = ROOT.parent / "shared" / "faces" / "videos"
TRUTH = ROOT / "tests" / "ground_truth" / "videos.json"
GALLERY = "nobody"
_SAME = 0.4  # overlap of a found face and a true one
_STRAIGHT = 0.7  # seconds between two true boxes between which a face moves straight
_BATCH = 8


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip.

    Attributes:
        name: name of its file.
        fps: frames per second.
        frames: all frames, each with its faces.
        people: the ground truth by label.
    """

    name: str
    fps: float
    frames: list[tuple[Frame, PhotoResult]]
    people: dict[str, Any]

    def looks(self, fps: float) -> Iterator[list[tuple[Frame, PhotoResult]]]:
        """Return the frames to analyse at a frame rate: one list for each phase."""
        step = max(1, round(self.fps / fps))
        for phase in range(min(step, len(self.frames))):
            yield self.frames[phase::step]

    def who(self, frame: Frame, boxes: Floats) -> list[str | None]:
        """Return whose face each box, in pixels of the frame, holds; None: nobody's whom the ground truth has."""
        return who(self.people, frame.position, frame.scale, boxes)


def who(people: dict[str, Any], at: float, scale: float, boxes: Floats) -> list[str | None]:
    """Return whose face each box holds; None: nobody's whom the ground truth has.

    Args:
        people: of a clip of the ground truth.
        at: seconds since the first frame.
        scale: pixels of the boxes for one of the clip.
        boxes: (n, 4) x1, y1, x2, y2.
    """
    found: list[str | None] = [None] * len(boxes)
    known = {name: box for name, person in people.items() if (box := _box(person["boxes"], at)) is not None}
    if not known or not len(boxes):
        return found
    names = list(known)
    shared = overlap(boxes, np.array(list(known.values()), np.float32) * scale)
    for place in np.argsort(-shared, axis=None):
        row, column = np.unravel_index(place, shared.shape)
        if shared[row, column] >= _SAME and found[row] is None and names[column] not in found:
            found[row] = names[column]
    return found


def _box(boxes: list[list[float]], at: float) -> list[float] | None:
    for before, after in zip(boxes, [*boxes[1:], boxes[-1]], strict=True):
        if before[0] - 0.01 <= at <= after[0] + 0.01 and after[0] - before[0] < _STRAIGHT:
            part = (at - before[0]) / (after[0] - before[0]) if after[0] > before[0] else 0.0
            x, y, w, h = np.array(before[1:]) + part * (np.array(after[1:]) - before[1:])
            return [x, y, x + w, y + h]
    return None


def read(recognizer: Recognizer) -> list[Clip]:
    """Analyse every frame of every clip. Nobody is enrolled, so every face is a stranger's."""
    recognizer.new_gallery(GALLERY)
    truth = json.loads(TRUTH.read_text())["clips"]
    return [_read(recognizer, VIDEOS / name, clip["people"]) for name, clip in truth.items() if clip["people"]]


def detected(seen: PhotoResult) -> PhotoResult:
    """Return the result of detection alone."""
    return replace(seen, descriptors=None, crops=None, matched=None)


def _read(recognizer: Recognizer, path: Path, people: dict[str, Any]) -> Clip:
    frames: list[Frame] = []
    camera = Camera("clip", path.as_uri(), GALLERY, fps=1000, motion=False, realtime=False)
    with closing(CameraReader(camera, Cameras(folder=Path("/")))) as reader:
        while (frame := reader.next(60)) is not None:
            frames.append(frame)
    found: list[tuple[Frame, PhotoResult]] = []
    for start in range(0, len(frames), _BATCH):
        part = frames[start : start + _BATCH]
        photos = [Photo(each.data, crops=True, query=Query(GALLERY, candidates=1)) for each in part]
        for frame, seen in zip(part, recognizer.see(photos), strict=True):
            assert isinstance(seen, PhotoResult), seen
            found.append((frame, seen))
    return Clip(path.name, (len(frames) - 1) / frames[-1].position, found, people)
