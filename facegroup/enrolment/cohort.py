"""Photos of strangers → members of a gallery's cohort: see the photos, take one face of each, add the descriptors.

Only descriptors are kept, without crops and names. How the cohort decides: `facegroup.gallery.cohort`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facegroup.enrolment import samples
from facegroup.enrolment.samples import Refused
from facegroup.enrolment.steps import Stages
from facegroup.errors import NetworkMismatch
from facegroup.networks.embedder import unit
from facegroup.pipeline.messages import Photo, Query
from facegroup.store.audit import Origin
from facegroup.store.contract import Cohort, CohortAdded, Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.types import CohortMember, FaceChoice, Floats

FACE: FaceChoice = "dominant"
"""Which face of a photo is taken."""


@dataclass(frozen=True, slots=True)
class Addition:
    """What became of photos for a cohort.

    Attributes:
        done: what the store did with the good ones.
        refused: the others.
        like_members: number of good photos that the gallery names. A photo of a member does not belong into the cohort.
    """

    done: CohortAdded
    refused: tuple[Refused, ...] = ()
    like_members: int = 0


async def add(
    stages: Stages,
    gallery: str,
    photos: Sequence[tuple[str, bytes]],
    *,
    raise_single: bool = False,
    once: IdempotencyKey | None = None,
    by: Origin | None = None,
) -> Addition:
    """Add the dominant face of each photo to the cohort of a gallery; each that cannot be used is refused with its reason.

    Args:
        stages: what sees, matches and stores.
        gallery: its name; it must exist.
        photos: name and bytes of each, best one photo of each stranger.
        raise_single: whether the refusal of a single photo is raised.
        once: makes a repeated request harmless.
        by: whose request it is, for the audit log.

    Raises:
        UnknownGallery: there is none.
        NetworkMismatch: the gallery was made with another network.
        FacegroupError: `raise_single` is set, and the single photo is refused.
    """
    about = await stages.ask(Store.gallery, gallery)
    if about.network != stages.network:
        raise NetworkMismatch.of(gallery, about.network, stages.network)
    seen = await stages.see([Photo(data, upright=True, liveness=False) for _, data in photos])
    good, refused, _ = samples.collect(photos, seen, lambda data, each: samples.sample(data, each, FACE))
    if raise_single and len(refused) == len(photos) == 1:
        raise refused[0].error
    like_members = 0
    if good:
        query = Query(gallery, candidates=1, unique=False, enrolling=True, liveness=False)
        matched = await stages.match(np.stack([each.descriptor for each in good]), query)
        like_members = sum(match.person_id is not None for match in matched.matches)
    members = [CohortMember(each.id, each.descriptor, "given", each.detector) for each in good]
    done = await stages.ask(Store.add_cohort, gallery, members, stages.network, once=once, by=by)
    return Addition(done, refused, like_members)


def of_unknowns(gallery: str, network: str, unknowns: Sequence[tuple[str, str, Floats]]) -> list[CohortMember]:
    """Return members of the cohort for strangers whom cameras saw: id, network and descriptor (d,) of each.

    Those who were seen with another network than the gallery's are left out.
    """
    return [
        CohortMember(unknown_id(gallery, key), unit(row[None])[0], "unknown")
        for key, seen_with, row in unknowns
        if seen_with == network
    ]


def stale_unknowns(cohort: Cohort, members: Sequence[CohortMember]) -> list[str]:
    """Return the ids of a cohort's strangers of cameras who are not, or not as they are now, among some members."""
    now = {each.id: each.descriptor for each in members}
    return [
        each.id
        for each in cohort.members()
        if each.source == "unknown" and not (each.id in now and np.array_equal(now[each.id], each.descriptor))
    ]


def unknown_id(gallery: str, unknown: str) -> str:
    """Return the id that a stranger of cameras has in a cohort."""
    return hashlib.sha256(f"{gallery}\0{unknown}".encode()).hexdigest()


def key_of(key: str | None, photos: Sequence[tuple[str, bytes]]) -> IdempotencyKey | None:
    """Return what makes a repeated request harmless, if it has a key."""
    if key is None:
        return None
    return IdempotencyKey.of(key, "cohort", *(hashlib.sha256(data).digest() for _, data in photos))
