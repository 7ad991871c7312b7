"""Compare the product's answers on group pictures with the truth, face by face.

People are enrolled and photos identified by a `Recognizer` with a store of its own, under the usual rules: a person is named
once per image, and an enrolment photo must have one face. A detected face is assigned to the true face with the largest
intersection over union.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facegroup.detection.boxes import overlap
from facegroup.errors import FacegroupError, NoFace
from facegroup.evaluation.descriptors import ABSENT, UNREADABLE
from facegroup.evaluation.group_truth import Enrolled, Group, Pictured
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult
from facegroup.recognizer import Recognizer
from facegroup.settings import Settings
from facegroup.types import Floats, Match

GALLERY = "evaluation"
LEAST = 0.5
"""Least intersection over union of a detected and a true box."""

CORRECT, WRONG, MISSED, UNFOUND = "correct name", "wrong name", "missed member", "member not found"
NAMED, REJECTED, UNFOUND_STRANGER = "stranger named", "stranger rejected", "stranger not found"
OUTCOMES = (CORRECT, REJECTED, MISSED, WRONG, NAMED, UNFOUND, UNFOUND_STRANGER)
BESIDE_NAMED, BESIDE = "no face, named", "no face, rejected"
"""Outcomes of a detected box that is on no true face."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one face.

    Attributes:
        file: the photo.
        box: x, y, width and height of the true face, or of the detected one if there is no true face.
        person: the true person, or None for a stranger or no face.
        outcome: one of `OUTCOMES`, `BESIDE_NAMED` or `BESIDE`.
        named: the named person, or None.
        similarity: similarity to the named person or the best candidate; None if no face was found.
    """

    file: str
    box: tuple[float, ...]
    person: str | None
    outcome: str
    named: str | None
    similarity: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The answers of one network.

    Attributes:
        network: its name.
        precision: its numerical precision.
        threshold: the threshold that was used.
        decisions: the decision on every face.
        refused: error code of each refused enrolment photo.
        unenrolled: people without an enrolled photo (failures to enrol); their faces count as missed.
        failed: error code of each photo that cannot be used; its faces count as not found.
        known: photos that are also enrolled, and therefore not searched with.
    """

    network: str
    precision: str
    threshold: float
    decisions: tuple[Decision, ...]
    refused: Mapping[str, str]
    unenrolled: tuple[str, ...]
    failed: Mapping[str, str]
    known: tuple[str, ...]

    def count(self, *outcomes: str) -> int:
        """Return the number of faces with these outcomes."""
        return sum(each.outcome in outcomes for each in self.decisions)


