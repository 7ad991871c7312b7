"""Sightings and strangers for tests."""

import uuid
from typing import Any

import numpy as np

from facegroup.cameras.sightings.journal import Journal, NewEvent
from facegroup.cameras.sightings.types import Event, Shot, Sighting, Unknown
from facegroup.types import Floats


def descriptor(seed: int, d: int = 8) -> Floats:
    made = np.random.default_rng(seed).normal(size=d)
    return np.asarray(made / np.linalg.norm(made), np.float32)


def sighting(at: float = 100.0, **given: Any) -> Sighting:
    known: dict[str, Any] = {"person_id": "ada", "unknown": None, "name": "Ada", "visit_id": uuid.uuid4().hex}
    fixed: dict[str, Any] = {"camera": "door", "gallery": "group", "first_seen": at, "last_seen": at + 5}
    return Sighting(**{"id": uuid.uuid4().hex, "frames": 3, "similarity": 0.75, **fixed, **known, **given})


def unknown(number: int, gallery: str = "group", at: float = 100.0, crop: bytes | None = b"JPEG") -> Unknown:
    look = descriptor(number)
    return Unknown(f"unknown-{number}", gallery, "net", look, 1, at, at + 5, (Shot(look, crop, 0.7),))


def begin(journal: Journal, *sightings: Sighting, crop: bytes | None = None) -> list[Event]:
    return journal.record([NewEvent("began", each, crop) for each in sightings])
