"""Measure how well faces are detected, against hand-drawn boxes.

Boxes have WIDER FACE's format: x, y, width and height in pixels; `invalid` ones do not count. A photo that is missing or
cannot be decoded counts with all its boxes missed. Recall and precision are those of the product at its own least
confidence. For everything over all confidences, boxes count from `LEAST_SCORE` on, with each detector.
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
from facegroup.evaluation.average_precision import Outcomes, area, confidence_at, outcomes, recall_at
from facegroup.evaluation.bootstrap import Estimate
from facegroup.evaluation.descriptors import ABSENT, UNREADABLE
from facegroup.networks import registry
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import Settings
from facegroup.types import Faces, Floats

SIZES = {"under 20 px": (0, 20), "20–50 px": (20, 50), "50–100 px": (50, 100), "100 px and more": (100, np.inf)}
"""Heights of faces. By default, the detector finds none under 20 px."""

LEAST = 0.5
"""Least intersection over union of a detected and a true box."""

LEAST_SCORE = 0.02
"""Least confidence of a box in curves and average precision, so that these do not depend on where a detector is cut off."""

MOST_BOXES = 100_000
"""Most boxes of a photo that count in curves and average precision."""

PRECISION = 0.946
"""Share of correct boxes at which recall is reported by default: what MTCNN reaches on WIDER FACE by itself."""

_BATCH = 4


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The boxes of one photo.

    Attributes:
        boxes: (n, 4) float32: x1, y1, x2, y2.
        ignored: (m, 4) float32: boxes that do not count.
    """

    boxes: Floats
    ignored: Floats

    def between(self, low: float, high: float) -> "Truth":
        """Return the truth with boxes outside the heights low ≤ h < high ignored."""
        height = self.boxes[:, 3] - self.boxes[:, 1]
        own = (height >= low) & (height < high)
        return Truth(self.boxes[own], np.concatenate([self.ignored, self.boxes[~own]]))


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The results of the detector in one precision.

    Attributes:
        detector: name of the detector.
        precision: numerical precision of the detector.
        least: least confidence of a detected face.
        outcomes: the outcome of every detected box from `LEAST_SCORE` on.
        sized: the outcomes for each of `SIZES`.
        ap: average precision over all sizes.
        by_size: for each of `SIZES` the number of true boxes, the average precision and the recall, NaN without any.
        recall: share of the true boxes that are detected at the product's least confidence.
        correct: share of the detected boxes that are correct there (precision).
        failed: the error code of each photo that cannot be used.
        answered: the outcome of every box of the product's answers.
        at: share of correct boxes for which recall is reported.
        recall_at: recall at that share.
        confidence_at: least confidence there; infinite if the share is never reached.
        larger_at: recall of the faces that are not of the first of `SIZES`, at that confidence; NaN without any.
    """

    detector: str
    precision: str
    least: float
    outcomes: Outcomes
    sized: Mapping[str, Outcomes]
    ap: Estimate
    by_size: Mapping[str, tuple[int, Estimate, float]]
    recall: Estimate
    correct: Estimate
    failed: Mapping[str, str]
    answered: Outcomes
    at: float
    recall_at: Estimate
    confidence_at: float
    larger_at: float


def read_truth(path: Path) -> dict[str, Truth]:
    """Return the boxes of each photo from a JSON file such as ``{"a.jpg": [{"box": [x, y, w, h], "invalid": 0}]}``.

    Raises:
        MalformedRequest: the file does not exist, has another form, or has no valid box.
    """
    try:
        read = json.loads(path.read_text("utf-8"))
        truth = {name: _truth(rows) for name, rows in read.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise MalformedRequest(
            f'{path} is not a ground truth such as {{"a.jpg": [{{"box": [x, y, w, h], "invalid": 0}}]}}: {error!r}'
        ) from error
    if not sum(len(each.boxes) for each in truth.values()):
        raise MalformedRequest(f"{path} has no valid box.")
    return truth


def measure(
    folder: Path,
    truth: Mapping[str, Truth],
    settings: Settings,
    drawings: int = 1000,
    told: Callable[[int], None] = lambda _: None,
    at: float = PRECISION,
) -> Run:
    """Detect the faces in the photos below a folder, and compare them with the true boxes.

    Args:
        folder: where the photos are.
        truth: the boxes of each.
        settings: with the detector.
        drawings: drawings of the bootstrap.
        told: called with the number of photos done.
        at: share of correct boxes for which recall is reported.
    """
    files = [(name, folder / name) for name in truth]
    finder = open_finder(settings, registry.spec(settings.network, settings))
    shipped, failed = _find(files, finder, lambda done: told(done // 2))
    low = settings.detector.model_copy(update={"min_confidence": LEAST_SCORE})
    # In a crowd, more boxes than the most of an answer are above that score.
    all_boxes = settings.limits.model_copy(update={"faces": MOST_BOXES})
    everything = settings.model_copy(update={"detector": low, "limits": all_boxes})
    unsure = open_finder(everything, registry.spec(settings.network, settings))
    found, _ = _find(files, unsure, lambda done: told((len(files) + done) // 2))
    rows = list(truth.values())
    weights = bootstrap.draw(len(rows), 1, drawings).people
    answered, every = (_outcomes([each[name] for name in truth], rows) for each in (shipped, found))
    by_size, sized = {}, {}
    for name, (lowest, highest) in SIZES.items():
        part = [each.between(lowest, highest) for each in rows]
        some = _outcomes([shipped[each] for each in truth], part)
        count = int(some.total.sum())
        sized[name] = _outcomes([found[each] for each in truth], part).between(lowest, highest)
        by_size[name] = (count, _ap(sized[name], weights), float(some.right.sum() / count) if count else np.nan)
    right = np.bincount(answered.photo[answered.right], minlength=len(rows))
    all_found = np.bincount(answered.photo, minlength=len(rows))
    confidence = confidence_at(every, at)
    larger = _outcomes(
        [found[name] for name in truth], [each.between(next(iter(SIZES.values()))[1], np.inf) for each in rows]
    )
    sure = int((larger.right & (larger.confidence >= confidence)).sum())
    return Run(
        finder.about()["detector"],
        settings.detector.precision,
        finder.min_confidence,
        every,
        sized,
        _ap(every, weights),
        by_size,
        _ratio(right, every.total, weights),
        _ratio(right, all_found, weights),
        failed,
        answered,
        at,
        _estimate(recall_at(every, at, np.ones((1, len(rows)))), recall_at(every, at, weights), len(rows)),
        confidence,
        float(sure / larger.total.sum()) if larger.total.sum() else np.nan,
    )


def _outcomes(faces: Sequence[Faces], truth: Sequence[Truth]) -> Outcomes:
    return outcomes(faces, [each.boxes for each in truth], [each.ignored for each in truth], LEAST)


def _find(
    files: Sequence[tuple[str, Path]], finder: Finder, told: Callable[[int], None]
) -> tuple[dict[str, Faces], dict[str, str]]:
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
    # WIDER FACE has boxes without an area, which no box can overlap.
    invalid = np.array([bool(row.get("invalid", 0)) for row in rows], bool) | (boxes[:, 2:] <= 0).any(axis=1)
    boxes[:, 2:] += boxes[:, :2]
    return Truth(boxes[~invalid], boxes[invalid])


def _ap(done: Outcomes, weights: NDArray[np.float64]) -> Estimate:
    return _estimate(area(done, np.ones((1, len(done.total)))), area(done, weights), len(done.total))


def _estimate(value: NDArray[np.float64], drawn: NDArray[np.float64], photos: int) -> Estimate:
    drawn = drawn[np.isfinite(drawn)]
    return (
        bootstrap.estimate(float(value[0]), drawn) if len(drawn) and photos > 1 else bootstrap.unknown(float(value[0]))
    )


def _ratio(part: NDArray[np.intp], whole: NDArray[np.intp], weights: NDArray[np.float64]) -> Estimate:
    total = weights @ whole
    drawn = (weights @ part)[total > 0] / total[total > 0]
    value = float(part.sum() / whole.sum()) if whole.sum() else np.nan
    return bootstrap.estimate(value, drawn) if len(drawn) and len(whole) > 1 else bootstrap.unknown(value)
