"""People who never were, as descriptors: members about a middle of their own, and strangers. The same for the same seed."""

import hashlib

import numpy as np

from facegroup.networks.embedder import unit
from facegroup.networks.registry import spec
from facegroup.store.contract import Store
from facegroup.types import Descriptors, Gallery, Sample

SPEC = spec("dlib-resnet29")
D = SPEC.dimension


def middles(count: int, seed: int) -> Descriptors:
    """Return (count, D) directions: strangers, or what members are about."""
    return unit(np.random.default_rng(seed).normal(size=(count, D)).astype(np.float32))


def photos(middles: Descriptors, each: int, seed: int) -> list[Descriptors]:
    """Return so many descriptors about each of some middles, at a cosine of about 0.8 to it."""
    noise = np.random.default_rng(seed).normal(size=(len(middles), each, D)) / np.sqrt(D)
    return [unit((middle + 0.75 * around).astype(np.float32)) for middle, around in zip(middles, noise, strict=True)]


def enrol(store: Store, people: list[Descriptors], gallery: str = "group") -> None:
    """Create a gallery of `p0`, `p1`, …, where there is none, and enrol descriptors of each."""
    store.create_gallery(Gallery(gallery, SPEC.name, D, 0.9))
    for number, rows in enumerate(people):
        store.create_person(gallery, f"Person {number}", person_id=f"p{number}")
        samples = [Sample(hashlib.sha256(row.tobytes()).hexdigest(), row) for row in rows]
        store.add_samples(gallery, f"p{number}", samples, SPEC.name)
