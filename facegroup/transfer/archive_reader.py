"""Reads an exported file (`archive_writer` writes it). A file that is not exactly right is refused.

Nothing in the file is trusted: it holds no names that become paths, nothing is unpacked or unpickled, and a member is
read only when its size and its sha256 are those of the manifest.
"""

import hashlib
import io
import json
import tokenize
import zipfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from facegroup.errors import ArchiveInvalid, ArchiveNewer, FacegroupError
from facegroup.store import cohort, metadata, validation
from facegroup.store.contradictions import MOST_COUNTERS
from facegroup.store.gallery_settings import read_calibration
from facegroup.store.names import check_id, clean_name
from facegroup.transfer.archive_writer import (
    COHORT_FIELDS,
    COHORT_MEMBERS,
    COUNTED,
    DIGITS,
    FORMAT,
    FORMAT_VERSION,
    GALLERY_FIELDS,
    LATER_FIELDS,
    MANIFEST,
    MEMBERS,
    OLDER_VERSION,
)
from facegroup.types import CohortMember, Floats, Gallery, Person, Sample

_BLOCK = 1 << 20
_MOST = 1 << 30  # bytes of one member; a writer keeps far below
_MOST_MANIFEST = 64 << 20
_PERSON = tuple(field.name for field in fields(Person) if field.name not in COUNTED)
_MANIFEST = {
    "format": str,
    "format_version": int,
    "gallery": dict,
    "people": int,
    "samples": int,
    "crops": int,
    "chunks": int,
    "settled": int,
    "erased": list,
    "members": dict,
}


