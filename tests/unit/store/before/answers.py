"""All that a store answers about its galleries, as JSON. Run with the code that wrote `before/`, and with today's."""

import hashlib
import json
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

VERSIONS = 20
"""How many versions back are asked for."""


def answers(store: Any, names: list[str]) -> Any:
    """Return what `store` answers about the galleries of these names, which may be hidden ones."""
    listed = [each.name for each in store.galleries()]
    return plain({"listed": listed, "galleries": {str(name): _gallery(store, name) for name in names}})


def plain(value: Any) -> Any:
    """Return what JSON keeps of a value: of bytes and arrays a digest."""
    return json.loads(json.dumps(value, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [list(value.shape), _plain(value.tobytes())]
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()[:12]
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(type(value))


def _gallery(store: Any, name: str) -> dict[str, Any]:
    people = store.people(name)
    return {
        "gallery": store.gallery(name),
        "people": people,
        "named": {each.id: [found.id for found in store.people(name, name=each.name)] for each in people},
        "samples": {each.id: store.samples(name, each.id, crops=True, counter=None) for each in people},
        "centroids": _vectors(store.centroids(name)),
        "changes": {str(since): _changes(store, name, since) for since in _last(store.version(name))},
        "standing": store.standing(name),
        "audit": [] if "/" in name else store.audit(name),
    }


def _vectors(found: Any) -> dict[str, Any]:
    return {
        field: getattr(found, field) for field in ("version", "ids", "names", "matrix", "gone", "expires", "counters")
    }


def _last(version: int) -> range:
    return range(max(0, version - VERSIONS), version + 1)


def _changes(store: Any, name: str, since: int) -> Any:
    try:
        return _vectors(store.centroids(name, since=since))
    except Exception as error:
        return type(error).__name__
