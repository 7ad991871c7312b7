"""Read the unit descriptors of a group by person, from a folder of people or from a gallery.

Everything that cannot be used is counted: photos without a face, duplicates, photos of two people (one of them is wrong, and
it is not known which), and people without a usable photo.
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
from facegroup.networks.description import is_path
from facegroup.networks.embedder import failed, unit
from facegroup.settings import Settings
from facegroup.store.contract import Store
from facegroup.store.paging import everybody
from facegroup.types import Descriptors, Floats


@dataclass(frozen=True, slots=True)
class Counts:
    """The size of a group, and what could not be used of it.

    Attributes:
        people: people with two usable photos or more.
        single: people with one usable photo, who serve as strangers.
        empty: people without a usable photo.
        photos: usable photos.
        without_a_face: photos without a detected face, or that cannot be decoded (failures to acquire).
        unreadable: files that could not be read.
        duplicates: repeated photos of the same person.
        conflicting: photos of several people, which are used for none of them.
        skipped: files that are not photos, or not in a person's folder.
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
        """Return the counts as a dictionary for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The descriptors of a group by person.

    Attributes:
        network: the network that made them.
        descriptors: (n, d) float32 of unit length.
        people: the rows of each person with two photos or more.
        singles: the row of each person with one photo.
        counts: the group's size, and what could not be used.
    """

    network: str
    descriptors: Descriptors
    people: tuple[tuple[int, ...], ...]
    singles: tuple[int, ...]
    counts: Counts


def of_folder(folder: Path, settings: Settings, told: Callable[[int], None] = lambda _: None) -> Group:
    """Embed the face nearest to the centre in each photo of a folder with one folder per person.

    Args:
        folder: a folder as for `facegroup enroll`.
        settings: the settings with the network and the cache of embeddings.
        told: called with the number of photos done.

    Raises:
        MalformedRequest: there are no folders with photos, or the network is a projection itself.
        SetupError: the network is not available.
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
        settings.network, registry.spec(settings.network, settings).dimension, people, empty,
        unreadable=unreadable, duplicates=twice, conflicting=conflicting, skipped=skipped,
    )  # fmt: skip


def of_gallery(store: Store, name: str, told: Callable[[int], None] = lambda _: None) -> Group:
    """Return the group of a gallery, with the descriptors of its enrolled samples.

    Raises:
        UnknownGallery: the gallery does not exist.
        MalformedRequest: its network is a projection.
    """
    gallery = store.gallery(name)
    check_base(gallery.network)
    samples: dict[str, dict[str, Floats]] = {}
    for number, person in enumerate(everybody(store, gallery.name), 1):
        samples[person.id] = {each.id: each.descriptor for each in store.samples(gallery.name, person.id)}
        told(number)
    kept, conflicting = _unshared(samples)
    people = {person: list(rows.values()) for person, rows in kept.items()}
    return _group(gallery.network, gallery.dimension, people, 0, conflicting=conflicting)


def _unshared(people: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, dict[str, Any]], int]:
    """Return people without the photos that several of them have, and the number of these photos."""
    owners = Counter(key for photos in people.values() for key in photos)
    kept = {name: {key: each for key, each in photos.items() if owners[key] == 1} for name, photos in people.items()}
    return kept, sum(count for count in owners.values() if count > 1)


def _group(network: str, dimension: int, people: Mapping[str, list[Floats]], empty: int, **counted: int) -> Group:
    rows = [row for each in people.values() for row in each]
    every = np.stack(rows) if rows else np.empty((0, dimension), np.float32)
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
    """Refuse a network that is a projection itself, or that has no name to build on.

    Raises:
        MalformedRequest: the network is a projection, or the path of a YAML file.
    """
    if is_path(network):
        raise MalformedRequest(
            f"{network} is a path, and a projection needs a network with a name. Add it first: facegroup networks add"
        )
    if projection.JOINT in network:
        raise MalformedRequest(f"{network} is a projection itself. Use photos, or a gallery of its base network.")
