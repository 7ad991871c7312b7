"""What every store checks in the same way: its input, and how far back its change log goes.

A store reads and writes rows. What is checked about them is in this file, what is computed in `vectors`.
"""

import json
import math
import re
import shlex
import time
import uuid
from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from facegroup.errors import (
    GalleryExists,
    InvalidDescriptor,
    InvalidName,
    MalformedRequest,
    NetworkMismatch,
    UnknownGallery,
    UnknownPerson,
    UnknownPhoto,
)
from facegroup.store.audit import Event
from facegroup.store.contract import VersionGone
from facegroup.store.gallery_settings import check_detector, check_settings, check_threshold
from facegroup.store.names import MAX_CHARACTERS, check_id, clean_name
from facegroup.store.staging import StagingName
from facegroup.types import CohortMember, Gallery, Sample

RETENTION = 10_000
"""How many versions back the changes of a gallery are known."""

PAGE = 1_000
"""How many centroids are read at once, about: 8 MB of 2048 numbers, which holds no other reader up."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_OFF_UNIT = 1e-3
YEAR_10000 = 253_402_300_800  # milliseconds taken for seconds are beyond it


def now() -> float:
    """Return the time as stores keep it: seconds since the epoch."""
    return time.time()


def check_gallery(gallery: Gallery) -> Gallery:
    """Return `gallery` as it is to be created. Raises `InvalidName` or `MalformedRequest`."""
    if gallery.dimension < 1:
        raise MalformedRequest("a gallery's dimension must be at least 1")
    if gallery.calibration is not None and gallery.calibration.network != gallery.network:
        raise MalformedRequest("a gallery's calibration must be of its own network")
    check_settings(gallery)
    return replace(
        gallery,
        name=gallery.name if isinstance(gallery.name, StagingName) else clean_name(gallery.name, "gallery name"),
        threshold=check_threshold(gallery.threshold),
        created_at=gallery.created_at or now(),
    )


def same_gallery(found: Gallery, wanted: Gallery) -> Gallery:
    """Return the gallery `found` under the name of the `wanted` one. Raises `GalleryExists` where it is another's."""
    if (found.network, found.dimension) != (wanted.network, wanted.dimension):
        raise GalleryExists(
            f'there is a gallery "{found.name}" of {found.network}, with {found.dimension} numbers; take another name, or '
            f"move it: facegroup migrate {shlex.quote(found.name)} --network {wanted.network}"
        )
    return found


def check_expiry(expires_at: float | None) -> float | None:
    """Return `expires_at` as it is kept: None for never. Raises `MalformedRequest` for what is no time."""
    if expires_at is None or expires_at == math.inf:
        return None
    if not isinstance(expires_at, int | float) or not 0 <= expires_at < YEAR_10000:
        raise MalformedRequest("expires_at must be seconds since the epoch, before the year 10000")
    return float(expires_at)


def check_merger(into: str, source: str) -> None:
    """Raise `MalformedRequest` if a person is to be merged with itself."""
    if into == source:
        raise MalformedRequest("A person can't be merged with itself. Name another person.")


def places(sent: Sequence[Sample | CohortMember], added: Sequence[Sample | CohortMember]) -> list[int]:
    """Return the positions, among the samples or members of a cohort sent, of those that were added."""
    ids = [each.id for each in sent]
    return [ids.index(each.id) for each in added]


def enrolled(person_id: str, added: Sequence[Sample], known: int) -> Event:
    """Return what the audit log says of an enrolment, or of a correction: of counter-examples, and of nothing else."""
    counters = sum(sample.counter for sample in added)
    photos = {"photos": len(added) - counters} if counters < len(added) else {}
    told = {"counter_examples": counters} if counters else {}
    return Event("enrolled" if photos else "corrected", person_id, {**photos, **told, "duplicates": known})


def erased(person_id: str, what: str, samples: int, counters: int) -> Event:
    """Return what the audit log says of the erasure of a person."""
    return Event(what, person_id, {"photos": samples} | ({"counter_examples": counters} if counters else {}))


def erased_one(person_id: str, counter: bool) -> Event:
    """Return what the audit log says of the erasure of a photo or of a counter-example."""
    return Event("erased_counter_example" if counter else "erased_photo", person_id)


def merged(into: str, source: str, moved: int, both: int) -> Event:
    """Return what the audit log says of a merger."""
    return Event("merged", into, {"from": source, "photos": moved, "duplicates": both})


def unknown_photo(person_id: str, counter: bool) -> UnknownPhoto:
    """Return the error, for raising."""
    return UnknownPhoto(f"person {person_id} has no such {'counter-example' if counter else 'photo'}")


def edited(person_id: str, name: str | None, metadata: dict[str, Any] | None, expires_at: float | None) -> Event:
    """Return what the audit log says of a change of a person: what was set, and of the expiry the time."""
    given = {"name": name, "metadata": metadata, "expires_at": expires_at}
    fields = [field for field, value in given.items() if value is not None]
    detail: dict[str, Any] = {"fields": fields}
    if expires_at is not None:
        detail["expires_at"] = check_expiry(expires_at)
    return Event("renamed" if fields == ["name"] else "changed", person_id, detail)


