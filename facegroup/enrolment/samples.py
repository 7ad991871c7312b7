"""What was seen in a photo → a sample of one person, or the reason why not. The same rule for every way in."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facegroup.errors import (
    FacegroupError,
    InvalidDescriptor,
    LooksLike,
    LooksLikeOwn,
    MalformedRequest,
    MultipleFaces,
    NoFace,
    NotLive,
    NotUpright,
    UnlikeOwn,
)
from facegroup.networks.embedder import failed
from facegroup.pipeline import quality_policies
from facegroup.pipeline.messages import PhotoResult
from facegroup.store.contract import Enrolled
from facegroup.types import Candidate, FaceChoice, Faces, Policy, Sample

SMALLER = 0.4
"""A face whose shorter side is at most this share of the largest face's is far smaller: somebody in the background."""

DOUBTFUL = 0.9
"""A face below this confidence may be none: it is no reason to refuse a photo whose largest face is surer."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A photo that was not enrolled, and why."""

    name: str
    error: FacegroupError


@dataclass(frozen=True, slots=True)
class Doubt:
    """A photo that was enrolled though it may show somebody else, or was not upright.

    See `facegroup.enrolment.doubts`, `facegroup.enrolment.counter_examples` and `facegroup.detection.second_look`.

    Attributes:
        name: of the photo.
        error: what a strict request would have refused it with.
        own_similarity: to the person's other photos; None where there are none.
        looks_like: the person whom it is more like, where that is what is wrong.
    """

    name: str
    error: LooksLike | UnlikeOwn | LooksLikeOwn | NotUpright
    own_similarity: float | None
    looks_like: Candidate | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A photo with several faces, of which one was enrolled.

    Attributes:
        name: of the photo.
        face: number of the face that was taken, counted from 0 from left to right.
        faces: how many were found.
    """

    name: str
    face: int
    faces: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What became of the photos of one person.

    Attributes:
        enrolled: what the store did with the good ones.
        refused: the others.
        photos: name of each good photo and the id of its sample, as they came; two may have one name.
        doubts: those of the good photos that may show somebody else, or were not upright.
        chosen: those of the good photos with several faces, where the choice was ``largest`` or ``dominant``.
    """

    enrolled: Enrolled
    refused: tuple[Refused, ...]
    photos: tuple[tuple[str, str], ...]
    doubts: tuple[Doubt, ...] = ()
    chosen: tuple[Chosen, ...] = ()


def sample(
    photo: bytes,
    seen: PhotoResult | FacegroupError,
    face: FaceChoice | None = None,
    policy: Policy = "off",
    strict: bool = False,
    *,
    live: bool = False,
) -> Sample:
    """Return the sample that a photo gives.

    Args:
        photo: the file's bytes, of which the sha256 is the sample's id.
        seen: what the pipeline found in it, with descriptors and crops; its error is raised.
        face: which face is meant; None: there must be exactly one.
        policy: that the face must meet.
        strict: whether it must be upright beyond doubt.
        live: whether it must be live.

    Raises:
        NoFace: there is none.
        MultipleFaces: there are several and `face` is None, or ``dominant`` and two are alike in size.
        MalformedRequest: there is no face of that number.
        NotUpright: it may lie, and `strict` is set.
        PoorQuality: it does not meet the policy.
        NotLive: it is not live, or too small to tell.
    """
    index = only_face(seen, face)
    assert not isinstance(seen, FacegroupError)
    if strict and not seen.upright:
        raise NotUpright(_UNSURE)
    assert seen.descriptors is not None
    quality_policies.check(seen.quality, seen.certainty, index, policy)
    if live:
        check_live(seen, index)
    descriptor = seen.descriptors[index]
    if failed(descriptor[None])[0]:
        raise InvalidDescriptor("the network returns no usable descriptor for this face; send another photo")
    crop = seen.crops[index] if seen.crops else None
    return Sample(hashlib.sha256(photo).hexdigest(), descriptor, crop, detector=seen.detector)


def only_face(seen: PhotoResult | FacegroupError, face: FaceChoice | None = None, option: str = "face") -> int:
    """Return the index of the face that is meant; see `sample` for what is raised. `option` is where a caller says it."""
    if isinstance(seen, FacegroupError):
        raise seen
    count = len(seen.faces)
    if count == 0:
        raise NoFace(
            "no face was found in the photo, neither as it is nor turned nor with a border around it; send a photo in "
            "which the face is larger, sharper, or seen from the front"
        )
    if face is None or isinstance(face, str):
        first = _largest(seen.faces)
        if count > 1 and (face is None or (face == "dominant" and not _dominates(seen, first))):
            raise MultipleFaces(
                f"{count} faces were found in the photo; send one with a single face, or say which one you mean with "
                f"{option}=0…{count - 1}, counted from left to right, or {option}=largest"
            )
        return first
    if not 0 <= face < count:
        raise MalformedRequest(
            f"there is no face {face}: {count} were found in the photo, counted from 0, left to right"
        )
    return face