class Archive:
    """Class of an open exported file. Its checksum was verified; the other checks are against files made by other programs.

    Args:
        path: the file.

    Attributes:
        gallery: what was exported.
        manifest: the file's description of itself.

    Raises:
        ArchiveInvalid: it is damaged, or not such a file.
        ArchiveNewer: it is of a newer format version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise ArchiveInvalid(f"{path} cannot be read: {error.strerror}") from error
        try:
            self._check_sum()
            self._zip = zipfile.ZipFile(self._file)
            self.manifest = self._read_manifest()
            self.gallery = self._read_gallery()
            self._check_members()
        except BaseException as error:
            self._file.close()
            if isinstance(error, (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, RecursionError)):
                raise self._fault(str(error)) from error
            raise

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def chunks(self) -> Iterator[list[tuple[Person, list[Sample]]]]:
        """Return the people with their samples, some hundreds at a time, checked; those that come again replace.

        Raises:
            ArchiveInvalid: something is not as it should be.
        """
        everybody: dict[str, tuple[int, int]] = {}
        for number in range(self.manifest["chunks"]):
            again = number >= self.manifest["settled"]
            try:
                people = self._chunk(number)
            except (FacegroupError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                if isinstance(error, ArchiveInvalid):
                    raise
                raise self._fault(f"chunk {number}: {error}") from error
            ids = {person.id for person, _ in people}
            if len(ids) < len(people) or (not again and not ids.isdisjoint(everybody)):
                raise self._fault(f"chunk {number} has a person twice")
            for person, samples in people:
                everybody[person.id] = (len(samples), sum(each.crop is not None for each in samples))
            yield people
        for person_id in self.manifest["erased"]:
            if not isinstance(person_id, str) or everybody.pop(person_id, None) is None:
                raise self._fault("it deletes a person who is not in it")
        sums = [len(everybody), *(sum(each[i] for each in everybody.values()) for i in (0, 1))]
        if sums != [self.manifest[name] for name in ("people", "samples", "crops")]:
            raise self._fault("the manifest's counts of people, samples or crops do not match")

    def cohort(self) -> list[CohortMember]:
        """Return the cohort, checked.

        Raises:
            ArchiveInvalid: something is not as it should be.
        """
        if not self._cohort_size:
            return []
        try:
            return self._read_cohort()
        except (FacegroupError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, ArchiveInvalid):
                raise
            raise self._fault(f"its cohort: {error}") from error

    @property
    def _cohort_size(self) -> int:
        size = self.manifest.get("cohort", 0)
        return int(size) if self.manifest["format_version"] > OLDER_VERSION else 0

    def _read_cohort(self) -> list[CohortMember]:
        lines, array = (self._member(name) for name in COHORT_MEMBERS)
        found = []
        for line, row in zip(lines.splitlines(), self._descriptors(array), strict=True):
            values = json.loads(line)
            if set(values) != set(COHORT_FIELDS):
                raise ValueError("a member is malformed")
            values["created_at"] = _number(values["created_at"])
            found.append(CohortMember(descriptor=row, **values))
        kept, again = cohort.sort_out(found, self.gallery, self.gallery.network, ())
        if again or len(kept) != self._cohort_size:
            raise ValueError("its members are not as many as the manifest says, or one is in it twice")
        return kept

    def _check_sum(self) -> None:
        size = self._path.stat().st_size
        digest = hashlib.sha256()
        left = size - DIGITS
        while left > 0 and (block := self._file.read(min(_BLOCK, left))):
            digest.update(block)
            left -= len(block)
        if left or self._file.read() != digest.hexdigest().encode():
            raise self._fault("its checksum does not match")

    def _read_manifest(self) -> dict[str, Any]:
        infos = self._zip.infolist()
        if not infos or infos[-1].filename != MANIFEST or infos[-1].file_size > _MOST_MANIFEST:
            raise self._fault("it has no manifest")
        self._plain(infos[-1])
        found = json.loads(self._zip.read(infos[-1]))
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise self._fault("it is not an exported gallery")
        version = found.get("format_version")
        if isinstance(version, int) and not isinstance(version, bool) and version > FORMAT_VERSION:
            raise ArchiveNewer(f"{self._path} is of format version {version}; this facegroup knows {FORMAT_VERSION}")
        right = all(type(found.get(name)) is kind for name, kind in _MANIFEST.items())
        size = found.get("cohort", 0)
        right &= type(size) is int and size >= 0
        if version not in range(1, FORMAT_VERSION + 1) or not right:
            raise self._fault("its manifest is malformed")
        return found

    def _read_gallery(self) -> Gallery:
        values = self.manifest["gallery"]
        kinds = {"name": str, "network": str, "dimension": int, "keep_crops": bool, "version": int}
        later = [
            name for since, names in LATER_FIELDS.items() if since <= self.manifest["format_version"] for name in names
        ]
        wanted = (*GALLERY_FIELDS, *later)
        kinds |= {name: bool if name == "unique" else str for name in later}
        if set(values) != set(wanted) or any(type(values[name]) is not kind for name, kind in kinds.items()):
            raise self._fault("its manifest does not describe a gallery")
        values |= {name: _number(values[name]) for name in ("threshold", "created_at")}
        try:
            values |= {"calibration": read_calibration(values.get("calibration"))}
            return validation.check_gallery(Gallery(**values))
        except FacegroupError as error:
            raise self._fault(error.detail) from error

    def _check_members(self) -> None:
        infos = self._zip.infolist()
        here = [info.filename for info in infos[:-1]]
        count = self.manifest["chunks"]
        apart = COHORT_MEMBERS if self._cohort_size else ()
        chunks = (len(here) - len(apart)) // len(MEMBERS)
        wanted = [f"{number:05d}/{name}" for number in range(chunks) for name in MEMBERS] + list(apart)
        if here != wanted or count != chunks or not 0 <= self.manifest["settled"] <= count:
            raise self._fault("it has unexpected members")
        if list(self.manifest["members"]) != wanted:
            raise self._fault("its manifest names other members than the file has")
        for info in infos[:-1]:
            self._plain(info)

    def _plain(self, info: zipfile.ZipInfo) -> None:
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.file_size > _MOST:
            raise self._fault("a member is compressed or too large")

    def _member(self, name: str) -> bytes:
        said = self.manifest["members"][name]
        try:
            data = self._zip.read(name)
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
            raise self._fault(f"{name}: {error}") from error
        if said != {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}:
            raise self._fault(f"{name} does not match the manifest")
        return data

    def _chunk(self, number: int) -> list[tuple[Person, list[Sample]]]:
        lines, array, crops = (self._member(f"{number:05d}/{name}") for name in MEMBERS)
        rows = self._descriptors(array)
        people: list[tuple[Person, list[Sample]]] = []
        row = at = 0
        for line in lines.splitlines():
            values = json.loads(line)
            listed = values.pop("samples")
            if not set(values) <= set(_PERSON) or clean_name(values["name"]) != values["name"]:
                raise ValueError("a person is malformed")
            check_id(values["id"])
            metadata.check(values["metadata"])
            values |= {name: _number(values[name]) for name in ("created_at", "updated_at")}
            expiry = values.get("expires_at")
            values["expires_at"] = None if expiry is None else validation.check_expiry(_number(expiry))
            samples = []
            for each in listed:
                size = each["crop"]
                counter = each.get("counter", False)
                detector = each.pop("detector", "") if self.manifest["format_version"] > OLDER_VERSION else ""
                if set(each) != self._sample or not (size is None or (type(size) is int and size > 0)):
                    raise ValueError("a sample is malformed")
                if type(counter) is not bool:
                    raise ValueError("a sample is malformed")
                crop = None if size is None else crops[at : at + size]
                at += size or 0
                date = _number(each["created_at"])
                samples.append(Sample(each["id"], rows[row], crop, date, counter, detector))
                row += 1
            if validation.sort_out(samples, self.gallery, self.gallery.network, ())[1]:
                raise ValueError("a person has a sample twice")
            counters = sum(each.counter for each in samples)
            if counters > MOST_COUNTERS:
                raise ValueError("a person has too many counter-examples")
            people.append((Person(**values, samples=len(samples) - counters, counters=counters), samples))
        if row != len(rows) or at != len(crops):
            raise ValueError("there are more descriptors or crops than samples")
        return people

    @property
    def _sample(self) -> set[str]:
        """What is said of a sample."""
        return {"id", "created_at", "crop"} | ({"counter"} if self.manifest["format_version"] > 1 else set())

    def _descriptors(self, data: bytes) -> Floats:
        stream = io.BytesIO(data)
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("the descriptors are of another npy version")
        try:
            shape, by_column, dtype = np.lib.format.read_array_header_1_0(stream)
        except (SyntaxError, tokenize.TokenError) as error:  # NumPy lets these through, too
            raise ValueError("the header of the descriptors is malformed") from error
        body = data[stream.tell() :]
        right = len(shape) == 2 and shape[1] == self.gallery.dimension and not by_column and dtype == np.dtype("<f4")
        if not right or len(body) != 4 * shape[0] * shape[1]:
            raise ValueError(f"descriptors must be float32 of {self.gallery.dimension} numbers, not {dtype} {shape}")
        return np.frombuffer(body, "<f4").astype(np.float32).reshape(shape)

    def _fault(self, what: str) -> ArchiveInvalid:
        return ArchiveInvalid(f"{self._path} cannot be imported: {what}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _number(value: Any) -> float:
    """Return a finite number. Raises `ValueError`."""
    if type(value) not in (int, float) or not np.isfinite(value):
        raise ValueError("a date or threshold is not a number")
    return float(value)
