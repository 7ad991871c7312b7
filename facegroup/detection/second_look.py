"""Another look at a photo in which no face was found, or only doubtful ones: turned, or with a border around it.

MTCNN finds upright faces with something around them. A photo that lies on its side or its head, and a crop that ends
inside the face, hide theirs. All looks of a photo together cost at most twice the first: what a look costs is its pixels
divided by the square of the smallest face looked for. docs/decisions/0019-second-looks.md has the measurements.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from facegroup.detection.boxes import clip, overlap
from facegroup.types import Faces, Floats, Image

SURE = 0.95
"""A photo whose best face is below this is looked at turned: that may be no face, and a larger one may lie."""

SUSPECT = 0.995
"""A best face below this is asked which way up it is. Of upright photos of LFW 9 % are."""

LEAST = 0.9
"""The confidence of a face that only another look found."""

MORE = 2.5
"""Log-odds that the best face of another look must have more than that of the first: most photos are upright. At 1.0 a photo
of an upright face with paint on it was turned."""

CLOSE = 1.6
"""Log-odds by which the best look must lead those another way up; else which is upright is not known."""

SAME = 0.2
"""Share of two boxes that one face has in two looks."""

LARGER = 2
"""Areas of the first look's face that another face has at least."""

_MARGIN = 0.5
_GREY = (127, 127, 127)
_SOMEWHAT = 0.6
"""Of the side of a face that says that it lies: how large a face is looked for that other way up, which costs little."""
_SMALL = 8
"""A photo with so few smallest faces across its shorter side is not looked at a third time."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One look at a picture, and what it found.

    Attributes:
        image: (h, w, 3) uint8 RGB, the picture as it was looked at.
        smallest: face looked for, in pixels.
        turns: quarters that the picture was turned counter-clockwise.
        edge: width of the border around it, in pixels.
        faces: in pixels of `image`.
        upright: whether no other way up looks nearly as right.
    """

    image: Image
    smallest: int
    turns: int = 0
    edge: int = 0
    faces: Faces = field(default_factory=Faces.none)
    upright: bool = True

    @property
    def clockwise(self) -> int:
        """Degrees that the picture had to be turned clockwise."""
        return -90 * self.turns % 360

    @property
    def inside(self) -> tuple[int, int]:
        """Width and height of the turned picture without its border."""
        height, width = self.image.shape[:2]
        return width - 2 * self.edge, height - 2 * self.edge


Detect = Callable[[Sequence[Look]], list[Look]]
"""What fills in the faces of looks, the sure ones only."""

Turns = Callable[[Sequence[Look]], list[Floats]]
"""What says how much like a face each face of a look is, (n, 4), with 0 to 3 quarters more counter-clockwise."""


def better(firsts: Sequence[Look], must_be_upright: Sequence[bool], detect: Detect, turns: Turns) -> list[Look]:
    """Return for each picture the look that found the most, which is the first one unless it is doubtful.

    Args:
        firsts: the pictures as they are, with the sure faces that were found.
        must_be_upright: whether the best face is asked which way up it is in any case, and not only if suspect.
        detect: finds faces.
        turns: asks them.
    """
    asked = [
        upright or first.faces.confidence.max(initial=0) < SUSPECT
        for first, upright in zip(firsts, must_be_upright, strict=True)
    ]
    lying = _ways_up(firsts, asked, turns)
    looks = _Looks(firsts, detect, turns)
    again: list[tuple[int, Look]] = []
    for index, (first, lies) in enumerate(zip(firsts, lying, strict=True)):
        if not len(first.faces):
            again.append((index, _bordered(first, 0, 2.9)))
            again += [(index, _turn(first, each, 2 * first.smallest)) for each in (1, 2, 3)]
        elif lies:
            again.append((index, _turn(first, lies, max(first.smallest, round(_SOMEWHAT * _side(first))))))
        elif first.faces.confidence.max() < SURE:
            again += [(index, _turn(first, each, max(2 * first.smallest, round(_side(first))))) for each in (1, 2, 3)]
    looks.take(again)
    third: list[tuple[int, Look]] = []
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


def left_to_right(look: Look) -> Look:
    """Return the look with its faces in the order in which they stand in the picture before it was turned."""
    if not look.turns:
        return look
    boxes = in_picture(look).boxes
    return replace(look, faces=look.faces[np.argsort(boxes[:, 0] + boxes[:, 2], kind="stable")])


def in_turned_picture(look: Look) -> Faces:
    """Return the faces of a look in pixels of the turned picture, without its border."""
    faces = look.faces
    if not look.edge:
        return faces
    return Faces(clip(faces.boxes - look.edge, *look.inside), faces.landmarks - look.edge, faces.confidence)


