"""The base of both stores: a write that erases something of a gallery erases it from the staging copies too."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Unpack

from facegroup.errors import UnknownGallery, UnknownPerson
from facegroup.store import validation
from facegroup.store.audit import Origin
from facegroup.store.contract import Changes, Erased, Merged
from facegroup.store.damage import Damage, Skipped
from facegroup.store.staging import copies_of, on_copies
from facegroup.types import Gallery, Person


class StoreBase(ABC):
    """Class that holds what both stores share.

    Each of these writes is done by the method of its name with an underscore: first to the gallery, to its end, and then to
    the staging copies.
    """

    _damage: Damage

    def damaged(self) -> int:
        return self._damage.count()

    def skipped(self, gallery: str) -> Skipped:
        return self._damage.skipped(validation.normalise_gallery(gallery))

    def update_gallery(self, name: str, *, by: Origin | None = None, **changes: Unpack[Changes]) -> Gallery:
        try:
            return self._update_gallery(name, by=by, **changes)
        finally:
            if changes.get("keep_crops") is False:
                on_copies(name, self._update_gallery, keep_crops=False)

    def delete_gallery(self, name: str, *, by: Origin | None = None) -> Erased:
        try:
            return self._delete_gallery(name, by=by)
        finally:
            on_copies(name, self._delete_gallery)

    def update_person(
        self,
        gallery: str,
        person_id: str,
        *,
        name: str | None = None,
        metadata: dict[str, Any] | None = None,
        expires_at: float | None = None,
        by: Origin | None = None,
    ) -> Person:
        done = self._update_person(gallery, person_id, name=name, metadata=metadata, expires_at=expires_at, by=by)
        if expires_at is not None:
            on_copies(gallery, self._update_person, person_id, expires_at=expires_at)
        return done

    def merge_people(self, gallery: str, into: str, source: str, *, by: Origin | None = None) -> Merged:
        validation.check_merger(into, source)
        try:
            done = self._merge(gallery, into, source, by=by)
        except UnknownPerson:
            try:
                self.person(gallery, source)
            except UnknownPerson:  # merged before, by a process that was killed before it came to the copies?
                on_copies(gallery, self._delete_person, source)
            raise
        for copy in copies_of(gallery):
            with suppress(UnknownGallery, UnknownPerson):
                try:
                    self._merge(copy, into, source)
                except UnknownPerson:  # a migration or a rollback makes up for whoever of the two is missing
                    self._delete_person(copy, source)
        return done

    def delete_person(self, gallery: str, person_id: str, *, by: Origin | None = None) -> Erased:
        try:
            return self._delete_person(gallery, person_id, by=by)
        finally:
            on_copies(gallery, self._delete_person, person_id)

    def erase_expired(self, gallery: str, *, by: Origin | None = None) -> Erased:
        try:
            return self._erase_expired(gallery, by=by)
        finally:
            on_copies(gallery, self._erase_expired)

    def delete_sample(
        self, gallery: str, person_id: str, sample_id: str, *, counter: bool = False, by: Origin | None = None
    ) -> Erased:
        try:
            return self._delete_sample(gallery, person_id, sample_id, counter=counter, by=by)
        finally:
            on_copies(gallery, self._delete_sample, person_id, sample_id, counter=counter)

    def erase_cohort(self, gallery: str, ids: Sequence[str] | None = None, *, by: Origin | None = None) -> Erased:
        try:
            return self._erase_cohort(gallery, ids, by=by)
        finally:
            on_copies(gallery, self._erase_cohort, ids)

    @abstractmethod
    def person(self, gallery: str, person_id: str) -> Person: ...

    @abstractmethod
    def _update_gallery(self, name: str, *, by: Origin | None = None, **changes: Unpack[Changes]) -> Gallery: ...

    @abstractmethod
    def _delete_gallery(self, name: str, *, by: Origin | None = None) -> Erased: ...

    @abstractmethod
    def _update_person(
        self,
        gallery: str,
        person_id: str,
        *,
        name: str | None = None,
        metadata: dict[str, Any] | None = None,
        expires_at: float | None = None,
        by: Origin | None = None,
    ) -> Person: ...

    @abstractmethod
    def _merge(self, gallery: str, into: str, source: str, *, by: Origin | None = None) -> Merged: ...

    @abstractmethod
    def _delete_person(self, gallery: str, person_id: str, *, by: Origin | None = None) -> Erased: ...

    @abstractmethod
    def _erase_expired(self, gallery: str, *, by: Origin | None = None) -> Erased: ...

    @abstractmethod
    def _delete_sample(
        self, gallery: str, person_id: str, sample_id: str, *, counter: bool = False, by: Origin | None = None
    ) -> Erased: ...

    @abstractmethod
    def _erase_cohort(self, gallery: str, ids: Sequence[str] | None = None, *, by: Origin | None = None) -> Erased: ...
