"""A folder of people, or a gallery of the store, goes in; unit descriptors by person come out, and what was left out.

What cannot be learned from is counted, never dropped in silence: photos without a face, the same photo twice, a photo that
two people share (one of them is wrong, and nobody knows which), people without a usable photo.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegroup.errors import MalformedRequest
from facegroup.evaluation.descriptors import embeddings
from facegroup.images import folders
from facegroup.networks import projection, registry
from facegroup.networks.embedder import failed, unit
from facegroup.settings import Settings
from facegroup.store.contract import Store
from facegroup.store.paging import everybody
from facegroup.types import Descriptors, Floats


@dataclass(frozen=True, slots=True)
class Counts:
    """What a group is, before it is learned from.

    Attributes:
        people: with two usable photos or more.
        single: people with one usable photo; they are strangers to learn and to measure with.
        empty: people without a usable photo.
        photos: usable ones.
        without_a_face: photos in which none was found, or that are no photos: a failure to acquire.
        unreadable: files that could not be read.
        duplicates: photos that their person has already.
        conflicting: photos that two people have; none of them keeps it.
        skipped: files that are no photos, or lie in no person's folder.
    """

    people: int
    single: int
    empty: int
    photos: int
    without_a_face: int = 0
    unreadable: int = 0
    duplicates: int = 0
    conflicting: int = 0
    skipped: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return it for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Descriptors by person.

    Attributes:
        network: that made them.
        descriptors: (n, d) float32 of unit length.
        people: for each person with two photos or more the rows.
        singles: rows of the people with one.
        counts: what was there.
    """

    network: str
    descriptors: Descriptors
    people: tuple[tuple[int, ...], ...]
    singles: tuple[int, ...]
    counts: Counts


def of_folder(folder: Path, settings: Settings, told: Callable[[int], None] = lambda _: None) -> Group:
    """Embed the photos of a folder that holds one folder per person; of each the face nearest to the middle.

    Args:
        folder: as `facegroup enroll` takes it.
        settings: which network, and where the cache of embeddings is.
        told: is called with the number of photos that are done.

    Raises:
        MalformedRequest: there are no folders with photos, or the network is a projection itself.
        SetupError: the network is not to be had.
    """
    check_base(settings.network)
    listed = folders.people(folder)
    found = listed.photos
    empty = sum(each.why == "empty" for each in listed.skipped)
    skipped = len(listed.skipped) - empty
    hashes: dict[str, dict[str, Path]] = {}
    unreadable = 0
    for name, files in found.items():
        hashes[name] = {}
        for file in files:
            try:
                hashes[name].setdefault(hashlib.sha256(file.read_bytes()).hexdigest(), file)
            except OSError:
                unreadable += 1
    twice = sum(map(len, found.values())) - unreadable - sum(map(len, hashes.values()))
    kept, conflicting = _unshared(hashes)
    kept_files = [file for photos in kept.values() for file in photos.values()]
    rows = embeddings(kept_files, settings, told) if kept_files else np.empty((0, 0), np.float32)
    each = iter(unit(rows))
    people = {name: [next(each) for _ in photos] for name, photos in kept.items()}
    return _group(
        settings.network, people, empty,
        unreadable=unreadable, duplicates=twice, conflicting=conflicting, skipped=skipped,
    )  # fmt: skip


def of_gallery(store: Store, name: str, told: Callable[[int], None] = lambda _: None) -> Group:
    """Take the descriptors of a gallery's samples, as they were enrolled.

    Raises:
        UnknownGallery: there is none.
        MalformedRequest: it is of a projection.
    """
    gallery = store.gallery(name)
    check_base(gallery.network)
    samples: dict[str, dict[str, Floats]] = {}
    for number, person in enumerate(everybody(store, gallery.name), 1):
        samples[person.id] = {each.id: each.descriptor for each in store.samples(gallery.name, person.id)}
        told(number)
    kept, conflicting = _unshared(samples)
    people = {person: list(rows.values()) for person, rows in kept.items()}
    return _group(gallery.network, people, 0, conflicting=conflicting)


def _unshared(people: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, dict[str, Any]], int]:
    """Return people without the photos that several of them have, and how many those were."""
    owners = Counter(key for photos in people.values() for key in photos)
    kept = {name: {key: each for key, each in photos.items() if owners[key] == 1} for name, photos in people.items()}
    return kept, sum(count for count in owners.values() if count > 1)


def _group(network: str, people: Mapping[str, list[Floats]], empty: int, **counted: int) -> Group:
    rows = [row for each in people.values() for row in each]
    every = np.stack(rows) if rows else np.empty((0, registry.spec(network).dimension), np.float32)
    usable = ~failed(every)
    places = iter(np.where(usable, np.cumsum(usable) - 1, -1).tolist())
    groups = [tuple(place for _ in each if (place := next(places)) >= 0) for each in people.values()]
    counts = Counter(min(len(each), 2) for each in groups)
    faceless = int((~usable).sum())
    return Group(
        network,
        every[usable],
        tuple(each for each in groups if len(each) > 1),
        tuple(each[0] for each in groups if len(each) == 1),
        Counts(counts[2], counts[1], counts[0] + empty, int(usable.sum()), without_a_face=faceless, **counted),
    )


def check_base(network: str) -> None:
    """Raise MalformedRequest if the network is a learned projection: those are learned from their base alone."""
    if projection.JOINT in network:
        raise MalformedRequest(f"{network} is a projection itself: learn from photos, or a gallery, of its base")
