"""What was seen in a photo → a counter-example: "this face is not that person". The same rule for every way in.

A counter-example that is near to the person's own photos may show them after all: it is kept with a warning
(`looks_like_own`), or refused where the request is strict. How often that is right, and what a mistaken one costs:
docs/decisions/0013-counter-examples.md.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from facegroup.enrolment import samples
from facegroup.enrolment.samples import Doubt, Refused
from facegroup.errors import Contradiction, FacegroupError, LooksLikeOwn
from facegroup.networks.embedder import unit_mean
from facegroup.pipeline.messages import PhotoResult
from facegroup.store.contradictions import contradicted
from facegroup.types import FaceChoice, Sample

REACH = 0.7
"""Nearer to its person a counter-example is doubted; in distances (1 - similarity) of the gallery's threshold."""


def counter_example(photo: bytes, seen: PhotoResult | FacegroupError, face: FaceChoice | None = None) -> Sample:
    """Return the counter-example that a face of a photo gives; see `enrolment.sample` for the arguments and errors.

    Its id is the sha256 of the photo's bytes and the face's number: of one photo several faces can be meant.
    """
    number = samples.only_face(seen, face)
    made = samples.sample(photo, seen, number)
    return replace(made, id=hashlib.sha256(photo + b"\0face %d" % number).hexdigest(), counter=True)


def counter_examples(
    photos: Sequence[tuple[str, bytes]], seen: Sequence[PhotoResult | FacegroupError], face: FaceChoice | None = None
) -> tuple[list[Sample], tuple[Refused, ...], tuple[tuple[str, str], ...]]:
    """Return what some named photos give, the refused ones, and name and id of each good one."""
    return samples.collect(photos, seen, lambda data, each: counter_example(data, each, face))


def judge(
    good: Sequence[Sample],
    named: Sequence[tuple[str, str]],
    known: Sequence[Sample],
    threshold: float,
    strict: bool,
) -> tuple[list[Sample], tuple[Refused, ...], tuple[tuple[str, str], ...], tuple[Doubt, ...]]:
    """Judge each new counter-example against the person's own photos; one that is there is not judged again.

    Args:
        good: the counter-examples, each once.
        named: name and id of each photo.
        known: what the store has of the person, photos and counter-examples.
        threshold: the gallery's.
        strict: whether a doubted one is refused.

    Returns:
        those to keep, those refused, name and id of each to keep, and the doubts about them.
    """
    enrolled = {each.id for each in known}
    own = [each.descriptor for each in known if not each.counter]
    centroid = unit_mean(np.stack(own)) if own else None
    errors: dict[str, FacegroupError] = {
        each.id: Contradiction("this face is enrolled as a photo of the person; erase that photo first")
        for each in contradicted(good, known)
    }
    doubts: dict[str, tuple[LooksLikeOwn, float]] = {}
    for each in good:
        if each.id in enrolled or each.id in errors or centroid is None:
            continue
        similarity = float(centroid @ each.descriptor)
        if similarity > near(threshold):
            doubts[each.id] = (LooksLikeOwn(_WHY.format(similarity)), similarity)
    if strict:
        errors |= {key: error for key, (error, _) in doubts.items()}
    kept = tuple((name, key) for name, key in named if key not in errors)
    refused = tuple(Refused(name, errors[key]) for name, key in named if key in errors)
    told = tuple(Doubt(name, *doubts[key], None) for name, key in kept if key in doubts)
    return [each for each in good if each.id not in errors], refused, kept, told


def near(threshold: float) -> float:
    """Return the similarity above which a counter-example is doubted, for a gallery's threshold."""
    return 1 - REACH * (1 - threshold)


_WHY = "the face may show this person: its similarity to the person's photos is {:.2f}"
