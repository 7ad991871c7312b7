"""Detect again, turned or with a border, in photos in which no face or only doubtful faces were found.

MTCNN finds upright faces with some background around them. It misses faces in a photo that is not upright, and in a crop
that ends inside the face. All further passes over a photo together cost at most twice the first. The cost of a pass is its
pixels divided by the square of the smallest face it searches for. docs/decisions/0019-second-looks.md has the measurements.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from facegroup.detection.boxes import clip, overlap
from facegroup.detection.detector import MTCNN_SCALE, ConfidenceScale
from facegroup.types import Faces, Floats, Image

SURE = 0.95
"""A photo whose best face is less confident than this is searched turned, for a larger face that is not upright. All limits
here are on MTCNN's scale, with which the `ConfidenceScale` of another detector compares its own."""

SUSPECT = 0.995
"""The orientation of a best face less confident than this is checked. In LFW, 9 % of upright photos are."""

LEAST = 0.9
"""Least confidence of a face that only a further pass found."""

SAME = 0.2
"""Overlap above which boxes of two passes are the same face."""

LARGER = 2
"""Factor by which another face must be larger in area than the face of the first pass."""

_MARGIN = 0.5
_GREY = (127, 127, 127)
_SOMEWHAT = 0.6
"""Smallest face to search for in the other orientation, as a fraction of the side of the face that is not upright."""
_SMALL = 8
"""A photo whose shorter side is below this many smallest faces is not searched a third time."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionPass:
    """One pass of the detector over a picture, and the faces it found.

    Attributes:
        image: (h, w, 3) uint8 RGB, the turned and bordered picture.
        smallest: smallest face to detect, in pixels.
        turns: quarter turns counter-clockwise that were applied to the picture.
        edge: width of the border around it, in pixels.
        faces: the faces in pixels of `image`.
        upright: whether no other orientation scores nearly as well.
    """

    image: Image
    smallest: int
    turns: int = 0
    edge: int = 0
    faces: Faces = field(default_factory=Faces.none)
    upright: bool = True

    @property
    def clockwise(self) -> int:
        """The clockwise rotation that was applied to the picture, in degrees."""
        return -90 * self.turns % 360

    @property
    def inside(self) -> tuple[int, int]:
        """The width and height of the turned picture without its border."""
        height, width = self.image.shape[:2]
        return width - 2 * self.edge, height - 2 * self.edge


Detect = Callable[[Sequence[DetectionPass]], list[DetectionPass]]
"""Function that fills in the faces of passes, without unsure ones."""

Turns = Callable[[Sequence[DetectionPass]], list[Floats]]
"""Function that returns the score of each face of a pass, (n, 4), after 0 to 3 more quarter turns counter-clockwise."""


def best_passes(
    firsts: Sequence[DetectionPass],
    must_be_upright: Sequence[bool],
    detect: Detect,
    turns: Turns,
    scale: ConfidenceScale = MTCNN_SCALE,
) -> list[DetectionPass]:
    """Return the best pass for each picture: the first one, unless a further pass beats it.

    Args:
        firsts: the passes over the unturned pictures, with their faces.
        must_be_upright: whether to check the orientation of the best face even if it is not suspect.
        detect: detects faces.
        turns: scores faces in each orientation.
        scale: what the detector's confidence means. MTCNN's lead is 2.5 because most photos are upright: at 1.0, a photo of
            an upright face with paint on it was turned.
    """
    asked = [
        upright or scale.certainty(first.faces.confidence).max(initial=0) < SUSPECT
        for first, upright in zip(firsts, must_be_upright, strict=True)
    ]
    lying = _ways_up(firsts, asked, turns)
    looks = _Passes(firsts, detect, turns, scale)
    again: list[tuple[int, DetectionPass]] = []
    for index, (first, lies) in enumerate(zip(firsts, lying, strict=True)):
        if not len(first.faces):
            again.append((index, _bordered(first, 0, 2.9)))
            again += [(index, _turn(first, each, 2 * first.smallest)) for each in (1, 2, 3)]
        elif lies:
            again.append((index, _turn(first, lies, max(first.smallest, round(_SOMEWHAT * _side(first))))))
        elif scale.certainty(first.faces.confidence).max() < SURE:
            again += [(index, _turn(first, each, max(2 * first.smallest, round(_side(first))))) for each in (1, 2, 3)]
    looks.take(again)
    third: list[tuple[int, DetectionPass]] = []
    for index, (first, look) in enumerate(zip(firsts, looks.best, strict=True)):
        if not len(look.faces):
            third += [(index, _bordered(first, turned, 4)) for turned in (1, 2, 3)]
        elif look.turns and look.smallest > first.smallest and min(first.inside) >= _SMALL * first.smallest:
            third.append((index, _turn(first, look.turns, first.smallest)))
    looks.take(third)
    return [
        replace(look, upright=looks.leads(index) and not (lies and look is first))
        for index, (look, first, lies) in enumerate(zip(looks.best, firsts, lying, strict=True))
    ]


def left_to_right(look: DetectionPass) -> DetectionPass:
    """Return the pass with its faces ordered from left to right in the unturned picture."""
    if not look.turns:
        return look
    boxes = in_picture(look).boxes
    return replace(look, faces=look.faces[np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")])


def in_turned_picture(look: DetectionPass) -> Faces:
    """Return the faces of a pass in pixels of the turned picture without its border."""
    faces = look.faces
    if not look.edge:
        return faces
    return Faces(clip(faces.boxes - look.edge, *look.inside), faces.landmarks - look.edge, faces.confidence)


def in_picture(look: DetectionPass) -> Faces:
    """Return the faces of a pass in pixels of the unturned picture, in the same order."""
    faces = in_turned_picture(look)
    boxes, points = faces.boxes, faces.landmarks
    width, height = look.inside
    for _ in range(look.turns):
        boxes = np.stack([height - 1 - boxes[:, 3], boxes[:, 0], height - 1 - boxes[:, 1], boxes[:, 2]], axis=1)
        points = np.stack([height - 1 - points[..., 1], points[..., 0]], axis=-1)
        width, height = height, width
    return Faces(boxes, points, faces.confidence)


def _ways_up(looks: Sequence[DetectionPass], asked: Sequence[bool], turns: Turns) -> list[int]:
    """Return how many quarter turns counter-clockwise would make the best face of each pass upright, by its scores.

    0 if the pass has no face, or is not asked.
    """
    some = [
        replace(look, faces=_best(look.faces) if each else Faces.none())
        for look, each in zip(looks, asked, strict=True)
    ]
    return [int(np.argmax(odds[0])) if len(odds) else 0 for odds in turns(some)]


class _Passes:
    """The passes over each picture, and the best of them.

    Args:
        firsts: see `best_passes`.
        detect: see `best_passes`.
        turns: see `best_passes`.
        scale: see `best_passes`.
    """

    def __init__(self, firsts: Sequence[DetectionPass], detect: Detect, turns: Turns, scale: ConfidenceScale) -> None:
        self.best = list(firsts)
        self._seen = [[first] for first in firsts]
        self._detect = detect
        self._turns = turns
        self._scale = scale

    def take(self, looks: Sequence[tuple[int, DetectionPass]]) -> None:
        """Run further passes, each with the number of its picture. Faces that are not upright in them do not count."""
        found = self._detect([look for _, look in looks])
        lying = _ways_up(found, [True] * len(found), self._turns)
        for (index, _), look, lies in zip(looks, found, lying, strict=True):
            first, held = self._seen[index][0], self.best[index]
            if (lies and look.turns) or not self._counts(look, first):
                continue
            # A repeated pass searches for smaller faces too.
            closer = (look.turns, look.edge) == (held.turns, held.edge)
            lead = self._scale.lead
            needed = -lead if closer else lead if held is first and len(first.faces) else 0
            if self._found(look) - self._found(held) > needed:
                self.best[index] = look
            self._seen[index].append(look)

    def leads(self, index: int) -> bool:
        """Return whether no other orientation of a picture scores nearly as well as the best pass."""
        best = self.best[index]
        others = (look for look in self._seen[index] if look.turns != best.turns)
        return all(self._found(best) - self._found(look) >= self._scale.close for look in others)

    def _counts(self, look: DetectionPass, first: DetectionPass) -> bool:
        """Return whether the faces of a further pass are plausible.

        If the first pass found no face, the new one must be confident. Otherwise it must be the same face, or a larger one
        that the first pass missed or found only a part of: photos have small false faces in many places.
        """
        if not len(look.faces) or not len(first.faces):
            return bool(self._scale.certainty(look.faces.confidence).max(initial=0) >= LEAST)
        there = in_picture(replace(look, faces=_best(look.faces))).boxes
        here = _best(first.faces).boxes
        return overlap(there, here).item() > SAME or _area(there) > LARGER * _area(here)

    def _found(self, look: DetectionPass) -> float:
        """Return the log-odds of a pass's best face, 0 for none. A sum would let many false faces outweigh a true one."""
        return _odds(self._scale.certainty(look.faces.confidence).max(initial=0.5))


def _area(boxes: Floats) -> float:
    return float(np.prod(boxes[0, 2:] - boxes[0, :2]))


def _odds(probability: float) -> float:
    sure = min(float(probability), 0.9999)
    return math.log(sure / (1 - sure))


def _best(faces: Faces) -> Faces:
    return faces[[int(np.argmax(faces.confidence))]] if len(faces) else faces


def _turn(first: DetectionPass, turns: int, smallest: int) -> DetectionPass:
    return DetectionPass(np.ascontiguousarray(np.rot90(first.image, turns)), smallest, turns)


def _side(first: DetectionPass) -> float:
    return math.sqrt(max(_area(_best(first.faces).boxes), 0))


def _bordered(first: DetectionPass, turns: int, larger: float) -> DetectionPass:
    """Return a pass over a picture that one face fills, with a border around it for the rest of the face."""
    side = min(first.inside)
    edge = round(_MARGIN * side)
    turned = np.ascontiguousarray(np.rot90(first.image, turns))
    wide = cv2.copyMakeBorder(turned, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=_GREY)
    return DetectionPass(np.asarray(wide), max(round(0.7 * side), round(larger * first.smallest)), turns, edge)