def check_live(seen: PhotoResult, face: int) -> None:
    """Raise `NotLive` if a face of a photo is not live, or if that was not scored."""
    liveness = seen.liveness
    if liveness is not None and liveness.live[face]:
        return
    score = None if liveness is None else liveness.score(face)
    if score is None:
        raise NotLive("the face is too small to tell whether it is live; send a photo in which it is larger")
    raise NotLive(
        f"the face is not live (score {score:.2f}): it looks like a print or a screen; send a photo of the person "
        "themselves, as the camera took it"
    )


def chosen(
    photos: Sequence[tuple[str, bytes]],
    seen: Sequence[PhotoResult | FacegroupError],
    face: FaceChoice | None,
    named: Sequence[tuple[str, str]],
) -> tuple[Chosen, ...]:
    """Return which face was taken of each enrolled photo that shows several, where `face` left that to the program.

    Args:
        photos: name and bytes of each.
        seen: what was found in each.
        face: what the caller asked for.
        named: name and sample id of each photo that was enrolled.
    """
    if not isinstance(face, str):
        return ()
    enrolled = {name for name, _ in named}
    return tuple(
        Chosen(name, only_face(each, face), len(each.faces))
        for (name, _), each in zip(photos, seen, strict=True)
        if name in enrolled and isinstance(each, PhotoResult) and len(each.faces) > 1
    )


def _largest(faces: Faces) -> int:
    return int(np.argmax(np.prod(faces.boxes[:, 2:] - faces.boxes[:, :2], axis=1)))


def _dominates(seen: PhotoResult, first: int) -> bool:
    """Return whether every other face is far smaller than the `first`, or doubtful where the first is not."""
    faces, certainty = seen.faces, seen.certainty
    sides = (faces.boxes[:, 2:] - faces.boxes[:, :2]).min(axis=1)
    small = sides <= SMALLER * sides[first]
    unsure = (certainty < DOUBTFUL) & (certainty[first] >= DOUBTFUL)
    return bool(np.delete(small | unsure, first).all())


def samples(
    photos: Sequence[tuple[str, bytes]],
    seen: Sequence[PhotoResult | FacegroupError],
    face: FaceChoice | None = None,
    policy: Policy = "off",
    strict: bool = False,
    *,
    live: bool = False,
) -> tuple[list[Sample], tuple[Refused, ...], tuple[tuple[str, str], ...]]:
    """Return the samples that some named photos give, the refused ones, and name and sample id of each good one."""
    return collect(photos, seen, lambda data, each: sample(data, each, face, policy, strict, live=live))


def collect(
    photos: Sequence[tuple[str, bytes]],
    seen: Sequence[PhotoResult | FacegroupError],
    make: Callable[[bytes, PhotoResult | FacegroupError], Sample],
) -> tuple[list[Sample], tuple[Refused, ...], tuple[tuple[str, str], ...]]:
    """Return what `make` gives of some named photos, the refused ones, and name and sample id of each good one.

    Args:
        photos: name and bytes of each.
        seen: what the pipeline found in each.
        make: returns the sample of a photo, or raises the `FacegroupError` that it is refused with.
    """
    good: dict[str, Sample] = {}
    named = []
    refused = []
    for (name, data), each in zip(photos, seen, strict=True):
        try:
            made = make(data, each)
        except FacegroupError as error:
            refused.append(Refused(name, error))
            continue
        good[made.id] = made
        named.append((name, made.id))
    return list(good.values()), tuple(refused), tuple(named)


def not_upright(
    photos: Sequence[tuple[str, bytes]], seen: Sequence[PhotoResult | FacegroupError], named: Sequence[tuple[str, str]]
) -> tuple[Doubt, ...]:
    """Return a doubt about each photo of those enrolled (`named`) that was turned, or that may have to be."""
    told = []
    for (name, data), each in zip(photos, seen, strict=True):
        if isinstance(each, FacegroupError) or (each.upright and not each.turned):
            continue
        if (name, hashlib.sha256(data).hexdigest()) in named:
            turned = f"the photo was turned by {each.turned} degrees clockwise, as its face was not upright"
            told.append(Doubt(name, NotUpright(turned if each.upright else _UNSURE), None, None))
    return tuple(told)


_UNSURE = "the face may not be upright: another orientation is almost as likely; send the photo upright"
