"""Writes the file that a gallery is exported to (docs/gallery.md has its format).

A ZIP without compression. Chunk after chunk: `00000/people.jsonl`, `00000/descriptors.npy`, `00000/crops.bin`; then, if
there is a cohort, `cohort.jsonl` and `cohort.npy`; then `manifest.json`, which has the sha256 and size of each; last, as
the ZIP's comment, the sha256 of all bytes before it. It is written front to back, so it can go to a file or a socket;
`archive_reader` reads it.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from facegroup.detection.detector import MTCNN
from facegroup.store.damage import Skipped
from facegroup.store.gallery_settings import write_calibration
from facegroup.types import CohortMember, Gallery, Person, Sample

FORMAT = "facegroup-gallery"
FORMAT_VERSION = 4
"""Of the files that hold what older versions do not know."""
OLDER_VERSION = 3
"""Of the files that older versions can read."""
MEMBERS = ("people.jsonl", "descriptors.npy", "crops.bin")
COHORT_MEMBERS = ("cohort.jsonl", "cohort.npy")
COHORT_FIELDS = ("id", "created_at", "source", "detector")
DIGITS = 64  # of the sha256 at the file's end
MANIFEST = "manifest.json"

_CHUNK_SAMPLES = 4_000
_CHUNK_PEOPLE = 1_000
_CHUNK_BYTES = 32 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the same gallery gives the same bytes
GALLERY_FIELDS = ("name", "network", "dimension", "threshold", "keep_crops", "version", "created_at")
LATER_FIELDS = {
    2: ("quality", "probe_quality", "calibration"),
    3: ("unique",),
    4: ("decision", "liveness", "detector", "fingerprint"),
}
"""Of a gallery, by the format from which on they are there."""
COUNTED = ("samples", "counters")
"""Of a person, what follows from the samples."""


class _Sealed(io.RawIOBase):
    """Class of a stream that replaces the last 64 bytes by the sha256 of all others."""

    def __init__(self, to: BinaryIO) -> None:
        self._to = to
        self._sum = hashlib.sha256()
        self._tail = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        whole = self._tail + bytes(data)
        ready, self._tail = whole[:-DIGITS], whole[-DIGITS:]
        self._sum.update(ready)
        self._to.write(ready)
        return len(data)

    def seal(self) -> str:
        digest = self._sum.hexdigest()
        self._to.write(digest.encode())
        return digest


@dataclass
class _Chunk:
    lines: list[bytes] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    crops: list[bytes] = field(default_factory=list)
    bytes: int = 0


class ArchiveWriter:
    """Class that writes one gallery. A person who is written again replaces the earlier one.

    Args:
        to: where the bytes go; not sought in.
        dimension: of the descriptors.
    """

    def __init__(self, to: BinaryIO, dimension: int) -> None:
        self._sealed = _Sealed(to)
        self._zip = zipfile.ZipFile(self._sealed, "w", zipfile.ZIP_STORED)
        self._zip.comment = b"0" * DIGITS
        self._dimension = dimension
        self._chunk = _Chunk()
        self._members: dict[str, dict[str, Any]] = {}
        self._chunks = 0
        self._seen: dict[str, tuple[int, int]] = {}
        self._erased: set[str] = set()
        self._settled: int | None = None
        self._newer = False

    def write(self, person: Person, samples: Sequence[Sample]) -> None:
        """Write one person with all samples, counter-examples too; `person.samples` and `.counters` are not looked at."""
        values = {each.name: getattr(person, each.name) for each in fields(Person) if each.name not in COUNTED}
        values["samples"] = [
            {
                "id": each.id,
                "created_at": each.created_at,
                "crop": None if each.crop is None else len(each.crop),
                "counter": each.counter,
                **({"detector": each.detector} if each.detector else {}),
            }
            for each in samples
        ]
        self._newer |= any(each.detector for each in samples)
        chunk = self._chunk
        chunk.lines.append(json.dumps(values, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        chunk.rows += [each.descriptor.astype("<f4").tobytes() for each in samples]
        crops = [each.crop for each in samples if each.crop is not None]
        chunk.crops += crops
        chunk.bytes += len(chunk.lines[-1]) + sum(map(len, crops)) + 4 * self._dimension * len(samples)
        self._seen[person.id] = (len(samples), len(crops))
        self._erased.discard(person.id)
        if (
            len(chunk.lines) >= _CHUNK_PEOPLE
            or len(chunk.rows) >= _CHUNK_SAMPLES
            or chunk.bytes >= _CHUNK_BYTES
            or self._settled is not None
        ):
            self._flush()

    def settle(self) -> None:
        """Note that all people were written once. From now on, people are written again or erased."""
        if self._settled is None:
            self._flush()
            self._settled = self._chunks

    def erase(self, person_id: str) -> None:
        """Note that a person was erased in the meantime."""
        if self._seen.pop(person_id, None) is not None:
            self._erased.add(person_id)

    def close(
        self, gallery: Gallery, skipped: Skipped | None = None, cohort: Sequence[CohortMember] = ()
    ) -> dict[str, Any]:
        """Write the cohort and the manifest, seal the file, and return the manifest with the file's `sha256`.

        Args:
            gallery: what was exported.
            skipped: who of it is not in the file.
            cohort: of the gallery.
        """
        missing = Skipped() if skipped is None else skipped
        self.settle()
        version = FORMAT_VERSION if self._newer or cohort or _is_newer(gallery) else OLDER_VERSION
        if cohort:
            self._write_cohort(cohort)
        names = (*GALLERY_FIELDS, *chain(*(names for since, names in LATER_FIELDS.items() if since <= version)))
        manifest = {
            "format": FORMAT,
            "format_version": version,
            "gallery": {
                **{name: getattr(gallery, name) for name in names},
                "calibration": write_calibration(gallery.calibration),
            },
            "people": len(self._seen),
            "samples": sum(samples for samples, _ in self._seen.values()),
            "crops": sum(crops for _, crops in self._seen.values()),
            **({"cohort": len(cohort)} if cohort else {}),
            "chunks": self._chunks,
            "settled": self._settled,
            "erased": sorted(self._erased),
            "skipped": {
                "people": list(missing.people),
                "samples": [list(each) for each in missing.samples],
                **({"cohort": list(missing.cohort)} if missing.cohort else {}),
            },
            "members": self._members,
        }
        self._member(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=1).encode())
        self._zip.close()
        return {**manifest, "sha256": self._sealed.seal()}

    def abandon(self) -> None:
        """Leave the file as it is, unfinished."""
        self._zip.fp = None

    def _flush(self) -> None:
        chunk, self._chunk = self._chunk, _Chunk()
        if not chunk.lines:
            return
        parts = (b"".join(chunk.lines), self._matrix(chunk.rows), b"".join(chunk.crops))
        for name, data in zip(MEMBERS, parts, strict=True):
            self._member(f"{self._chunks:05d}/{name}", data)
        self._chunks += 1

    def _write_cohort(self, cohort: Sequence[CohortMember]) -> None:
        lines = (json.dumps({name: getattr(each, name) for name in COHORT_FIELDS}).encode() + b"\n" for each in cohort)
        parts = (b"".join(lines), self._matrix([each.descriptor.astype("<f4").tobytes() for each in cohort]))
        for name, data in zip(COHORT_MEMBERS, parts, strict=True):
            self._member(name, data)

    def _matrix(self, rows: Sequence[bytes]) -> bytes:
        """Return descriptors as an npy file."""
        array = io.BytesIO()
        matrix = np.frombuffer(b"".join(rows), "<f4").reshape(len(rows), self._dimension)
        np.lib.format.write_array(array, matrix, version=(1, 0), allow_pickle=False)
        return array.getvalue()

    def _member(self, name: str, data: bytes) -> None:
        self._zip.writestr(zipfile.ZipInfo(name, _EPOCH), data)
        if name != MANIFEST:
            self._members[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _is_newer(gallery: Gallery) -> bool:
    """Whether a gallery has a setting that older versions do not know, or a calibration that they would take for another."""
    made = gallery.calibration
    if made is not None and (made.decision != "cosine" or made.detector not in ("", MTCNN)):
        return True
    settings = {each.name: each.default for each in fields(Gallery)}
    later = chain(*(names for since, names in LATER_FIELDS.items() if since > OLDER_VERSION))
    return any(getattr(gallery, name) != settings[name] for name in later)