def in_picture(look: Look) -> Faces:
    """Return the faces of a look in pixels of the picture as it was before it was turned, in the same order."""
    faces = in_turned_picture(look)
    boxes, points = faces.boxes, faces.landmarks
    width, height = look.inside
    for _ in range(look.turns):
        boxes = np.stack([height - 1 - boxes[:, 3], boxes[:, 0], height - 1 - boxes[:, 1], boxes[:, 2]], axis=1)
        points = np.stack([height - 1 - points[..., 1], points[..., 0]], axis=-1)
        width, height = height, width
    return Faces(boxes, points, faces.confidence)


def _ways_up(looks: Sequence[Look], asked: Sequence[bool], turns: Turns) -> list[int]:
    """Return how many quarters counter-clockwise would make the best face of each look upright, by its own look.

    0 where there is none, or it is not asked.
    """
    some = [
        replace(look, faces=_best(look.faces) if each else Faces.none())
        for look, each in zip(looks, asked, strict=True)
    ]
    return [int(np.argmax(odds[0])) if len(odds) else 0 for odds in turns(some)]


class _Looks:
    """The looks that were taken of each picture, and the best of them.

    Args:
        firsts: see `better`.
        detect: see `better`.
        turns: see `better`.
    """

    def __init__(self, firsts: Sequence[Look], detect: Detect, turns: Turns) -> None:
        self.best = list(firsts)
        self._seen = [[first] for first in firsts]
        self._detect = detect
        self._turns = turns

    def take(self, looks: Sequence[tuple[int, Look]]) -> None:
        """Look at pictures, each told by its number. A face that itself says that it lies does not count."""
        found = self._detect([look for _, look in looks])
        lying = _ways_up(found, [True] * len(found), self._turns)
        for (index, _), look, lies in zip(looks, found, lying, strict=True):
            first, held = self._seen[index][0], self.best[index]
            if (lies and look.turns) or not _counts(look, first):
                continue
            # The same once more is closer: it finds smaller faces beside the others.
            closer = (look.turns, look.edge) == (held.turns, held.edge)
            if _found(look) - _found(held) > (-MORE if closer else MORE if held is first and len(first.faces) else 0):
                self.best[index] = look
            self._seen[index].append(look)

    def leads(self, index: int) -> bool:
        """Say whether no other way up is nearly as good as the best look at a picture."""
        best = self.best[index]
        others = (look for look in self._seen[index] if look.turns != best.turns)
        return all(_found(best) - _found(look) >= CLOSE for look in others)


def _counts(look: Look, first: Look) -> bool:
    """Say whether what a look found may be true.

    Where the first look found nobody, it must be sure. Else it must be the face that the first one found, or a larger one,
    of which that was a part or which it overlooked: small false faces are found in many places of a photo.
    """
    if not len(look.faces) or not len(first.faces):
        return bool(look.faces.confidence.max(initial=0) >= LEAST)
    there = in_picture(replace(look, faces=_best(look.faces))).boxes
    here = _best(first.faces).boxes
    return overlap(there, here).item() > SAME or _area(there) > LARGER * _area(here)


def _area(boxes: Floats) -> float:
    return float(np.prod(boxes[0, 2:] - boxes[0, :2]))


def _found(look: Look) -> float:
    """Return the log-odds of a look's best face, 0 for none. Many false faces would together outweigh a true one."""
    return _odds(look.faces.confidence.max(initial=0.5))


def _odds(probability: float) -> float:
    sure = min(float(probability), 0.9999)
    return math.log(sure / (1 - sure))


def _best(faces: Faces) -> Faces:
    return faces[[int(np.argmax(faces.confidence))]] if len(faces) else faces


def _turn(first: Look, turns: int, smallest: int) -> Look:
    return Look(np.ascontiguousarray(np.rot90(first.image, turns)), smallest, turns)


def _side(first: Look) -> float:
    return math.sqrt(max(_area(_best(first.faces).boxes), 0))


def _bordered(first: Look, turns: int, larger: float) -> Look:
    """Return a look at a picture that one face fills, with a border in which the rest of it may lie."""
    side = min(first.inside)
    edge = round(_MARGIN * side)
    turned = np.ascontiguousarray(np.rot90(first.image, turns))
    wide = cv2.copyMakeBorder(turned, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=_GREY)
    return Look(np.asarray(wide), max(round(0.7 * side), round(larger * first.smallest)), turns, edge)
