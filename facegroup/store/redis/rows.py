"""The records of a gallery in Redis."""

import json
import math
import struct
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from facegroup.errors import FacegroupError, StoreInvalid
from facegroup.store import validation, vectors
from facegroup.store.encryption import PLAIN, Cipher, SecretKeys, place
from facegroup.store.gallery_settings import read_calibration, write_calibration
from facegroup.store.redis.keys import Keys
from facegroup.store.validation import check_gallery
from facegroup.types import Gallery, Person, Sample

_DATE = struct.Struct("<d")


class Damaged(Exception):
    """A value is not what `facegroup` writes. Its text says why, and nothing of the value."""


@dataclass(frozen=True, slots=True)
class Record:
    """Class of a person's record. `mark` is never the same twice, so equal bytes mean that nothing was written in between.

    Attributes:
        samples: the ids of the person's samples in the order in which they came.
        counters: those of the counter-examples.
        detectors: the detectors that found them, by id, of those of whom it is known.
    """

    name: str
    metadata: dict[str, Any]
    samples: tuple[str, ...]
    created_at: float
    updated_at: float
    expires_at: float | None = None
    counters: tuple[str, ...] = ()
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    detectors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Return the record that `to_bytes` wrote, of this version or an older one. Raises `Damaged` for what is none."""
        try:
            values = json.loads(data)
            kept = {name: values[name] for name in cls.__slots__ if name in values}
            ids = {"samples": tuple(values["samples"]), "counters": tuple(values.get("counters", ()))}
            record = cls(**{**kept, **ids})
            whole = isinstance(record.name, str) and isinstance(record.metadata, dict) and bool(record.name)
            every = (*record.samples, *record.counters)
            whole &= all(isinstance(key, str) for key in every) and isinstance(record.mark, str)
            found_by = record.detectors
            whole &= isinstance(found_by, dict) and all(isinstance(each, str) for each in found_by.values())
            dates = (record.created_at, record.updated_at, record.expires_at or 0.0)
            whole &= all(isinstance(each, int | float) and math.isfinite(each) for each in dates)
        except (ValueError, TypeError, KeyError, RecursionError):
            whole = False
        if not whole:
            raise Damaged("facegroup did not write this record")
        return record

    def to_bytes(self) -> bytes:
        """Return the record as JSON."""
        values = {name: getattr(self, name) for name in self.__slots__ if name != "detectors" or self.detectors}
        return json.dumps(values, separators=(",", ":")).encode()

    def next(self, **given: Any) -> Self:
        """Return the record with the `given` values changed, dated now, and with a mark of its own.

        `detectors` are added to those that the record has; of samples that it has no longer they go.
        """
        record = replace(self, **given, updated_at=validation.now(), mark=uuid.uuid4().hex)
        known = {**self.detectors, **record.detectors}
        return replace(record, detectors={k: known[k] for k in (*record.samples, *record.counters) if k in known})

    def expiry(self) -> str | None:
        """Return when the person expires, as the scripts take it."""
        return None if self.expires_at is None else str(self.expires_at)

    def person(self, person_id: str) -> Person:
        """Return it as a person."""
        dates = (self.created_at, self.updated_at, self.expires_at)
        return Person(person_id, self.name, self.metadata, len(self.samples), *dates, len(self.counters))


def flat(fields: Mapping[str, str | int | float]) -> list[str]:
    """Return names and values one after the other, as HSET takes them."""
    return [word for name, value in fields.items() for word in (name, str(value))]


def gallery_fields(gallery: Gallery, keys: SecretKeys) -> dict[str, str | int | float]:
    """Return what is kept of a new gallery."""
    return {
        "encryption": keys.noted(keys.own),
        "name": gallery.name,
        "network": gallery.network,
        # Which no facegroup can read that does not know of keys: it would take all values for damaged ones.
        "dimension": gallery.dimension if keys.own == PLAIN else f"{gallery.dimension} encrypted",
        "threshold": gallery.threshold,
        "keep_crops": int(gallery.keep_crops),
        "created_at": gallery.created_at,
        "quality": gallery.quality,
        "probe_quality": gallery.probe_quality,
        "unique": int(gallery.unique),
        "decision": gallery.decision,
        "liveness": gallery.liveness,
        "detector": gallery.detector,
        "fingerprint": gallery.fingerprint,
        "calibration": write_calibration(gallery.calibration),
    }


def read_gallery(
    name: str, keys: SecretKeys, answer: dict[bytes, bytes] | Sequence[bytes], people: int, cohort: int
) -> tuple[Gallery, Cipher]:
    """Return the gallery of a hash, as HGETALL answers it by itself (a dict) or out of a script (a flat list).

    With it comes what reads its values.

    Raises:
        KeyMissing: its values are encrypted with a key that is none of these.
        StoreInvalid: another program wrote into it.
    """
    kept = answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))
    cipher = cipher_of(keys, kept.get(b"encryption"))
    try:
        found = _gallery(kept, people, cohort)
        if found.name == name:
            found = replace(found, name=name)  # a copy's is one
        whole = check_gallery(found).name == name
    except (KeyError, ValueError, FacegroupError):
        whole = False
    if not whole:
        raise StoreInvalid(f"{Keys.of(name).gallery} is damaged: facegroup did not write this gallery")
    return found, cipher


def cipher_of(keys: SecretKeys, words: bytes | None) -> Cipher:
    """Return what reads the values of a gallery, from the field `encryption` of its hash. Raises `KeyMissing`."""
    return keys.cipher((words or b"").decode(errors="replace"))


def _gallery(kept: dict[bytes, bytes], people: int, cohort: int) -> Gallery:
    return Gallery(
        name=kept[b"name"].decode(),
        network=kept[b"network"].decode(),
        dimension=int(kept[b"dimension"].removesuffix(b" encrypted")),
        threshold=float(kept[b"threshold"]),
        keep_crops=kept[b"keep_crops"] == b"1",
        version=int(kept[b"version"]),
        people=people,
        created_at=float(kept[b"created_at"]),
        quality=_word(kept, b"quality", "off"),
        probe_quality=_word(kept, b"probe_quality", "off"),
        calibration=read_calibration(kept.get(b"calibration")),
        unique=kept.get(b"unique", b"1") == b"1",
        decision=_word(kept, b"decision", "cosine"),
        liveness=_word(kept, b"liveness", "off"),
        detector=_word(kept, b"detector", ""),
        fingerprint=_word(kept, b"fingerprint", ""),
        # Without a version, what is there was left by an older facegroup, which does not know that it must be erased.
        cohort_size=cohort if b"cohort_version" in kept else 0,
        cohort_version=int(kept.get(b"cohort_version", 0)),
    )


def _word(kept: Mapping[bytes, bytes], name: bytes, missing: str) -> Any:
    """Return a setting that is a word, which `check_gallery` checks; `missing` where an older facegroup wrote none."""
    return kept[name].decode() if name in kept else missing


def name_member(name: str, person_id: str) -> bytes:
    """Return a person's member of the index by name; no name holds a NUL."""
    return f"{name}\0{person_id}".encode()


