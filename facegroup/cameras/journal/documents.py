"""Encodes records as JSON documents, and decodes them. Arrays (float32) and JPEG files are in base64.

`decode` raises `Damaged`, whatever is wrong with the bytes.
"""

import json
import math
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

import numpy as np

from facegroup.cameras.journal.encryption import Encryption
from facegroup.cameras.sightings.types import DeadLetter, Event, Shot, Sighting, Unknown, Video, Webhook
from facegroup.cameras.sources.address import has_secret
from facegroup.cameras.types import Camera
from facegroup.errors import StoreInvalid
from facegroup.types import Floats

Read = TypeVar("Read")

_TEXT, _NUMBER, _COUNT, _FLAG, _NONE = (str,), (int, float), (int,), (bool,), (type(None),)
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("id", "camera", "source", "name", "visit_id", "network", "kind", "subscriber", "state"), _TEXT),
    **dict.fromkeys(("person_id", "unknown", "detail"), _TEXT + _NONE),
    **dict.fromkeys(("first_seen", "last_seen", "at", "created_at", "updated_at", "progress"), _NUMBER),
    **dict.fromkeys(("fps", "cooldown", "patience", "stall_seconds", "picture_seconds"), _NUMBER),
    **dict.fromkeys(("frames", "seq", "visits", "attempts", "confirm", "rotate"), _COUNT),
    **dict.fromkeys(("open", "crop", "snapshots", "motion", "realtime", "enabled"), _FLAG),
    "gallery": _TEXT,
    **dict.fromkeys(("similarity", "liveness"), _NUMBER + _NONE),
    "result": (dict, type(None)),
}
"""Types that fields of records may have."""


class Damaged(Exception):
    """A record cannot be read. The text says why, and shows nothing of the record."""


def decode(decoder: Callable[[Any], Read], value: bytes) -> Read:
    """Return the record in the value of a row. Raises `Damaged`."""
    try:
        return decoder(json.loads(value))
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise Damaged(type(error).__name__) from None


def encode(document: dict[str, Any]) -> bytes:
    """Return a document as the value of a row."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")


def encode_camera(camera: Camera, encryption: Encryption) -> dict[str, Any]:
    """Return a camera's document. Raises KeyMissing."""
    return {**asdict(camera), **_encrypted(("cameras", camera.id, "source"), camera.source, encryption)}


def decode_camera(document: dict[str, Any], encryption: Encryption) -> Camera:
    """Return the camera of a document; its source is empty where it cannot be decrypted."""
    regions = tuple(tuple((float(x), float(y)) for x, y in region) for region in document["regions"])
    known = {field.name for field in fields(Camera)}
    given = {name: value for name, value in document.items() if name in known}
    address = _decrypted("cameras", "source", document, encryption)
    return _checked(Camera(**{**given, "regions": regions, "source": address}))