def normalise_name(name: str) -> str:
    """Return a name as it is kept; "", which nothing is called, for one that cannot be kept."""
    try:
        return clean_name(name)
    except InvalidName:
        return ""


def log_name(gallery: str) -> str | None:
    """Return the name of an audit log as it is kept, "" for the server's; None where no gallery can have it."""
    return (normalise_name(gallery) or None) if gallery else ""


def normalise_gallery(name: str) -> str:
    """Return the name of a gallery as it is kept. Raises `UnknownGallery` if no gallery can have it."""
    kept = name if isinstance(name, StagingName) else normalise_name(name)
    if not kept:
        raise unknown_gallery(name)
    return kept


def normalise_person(person_id: str) -> str:
    """Return `person_id`. Raises `UnknownPerson` if no person can have it."""
    try:
        return check_id(person_id)
    except InvalidName:
        raise unknown_person(person_id) from None


def unknown_gallery(name: str) -> UnknownGallery:
    """Return the error, for raising."""
    return UnknownGallery(f"there is no gallery {name[:MAX_CHARACTERS]!r}")  # repr: the name may be unprintable


def unknown_person(person_id: str) -> UnknownPerson:
    """Return the error, for raising."""
    return UnknownPerson(f"there is no person {person_id[:MAX_CHARACTERS]!r} in the gallery")


def sortable(after: str) -> str:
    """Return a cursor or key from outside as text that every database takes: without halves of surrogate pairs."""
    return after.encode("utf-8", "replace").decode()


def page(limit: int) -> int:
    """Return how many rows a page has: none for a negative limit, which databases take for all."""
    return min(max(limit, 0), 2**31 - 1)


def new_id() -> str:
    """Return an id for a person: 32 hexadecimal digits, never given twice."""
    return uuid.uuid4().hex


def write_metadata(metadata: dict[str, Any] | None) -> str:
    """Return the metadata as JSON. Raises `MalformedRequest` for what JSON cannot hold."""
    if not isinstance(metadata or {}, dict):
        raise MalformedRequest("a person's metadata must be a JSON object")
    try:
        return json.dumps(metadata or {}, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MalformedRequest(f"a person's metadata must be JSON: {error}") from None


def sort_out(
    samples: Sequence[Sample], gallery: Gallery, network: str, known: Container[str]
) -> tuple[list[Sample], tuple[str, ...]]:
    """Return the `samples` that are new to a person who has the `known` ids, and the ids of the others, the duplicates.

    New ones come back dated, and without their crop where the gallery keeps none.

    Raises:
        NetworkMismatch: `network` is not the gallery's.
        InvalidDescriptor: a descriptor, be it a duplicate's, is not (d,) finite float32 of unit length.
        MalformedRequest: an id is not 64 hexadecimal digits, or a detector no name.
    """
    if network != gallery.network:
        raise NetworkMismatch.of(gallery.name, gallery.network, network)
    added: dict[str, Sample] = {}
    duplicates = []
    for sample in samples:
        _check_sample(sample, gallery.dimension)
        if sample.id in known or sample.id in added:
            duplicates.append(sample.id)
        else:
            crop = (sample.crop or None) if gallery.keep_crops else None
            added[sample.id] = replace(sample, crop=crop, created_at=sample.created_at or now())
    return list(added.values()), tuple(duplicates)


def check_since(since: int, version: int, born: int) -> None:
    """Raise `VersionGone` unless the changes from `since` to `version` are known, in a gallery that began at `born`."""
    if not max(born, version - RETENTION) <= since <= version:
        raise VersionGone(since)


def _check_sample(sample: Sample, dimension: int) -> None:
    if _SHA256.fullmatch(sample.id) is None:
        raise MalformedRequest("a sample's id must be the sha256 of its photo, 64 hexadecimal digits")
    check_detector(sample.detector)
    check_descriptor(sample.descriptor, dimension)


def check_descriptor(descriptor: object, dimension: int) -> None:
    """Raise `InvalidDescriptor` unless a descriptor is (d,) finite float32 of unit length."""
    if not isinstance(descriptor, np.ndarray) or descriptor.dtype != np.float32:
        raise InvalidDescriptor("a descriptor must be an array of float32")
    if descriptor.shape != (dimension,):
        raise InvalidDescriptor(f"a descriptor of this gallery has {dimension} numbers, not shape {descriptor.shape}")
    if not np.isfinite(descriptor).all():
        raise InvalidDescriptor("a descriptor must be finite")
    norm = float(np.linalg.norm(descriptor.astype(np.float64)))
    if abs(norm - 1) > _OFF_UNIT:
        raise InvalidDescriptor(f"a descriptor must have length 1, not {norm:.4g}")