def sample_field(person_id: str, sample_id: str) -> str:
    """Return the field of a sample, in the gallery's samples and in its crops; no id holds a colon."""
    return f"{person_id}:{sample_id}"


def write_sample(sample: Sample) -> bytes:
    """Return a sample as kept: its date, float64, then its descriptor, both little-endian."""
    return _DATE.pack(sample.created_at) + vectors.to_bytes(sample.descriptor)


def packed_samples(keys: SecretKeys, gallery: str, person_id: str, samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return a person's samples as the scripts take them."""
    packed = []
    for each in samples:
        field = sample_field(person_id, each.id)
        value = keys.encrypt(write_sample(each), place("sample", gallery, field))
        crop = keys.encrypt(each.crop, place("crop", gallery, field)) if each.crop else None
        packed.append({"field": field, "value": value, "crop": crop})
    return packed


def detectors(samples: Sequence[Sample]) -> dict[str, str]:
    """Return what a record keeps of the detectors that found these samples."""
    return {each.id: each.detector for each in samples if each.detector}


def derived(keys: SecretKeys, gallery: str, person_id: str, samples: Sequence[Sample]) -> dict[str, bytes | None]:
    """Return what is kept of a person's samples for matching, as the scripts take it."""
    return dict(zip(("centroid", "counters"), vectors.derived(samples, keys, gallery, person_id), strict=True))


def sample_fault(data: bytes, dimension: int) -> str | None:
    """Return why a kept sample cannot be used; None where it can."""
    date, descriptor = data[: _DATE.size], data[_DATE.size :]
    if len(date) < _DATE.size or not math.isfinite(_DATE.unpack(date)[0]):
        return "it has no date"
    return vectors.faults(dimension, {"": descriptor}).get("")


def read_sample(sample_id: str, data: bytes, crop: bytes | None = None) -> Sample:
    """Return the sample that `write_sample` wrote."""
    return Sample(sample_id, vectors.from_bytes(data[_DATE.size :]), crop, _DATE.unpack_from(data)[0])
