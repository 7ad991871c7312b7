"""The cohort of a gallery in Redis."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from facegroup.errors import StoreUnavailable
from facegroup.store import cohort, validation
from facegroup.store.audit import Origin
from facegroup.store.contract import Cohort, CohortAdded, Erased
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.redis.base import RedisBase
from facegroup.store.redis.keys import Keys
from facegroup.store.redis.scripts import script
from facegroup.types import CohortMember, Gallery

_DATE = struct.Struct("<d")


class RedisCohort(RedisBase):
    """The part of `RedisStore` that keeps cohorts; see `contract.Store` for what the methods do and raise."""

    def add_cohort(
        self,
        gallery: str,
        members: Sequence[CohortMember],
        network: str,
        *,
        once: IdempotencyKey | None = None,
        by: Origin | None = None,
    ) -> CohortAdded:
        for _ in self._steps.attempts():
            found, ids = self._ids(gallery)
            if before := self._steps.done(gallery, once):
                halves = before.split([each.id for each in members])
                return CohortAdded(*halves, len(ids), before.version)
            added, duplicates = cohort.sort_out(
                members, found, network, {each.decode(errors="replace") for each in ids}
            )
            version: int | None = found.version
            if added or once is not None:
                note = self._steps.note(
                    found.name, cohort.added(len(added), len(duplicates)), by, once, validation.places(members, added)
                )
                version = self._change(found, note, added=[self._packed(found, each) for each in added])
            if version is not None:
                return CohortAdded(tuple(each.id for each in added), duplicates, len(ids) + len(added), version)
        raise _contended(gallery)

    def cohort(self, gallery: str) -> Cohort:
        found, cipher, (rows,) = self._steps.read_values(gallery, lambda keys: ("HGETALL", keys.cohort))
        place = f"{Keys.of(found.name).cohort} :"
        bad: dict[str, str] = {}
        result = cohort.cohort(
            *(found, list(_rows(rows if found.cohort_version else {}))),
            lambda key, why: bad.update({place + key: why}),
            cipher,
        )
        self._damage.settle(found.name, found.version, lambda key: key.startswith(place), bad)
        return result

    def _erase_cohort(self, gallery: str, ids: Sequence[str] | None = None, *, by: Origin | None = None) -> Erased:
        for _ in self._steps.attempts():
            found, kept = self._ids(gallery)
            wanted = None if ids is None else {validation.sortable(each).encode() for each in ids}
            removed = [each for each in kept if wanted is None or each in wanted]
            if not removed:
                return Erased(0, 0, found.version)
            version = self._change(
                found, self._steps.note(found.name, cohort.erased(len(removed)), by), removed=removed
            )
            if version is not None:
                for each in removed:
                    self._damage.forget_cohort(found.name, each.decode(errors="replace"))
                return Erased(0, 0, version, cohort=len(removed))
        raise _contended(gallery)

    def _ids(self, gallery: str) -> tuple[Gallery, list[bytes]]:
        found, (ids,) = self._steps.read(gallery, lambda keys: ("HKEYS", keys.cohort))
        return found, ids if found.cohort_version else []

    def _change(
        self, found: Gallery, note: dict[str, Any], added: Iterable[Any] = (), removed: Iterable[bytes] = ()
    ) -> int | None:
        """Add to the cohort or erase of it; return the version, or None if another was faster with one of them.

        Raises:
            UnknownGallery: there is none.
        """
        step = script(
            "change_cohort",
            found.name,
            network=found.network,
            added=list(added),
            removed=list(removed),
            note=note,
        )
        (version,) = self._server.write(step)
        if version is None:
            raise validation.unknown_gallery(found.name)
        return None if version < 0 else int(version)

    def _packed(self, found: Gallery, member: CohortMember) -> dict[str, Any]:
        """Return a member as the script takes it: source and detector, each with a NUL after it, date and descriptor."""
        key, descriptor, source, detector, date = cohort.row_of(member, self._keys, found.name)
        return {"id": key, "value": f"{source}\0{detector}\0".encode() + _DATE.pack(date) + descriptor}


def _contended(gallery: str) -> StoreUnavailable:
    return StoreUnavailable(f"Too many requests change the cohort of {gallery} at once. Try again.")


def split_member(value: bytes) -> tuple[bytes, bytes]:
    """Return the two parts of a kept member: what it says of it, up to the date, and the descriptor."""
    size = len(b"".join(value.split(b"\0", 2)[:2])) + 2 + _DATE.size
    return value[:size], value[size:]


def _rows(kept: Mapping[bytes, bytes]) -> Iterable[tuple[Any, ...]]:
    for key, value in kept.items():
        name = key.decode(errors="replace")
        source, _, rest = value.partition(b"\0")
        detector, _, data = rest.partition(b"\0")
        whole = len(data) >= _DATE.size
        date = _DATE.unpack_from(data)[0] if whole else None
        yield name, data[_DATE.size :], source.decode(errors="replace"), detector.decode(errors="replace"), date
