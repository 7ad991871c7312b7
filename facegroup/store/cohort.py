"""The cohort of a gallery as a store keeps it: descriptors of people who are not its members, without crop or name."""

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from typing import Any, cast, get_args

import numpy as np

from facegroup.errors import MalformedRequest, NetworkMismatch
from facegroup.store import validation, vectors
from facegroup.store.audit import Event
from facegroup.store.calls import AskStore
from facegroup.store.contract import Cohort, Store
from facegroup.store.encryption import UNREADABLE, Cipher, SecretKeys, place
from facegroup.store.gallery_settings import check_detector
from facegroup.types import CohortMember, CohortSource, Gallery

LEAST = 50
"""Fewest people, members of the gallery included, of a cohort that decides (docs/decisions/0022-cohort-decision.md)."""

_PAGE = 100

Row = tuple[str, bytes, str, str, float]
"""What is kept of a member: id, descriptor, source, detector, date."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


async def size(ask: AskStore, gallery: Gallery) -> int:
    """Return how many people a gallery's cohort compares with, or `LEAST` or more where there are as many.

    Members of the gallery count, but for those without photos.
    """
    found, after = gallery.cohort_size, ""
    while found < LEAST:
        page = await ask(Store.people, gallery.name, after, _PAGE)
        found += sum(person.samples > 0 for person in page)
        if len(page) < _PAGE:
            break
        after = page[-1].id
    return found


def sort_out(
    members: Sequence[CohortMember], gallery: Gallery, network: str, known: Container[str]
) -> tuple[list[CohortMember], tuple[str, ...]]:
    """Return the members that are new to a cohort with the `known` ids, dated, and the ids of the others.

    Raises:
        NetworkMismatch: `network` is not the gallery's.
        InvalidDescriptor: a descriptor is not (d,) finite float32 of unit length.
        MalformedRequest: an id is not 64 hexadecimal digits, a source unknown, or a detector no name.
    """
    if network != gallery.network:
        raise NetworkMismatch.of(gallery.name, gallery.network, network)
    added: dict[str, CohortMember] = {}
    duplicates = []
    for each in members:
        if not isinstance(each.id, str) or _SHA256.fullmatch(each.id) is None:
            raise MalformedRequest("The id of a member of a cohort must be a sha256, 64 hexadecimal digits.")
        if each.source not in get_args(CohortSource):
            raise MalformedRequest(f"The source of a member of a cohort is one of {', '.join(get_args(CohortSource))}.")
        check_detector(each.detector)
        validation.check_descriptor(each.descriptor, gallery.dimension)
        if each.id in known or each.id in added:
            duplicates.append(each.id)
        else:
            added[each.id] = replace(each, created_at=each.created_at or validation.now())
    return list(added.values()), tuple(duplicates)


def row_of(member: CohortMember, keys: SecretKeys, gallery: str) -> Row:
    """Return what is kept of a member of a gallery's cohort."""
    descriptor = keys.encrypt(vectors.to_bytes(member.descriptor), place("cohort", gallery, member.id))
    return member.id, descriptor, member.source, member.detector, member.created_at


def cohort(
    gallery: Gallery, rows: Sequence[tuple[Any, ...]], damaged: Callable[[str, str], None], cipher: Cipher
) -> Cohort:
    """Return the cohort of rows as `row_of` makes them, by id; `damaged` is told the id of each that is not so, and why."""
    kept = {str(key): (data, *about) for key, data, *about in rows if isinstance(data, bytes) and _is_sound(*about)}
    bad = {str(key): "facegroup did not write this" for key, *_ in rows if str(key) not in kept}
    whole: dict[str, tuple[Any, ...]] = {}
    for key, (sealed, *about) in kept.items():
        if (data := cipher.decrypt(sealed, place("cohort", gallery.name, key))) is None:
            bad[key] = UNREADABLE
        else:
            whole[key] = (data, *about)
    bad |= vectors.faults(gallery.dimension, {key: data for key, (data, *_) in whole.items()})
    for key, why in bad.items():
        damaged(key, why)
    ids = tuple(sorted(whole.keys() - bad.keys()))
    rows_of, sources, detectors, dates = zip(*(whole[key] for key in ids), strict=True) if ids else ((), (), (), ())
    return Cohort(
        version=gallery.cohort_version,
        network=gallery.network,
        ids=ids,
        matrix=vectors.from_bytes(b"".join(rows_of)).reshape(len(ids), gallery.dimension),
        sources=cast(tuple[CohortSource, ...], sources),
        detectors=detectors,
        dates=np.array(dates, np.float64),
    )


def added(count: int, known: int) -> Event:
    """Return what the audit log says of an addition."""
    return Event("cohort_added", None, {"cohort": count, "duplicates": known})


def erased(count: int) -> Event:
    """Return what the audit log says of an erasure."""
    return Event("cohort_erased", None, {"cohort": count})


def _is_sound(source: object, detector: object, date: object) -> bool:
    right = source in get_args(CohortSource) and isinstance(detector, str)
    return right and isinstance(date, int | float) and bool(np.isfinite(date))
