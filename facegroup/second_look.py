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

from facegroup.boxes import clip
from facegroup.types import Faces, Floats, Image

SURE = 0.97
"""A photo whose best face is below this is looked at turned. Of upright photos 1 % are, of turned ones 80 %."""

SUSPECT = 0.995
"""A best face below this is asked which way up it is. Of upright photos of LFW 9 % are."""

LEAST = 0.9
"""The confidence of a face that only another look found."""

MORE = 1.0
"""Log-odds that the best face of another look must have more than that of the first. Of 1,500 upright photos none was turned
wrongly then, and two at 0.9; of 500 turned ones twelve kept a face that is not upright."""

CLOSE = 1.6
"""Log-odds by which the best look must lead those another way up; else which is upright is not known. Of upright photos
0.5 % are told so."""

_MARGIN = 0.5
_GREY = (127, 127, 127)
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
    best = list(firsts)
    seen = [[first] for first in firsts]
    again: list[tuple[int, Look]] = []
    for index, (first, wanted) in enumerate(zip(firsts, _ways_up(firsts, must_be_upright, turns), strict=True)):
        if not len(first.faces):
            again += [(index, look) for look in (_bordered(first, 0, 2.9), *_turned(first))]
        elif first.faces.confidence.max() < SURE:
            again += [(index, look) for look in _turned(first)]
        elif wanted:
            again.append((index, _turn(first, wanted, 1)))
    _keep(best, seen, again, detect)
    third: list[tuple[int, Look]] = []
    for index, (first, look) in enumerate(zip(firsts, best, strict=True)):
        if not len(look.faces):
            third += [(index, _bordered(first, turned, 4)) for turned in (1, 2, 3)]
        elif look.turns and look.smallest > first.smallest and min(first.inside) >= _SMALL * first.smallest:
            third.append((index, _turn(first, look.turns, 1)))
    _keep(best, seen, third, detect)
    return [replace(look, upright=_clear(look, others)) for look, others in zip(best, seen, strict=True)]


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


def _ways_up(firsts: Sequence[Look], must_be_upright: Sequence[bool], turns: Turns) -> list[int]:
    """Return how many quarters counter-clockwise would make each picture's best face upright, by its own look."""
    asked = [
        replace(
            first,
            faces=_best(first.faces) if every or first.faces.confidence.max(initial=0) < SUSPECT else Faces.none(),
        )
        for first, every in zip(firsts, must_be_upright, strict=True)
    ]
    return [int(np.argmax(odds[0])) if len(odds) else 0 for odds in turns(asked)]


def _keep(best: list[Look], seen: list[list[Look]], looks: Sequence[tuple[int, Look]], detect: Detect) -> None:
    """Put looks in the place of those that found less, and beside all that were taken of the same picture."""
    for (index, _), look in zip(looks, detect([look for _, look in looks]), strict=True):
        first, held = seen[index][0], best[index]
        if not len(first.faces) and look.faces.confidence.max(initial=0) < LEAST:
            continue
        same = (look.turns, look.edge) == (
            held.turns,
            held.edge,
        )  # and closer: it finds smaller faces beside the others
        if _found(look) - _found(held) > (-MORE if same else MORE if held is first else 0):
            best[index] = look
        seen[index].append(look)


def _clear(best: Look, seen: Sequence[Look]) -> bool:
    others = (look for look in seen if look.turns != best.turns)
    return not len(best.faces) or all(_found(best) - _found(look) > CLOSE for look in others)


def _found(look: Look) -> float:
    """Return the log-odds of a look's best face, 0 for none. Many false faces would together outweigh a true one."""
    best = min(float(look.faces.confidence.max(initial=0.5)), 0.9999)
    return math.log(best / (1 - best))


def _best(faces: Faces) -> Faces:
    return faces[[int(np.argmax(faces.confidence))]] if len(faces) else faces


def _turned(first: Look) -> list[Look]:
    return [_turn(first, turns, 2) for turns in (1, 2, 3)]


def _turn(first: Look, turns: int, larger: float) -> Look:
    return Look(np.ascontiguousarray(np.rot90(first.image, turns)), round(first.smallest * larger), turns)


def _bordered(first: Look, turns: int, larger: float) -> Look:
    """Return a look at a picture that one face fills, with a border in which the rest of it may lie."""
    side = min(first.inside)
    edge = round(_MARGIN * side)
    turned = np.ascontiguousarray(np.rot90(first.image, turns))
    wide = cv2.copyMakeBorder(turned, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=_GREY)
    return Look(np.asarray(wide), max(round(0.7 * side), round(larger * first.smallest)), turns, edge)
