"""Samples about to be enrolled, and who is like them → those that may show somebody else, by the gallery's own threshold.

A photo is doubted when it is more like another person than like its own person's other photos, and so like that the
gallery would name that person (`looks_like`), or when it is far from its own person's (`unlike_own`). It is enrolled with
a warning, or refused where the request is strict. How often either is right: docs/decisions/0008-templates.md.
"""

from collections.abc import Sequence

import numpy as np

from facegroup.enrolment.samples import Doubt, Refused
from facegroup.errors import Contradiction, FacegroupError, LooksLike, NetworkMismatch, UnlikeOwn
from facegroup.networks.embedder import unit_mean
from facegroup.pipeline.messages import PhotoMatches, Query
from facegroup.store.contradictions import contradicted
from facegroup.types import Candidate, Descriptors, Sample

REACH = 1.5
"""How far a photo may be from its person's others, in distances (1 - similarity) of the gallery's threshold."""


def query(gallery: str) -> Query:
    """Return what the gallery is asked about the samples: the two best, of whom one may be the person enrolled."""
    return Query(gallery, candidates=2, enrolling=True, liveness=False)


def descriptors(samples: Sequence[Sample]) -> Descriptors:
    """Return what goes with `query`: (n, d), a row a sample; there must be one."""
    return np.stack([each.descriptor for each in samples])


def verdict(
    own: float | None, other: float | None, threshold: float, reach: float = REACH, *, named: bool | None = None
) -> type[LooksLike | UnlikeOwn] | None:
    """Return what is wrong with a sample, if anything.

    Args:
        own: its similarity to the mean of its person's other samples; None where there are none.
        other: its similarity to the most similar other person; None where there is nobody.
        threshold: the gallery's.
        reach: see `REACH`.
        named: whether the gallery would name the other person; None: if the similarity exceeds the threshold.
    """
    if other is not None and (other > threshold if named is None else named) and (own is None or other > own):
        return LooksLike
    if own is not None and own < 1 - reach * (1 - threshold):
        return UnlikeOwn
    return None


def judge(
    person_id: str,
    good: Sequence[Sample],
    named: Sequence[tuple[str, str]],
    known: Sequence[Sample],
    matched: PhotoMatches,
    strict: bool,
) -> tuple[list[Sample], tuple[Refused, ...], tuple[tuple[str, str], ...], tuple[Doubt, ...]]:
    """Judge each new sample against the person's samples and everybody else; one that is enrolled is not judged again.

    Where the person has no sample yet, those of the request are judged against each other: of two that disagree neither
    is known to be right, and both are doubted.

    Args:
        person_id: who is enrolled.
        good: the samples, each once.
        named: name and sample id of each photo.
        known: the person's samples in the store, and the counter-examples, of which none can be enrolled.
        matched: the gallery's answer to `query`, a match per sample.
        strict: whether a doubted one is refused.

    Returns:
        the samples to enrol, those refused, name and sample id of each photo to enrol, and the doubts about them.

    Raises:
        NetworkMismatch: the person's samples are of another network: the gallery was switched since it was asked.
    """
    if len({each.descriptor.shape for each in (*good, *known)}) > 1:
        raise NetworkMismatch(
            "facegroup migrate moved the gallery to another network meanwhile; this server runs the old one"
        )
    doubts = {}
    enrolled = {each.id for each in known}
    errors: dict[str, FacegroupError] = {each.id: Contradiction(_SAID) for each in contradicted(good, known)}
    known = [each for each in known if not each.counter]
    for each, match in zip(good, matched.matches, strict=True):
        if each.id in enrolled or each.id in errors:
            continue
        own = _own(each, known or good)
        other = next((one for one in match.candidates if one.person_id != person_id), None)
        alike = None if other is None else other.deciding > matched.threshold
        kind = verdict(own, other.similarity if other else None, matched.between_photos, named=alike)
        if kind is not None:
            doubts[each.id] = _doubt(kind, own, other)
    told = tuple(Doubt(name, *doubts[key]) for name, key in named if key in doubts)
    reasons = errors | ({key: error for key, (error, _, _) in doubts.items()} if strict else {})
    if not reasons:
        return list(good), (), tuple(named), told
    kept = tuple((name, key) for name, key in named if key not in reasons)
    refused = tuple(Refused(name, reasons[key]) for name, key in named if key in reasons)
    return [each for each in good if each.id not in reasons], refused, kept, () if strict else told


_SAID = "this face is a counter-example of the person; erase that counter-example first"


def _own(judged: Sample, samples: Sequence[Sample]) -> float | None:
    others = [each.descriptor for each in samples if each.id != judged.id]
    return float(unit_mean(np.stack(others)) @ judged.descriptor) if others else None


def _doubt(
    kind: type[LooksLike | UnlikeOwn], own: float | None, other: Candidate | None
) -> tuple[LooksLike | UnlikeOwn, float | None, Candidate | None]:
    like = "there is no other photo of the person" if own is None else f"similarity to the person's others {own:.2f}"
    if kind is LooksLike and other is not None:
        detail = f"the photo looks like {other.name} ({other.person_id}): similarity {other.similarity:.2f}; {like}"
        return LooksLike(detail), own, other
    return UnlikeOwn(f"the photo is unlike the person's others: {like}"), own, None