def measure(
    folder: Path,
    group: Group,
    settings: Settings,
    threshold: float | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Run:
    """Enrol the people, identify the photos below a folder, and compare with the truth."""
    with tempfile.TemporaryDirectory() as place:
        ours = settings.model_copy(update={"store": f"sqlite:///{place}/gallery.db"})
        with Recognizer(ours, "evaluation") as recognizer:
            own = recognizer.new_gallery(GALLERY).threshold
            return _measured(recognizer, folder, group, own if threshold is None else threshold, told)


def _measured(recognizer: Recognizer, folder: Path, group: Group, threshold: float, told: Callable[[int], None]) -> Run:
    refused: dict[str, str] = {}
    ids, taken, unenrolled = {}, set(), []
    done = 0
    for name, files in group.enrol.items():
        ids[name] = recognizer.store.create_person(GALLERY, name).id
        good = 0
        for each in files:
            code, key = _enrol(recognizer, folder, each, ids[name])
            taken.add(key)
            good += not code
            if code:
                refused[f"{name}: {each.file}"] = code
            told(done := done + 1)
        if not good:
            unenrolled.append(name)
    decisions: list[Decision] = []
    failed, known = {}, []
    for file, truth in group.photos.items():
        data = _read(folder / file)
        if isinstance(data, bytes) and hashlib.sha256(data).hexdigest() in taken:
            known.append(file)
        else:
            seen = _seen(recognizer, data, threshold)
            if isinstance(seen, str):
                failed[file] = seen
            decisions += decide(file, truth, seen, {key: name for name, key in ids.items()})
        told(done := done + 1)
    network, precision = recognizer.spec.name, recognizer.settings.embedder.precision
    return Run(network, precision, threshold, tuple(decisions), refused, tuple(unenrolled), failed, tuple(known))


def decide(file: str, truth: Pictured, seen: PhotoResult | str, names: Mapping[str, str]) -> Iterator[Decision]:
    """Compare the answers on one photo with the truth.

    Args:
        file: the photo.
        truth: the people in it.
        seen: the answers, or an error code if it cannot be used.
        names: the name in the truth for each person id.
    """
    matches: tuple[Match, ...] = ()
    boxes: Floats = np.empty((0, 4), np.float32)
    if isinstance(seen, PhotoResult):
        assert isinstance(seen.matched, PhotoMatches)
        matches, boxes = seen.matched.matches, seen.faces.boxes
    pairs = paired(truth.boxes, boxes)
    for place, (box, person) in enumerate(zip(truth.boxes, truth.people, strict=True)):
        if place not in pairs:
            yield Decision(file, _corner(box), person, UNFOUND if person else UNFOUND_STRANGER, None, None)
            continue
        match = matches[pairs[place]]
        named = None if match.person_id is None else names[match.person_id]
        if person is None:
            outcome = NAMED if named else REJECTED
        else:
            outcome = MISSED if named is None else CORRECT if named == person else WRONG
        yield Decision(file, _corner(box), person, outcome, named, match.similarity)
    beside = overlap(boxes, truth.ignored).max(axis=1, initial=0) >= LEAST
    for place in sorted(set(range(len(boxes))) - set(pairs.values())):
        if not beside[place]:
            named = names.get(matches[place].person_id or "")
            outcome = BESIDE_NAMED if named else BESIDE
            yield Decision(file, _corner(boxes[place]), None, outcome, named, matches[place].similarity)


def paired(truth: Floats, found: Floats) -> dict[int, int]:
    """Assign detected boxes to true boxes, the pairs with the largest intersection over union first."""
    shared = overlap(truth, found)
    pairs: dict[int, int] = {}
    for flat in np.argsort(-shared, axis=None, kind="stable").tolist():
        one, other = divmod(flat, len(found))
        if shared[one, other] < LEAST:
            break
        if one not in pairs and other not in pairs.values():
            pairs[one] = other
    return pairs


def _enrol(recognizer: Recognizer, folder: Path, wanted: Enrolled, person: str) -> tuple[str, str]:
    """Enrol a photo. Return the error code, empty if it was enrolled, and its sha256."""
    data = _read(folder / wanted.file)
    if isinstance(data, str):
        return data, ""
    face = None
    if wanted.box is not None:
        (seen,) = recognizer.see([Photo(data, embed=False, liveness=False)])
        if isinstance(seen, FacegroupError):
            return seen.code, ""
        face = paired(wanted.box[None], seen.faces.boxes).get(0)
        if face is None:
            return NoFace.code, ""
    made = recognizer.enrol(GALLERY, [(wanted.file, data)], person, face)
    return (made.refused[0].error.code if made.refused else ""), hashlib.sha256(data).hexdigest()


def _seen(recognizer: Recognizer, data: bytes | str, threshold: float) -> PhotoResult | str:
    if isinstance(data, str):
        return data
    (seen,) = recognizer.identify([data], GALLERY, threshold)
    if isinstance(seen, FacegroupError):
        return seen.code
    if isinstance(seen.matched, FacegroupError):
        raise seen.matched
    return seen


def _read(path: Path) -> bytes | str:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return ABSENT
    except (OSError, ValueError):
        return UNREADABLE


def _corner(box: Floats) -> tuple[float, ...]:
    left, top, right, bottom = box.tolist()
    return tuple(round(value, 1) for value in (left, top, right - left, bottom - top))