def source(document: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a camera's document that hold its source, encrypted or not."""
    return {name: value for name, value in document.items() if name in ("source", "source_sealed")}


def encode_webhook(webhook: Webhook, encryption: Encryption) -> dict[str, Any]:
    """Return a webhook's document. Raises KeyMissing."""
    hidden = {**_encrypted(("webhooks", webhook.id, "url"), webhook.url, encryption), "secret": None}
    secret = encryption.encrypt(webhook.secret, "webhooks", webhook.id, "secret_sealed")
    return {**asdict(webhook), **hidden, "secret_sealed": secret}


def decode_webhook(document: dict[str, Any], encryption: Encryption) -> Webhook:
    """Return the webhook of a document; URL and secret are empty where they cannot be decrypted."""
    return Webhook(
        document["id"],
        _decrypted("webhooks", "url", document, encryption),
        _decrypted("webhooks", "secret", document, encryption),
        tuple(document["cameras"]),
        document["gallery"],
        float(document["created_at"]),
    )


def decode_sighting(document: dict[str, Any]) -> Sighting:
    """Return the sighting of a document."""
    return _checked(Sighting(**document))


def encode_event(event: Event) -> dict[str, Any]:
    """Return an event's document."""
    return asdict(event)


def decode_event(document: dict[str, Any]) -> Event:
    """Return the event of a document."""
    return _checked(Event(**{**document, "sighting": decode_sighting(document["sighting"])}))


def blank(event: Event) -> Event:
    """Return an event that keeps nothing but number, kind, date and camera."""
    shown = event.sighting
    return replace(
        event,
        sighting=Sighting(shown.id, shown.camera, shown.gallery, None, None, "", 0.0, 0.0, 0, None, "", open=False),
    )


def encode_unknown(unknown: Unknown) -> dict[str, Any]:
    """Return a stranger's document, without the shots."""
    kept = {name: getattr(unknown, name) for name in ("id", "gallery", "network", "visits", "first_seen", "last_seen")}
    crops = sum(shot.crop is not None for shot in unknown.shots)
    return {**kept, "crops": crops, "centroid": _numbers(unknown.centroid)}


def decode_unknown(document: dict[str, Any]) -> Unknown:
    """Return the stranger of a document, without the shots."""
    return _checked(Unknown(**{**document, "centroid": _floats(document["centroid"]), "shots": ()}))


def encode_shots(shots: Sequence[Shot]) -> dict[str, Any]:
    """Return the document of a stranger's shots."""
    return {
        "shots": [
            {
                "descriptor": _numbers(shot.descriptor),
                "crop": None if shot.crop is None else _text(shot.crop),
                "grade": shot.grade,
                "liveness": shot.liveness,
            }
            for shot in shots
        ]
    }


def decode_shots(document: dict[str, Any]) -> tuple[Shot, ...]:
    """Return the shots of a document."""
    shots = tuple(
        Shot(
            _floats(each["descriptor"]),
            None if each["crop"] is None else b64decode(each["crop"]),
            float(each["grade"]),
            None if each.get("liveness") is None else float(each["liveness"]),
        )
        for each in document["shots"]
    )
    if len({shot.descriptor.shape for shot in shots}) != 1:
        raise ValueError("descriptors differ in length, or there are none")
    return shots


def encode_dead_letter(letter: DeadLetter) -> dict[str, Any]:
    """Return a dead letter's document."""
    return asdict(letter)


def decode_dead_letter(document: dict[str, Any]) -> DeadLetter:
    """Return the dead letter of a document."""
    return _checked(DeadLetter(**{**document, "event": decode_event(document["event"])}))


def decode_video(document: dict[str, Any]) -> Video:
    """Return the video of a document."""
    return _checked(Video(**document))


def _encrypted(where: tuple[str, str, str], address: str, encryption: Encryption) -> dict[str, Any]:
    """Return the fields that hold the address of a table's record, in the field of this name or encrypted."""
    table, key, name = where
    if not address or not has_secret(address):  # empty where it could not be decrypted: then there is nothing to hide
        return {name: address}
    sealed = f"{name}_sealed"
    return {name: None, sealed: encryption.encrypt(address, table, key, sealed)}


def _decrypted(table: str, name: str, document: dict[str, Any], encryption: Encryption) -> str:
    sealed = f"{name}_sealed"
    if sealed not in document:
        return str(document[name])
    try:
        return encryption.decrypt(document[sealed], table, document["id"], sealed)
    except StoreInvalid:
        return ""


def _numbers(values: Floats) -> str:
    return _text(np.asarray(values, "<f4").tobytes())


def _floats(text: str) -> Floats:
    found = np.frombuffer(b64decode(text), "<f4").astype(np.float32)
    if not len(found) or not np.isfinite(found).all() or not found.any():
        raise ValueError
    return found


def _checked(found: Read) -> Read:
    """Return a record. Raises ValueError if a field has a wrong type."""
    for name, kinds in _KINDS.items():
        if hasattr(found, name):
            value = getattr(found, name)
            if not isinstance(value, kinds) or (isinstance(value, int | float) and not math.isfinite(value)):
                raise ValueError(name)
    return found


def _text(data: bytes) -> str:
    return b64encode(data).decode()
