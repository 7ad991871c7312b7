"""Photos and the boxes that people drew, in; how well faces are found, out.

The boxes come as WIDER FACE's: x, y, width and height in pixels; `invalid` ones count neither way. A photo that is absent
or cannot be decoded stays, with all its boxes missed. Faces are found as the product does, with its limits and its least
confidence, so the curves end where the product's answers do.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import MalformedRequest
from facegroup.evaluation import bootstrap
from facegroup.evaluation.average_precision import Outcomes, area, outcomes
from facegroup.evaluation.bootstrap import Estimate
from facegroup.evaluation.descriptors import ABSENT, UNREADABLE
from facegroup.networks import registry
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import Settings
from facegroup.types import Faces, Floats

SIZES = {"under 20 px": (0, 20), "20–50 px": (20, 50), "50–100 px": (50, 100), "100 px and more": (100, np.inf)}
"""Heights of a face; the detector looks for none under 20 px unless it is told to."""

LEAST = 0.5
"""What a found and a true box must share of their union."""

_BATCH = 4


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The boxes of one photo.

    Attributes:
        boxes: (n, 4) float32: x1, y1, x2, y2.
        ignored: (m, 4) float32: those that count neither way.
    """

    boxes: Floats
    ignored: Floats

    def between(self, low: float, high: float) -> "Truth":
        """Return it with the boxes of other heights than low ≤ h < high ignored."""
        height = self.boxes[:, 3] - self.boxes[:, 1]
        own = (height >= low) & (height < high)
        return Truth(self.boxes[own], np.concatenate([self.ignored, self.boxes[~own]]))


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What the detector gives in one precision.

    Attributes:
        precision: of its arithmetic.
        outcomes: of every found box.
        sized: the same under each of `SIZES`.
        ap: average precision over all sizes.
        by_size: under each of `SIZES` the count of true boxes, the average precision and the recall; NaN of none.
        recall: share of the true boxes that are found, at the product's least confidence.
        correct: share of the found boxes that are right, there (precision).
        failed: photo and why it cannot be used.
    """

    precision: str
    outcomes: Outcomes
    sized: Mapping[str, Outcomes]
    ap: Estimate
    by_size: Mapping[str, tuple[int, Estimate, float]]
    recall: Estimate
    correct: Estimate
    failed: Mapping[str, str]


def read_truth(path: Path) -> dict[str, Truth]:
    """Return photo → boxes of a JSON such as ``{"a.jpg": [{"box": [x, y, w, h], "invalid": 0}]}``.

    Raises:
        MalformedRequest: it is not there or not of that form, or has no valid box.
    """
    try:
        read = json.loads(path.read_text("utf-8"))
        truth = {name: _truth(rows) for name, rows in read.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedRequest(
            f'{path} is no ground truth such as {{"a.jpg": [{{"box": [x, y, w, h], "invalid": 0}}]}}: {error!r}'
        ) from error
    if not sum(len(each.boxes) for each in truth.values()):
        raise MalformedRequest(f"{path} has no valid box, so that there is nothing to find")
    return truth


def measure(
    folder: Path,
    truth: Mapping[str, Truth],
    settings: Settings,
    drawings: int = 1000,
    told: Callable[[int], None] = lambda _: None,
) -> Run:
    """Find the faces of the photos below a folder and compare them with the true boxes."""
    found, failed = _find([(name, folder / name) for name in truth], settings, told)
    faces, rows = [found[name] for name in truth], list(truth.values())
    weights = bootstrap.draw(len(rows), 1, drawings).people
    every = outcomes(faces, [each.boxes for each in rows], [each.ignored for each in rows], LEAST)
    by_size, sized = {}, {}
    for name, (low, high) in SIZES.items():
        part = [each.between(low, high) for each in rows]
        some = outcomes(faces, [each.boxes for each in part], [each.ignored for each in part], LEAST)
        count = int(some.total.sum())
        sized[name] = some.between(low, high)
        by_size[name] = (count, _ap(sized[name], weights), float(some.right.sum() / count) if count else np.nan)
    right = np.bincount(every.photo[every.right], minlength=len(rows))
    all_found = np.bincount(every.photo, minlength=len(rows))
    return Run(
        *(settings.detector.precision, every, sized, _ap(every, weights), by_size),
        _ratio(right, every.total, weights),
        _ratio(right, all_found, weights),
        failed,
    )


def _find(
    files: Sequence[tuple[str, Path]], settings: Settings, told: Callable[[int], None]
) -> tuple[dict[str, Faces], dict[str, str]]:
    finder = open_finder(settings, registry.spec(settings.network, settings))
    found, failed = {}, {}
    try:
        for start in range(0, len(files), _BATCH):
            part = {}
            for name, path in files[start : start + _BATCH]:
                found[name] = Faces.none()
                try:
                    part[name] = Photo(path.read_bytes())
                except (OSError, ValueError) as error:
                    failed[name] = ABSENT if isinstance(error, FileNotFoundError) else UNREADABLE
            for name, each in zip(part, finder.find(list(part.values())), strict=True):
                if isinstance(each, DetectedFaces):
                    found[name] = each.faces
                else:
                    failed[name] = each.code
            told(min(start + _BATCH, len(files)))
    finally:
        finder.close()
    return found, failed


def _truth(rows: list[dict[str, Any]]) -> Truth:
    boxes = np.array([row["box"] for row in rows], np.float32).reshape(-1, 4)
    if not np.isfinite(boxes).all() or len(boxes) != len(rows):
        raise ValueError("a box is four numbers: x, y, w, h")
    # WIDER FACE has boxes without an area, which nothing can overlap.
    invalid = np.array([bool(row.get("invalid", 0)) for row in rows], bool) | (boxes[:, 2:] <= 0).any(axis=1)
    boxes[:, 2:] += boxes[:, :2]
    return Truth(boxes[~invalid], boxes[invalid])


def _ap(done: Outcomes, weights: NDArray[np.float64]) -> Estimate:
    value = float(area(done, np.ones((1, len(done.total))))[0])
    drawn = area(done, weights)
    drawn = drawn[np.isfinite(drawn)]
    return bootstrap.estimate(value, drawn) if len(drawn) and len(done.total) > 1 else bootstrap.unknown(value)


def _ratio(part: NDArray[np.intp], whole: NDArray[np.intp], weights: NDArray[np.float64]) -> Estimate:
    total = weights @ whole
    drawn = (weights @ part)[total > 0] / total[total > 0]
    value = float(part.sum() / whole.sum()) if whole.sum() else np.nan
    return bootstrap.estimate(value, drawn) if len(drawn) and len(whole) > 1 else bootstrap.unknown(value)
