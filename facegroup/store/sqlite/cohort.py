"""The cohort of a gallery in a SQLite file."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

import sqlite3
from collections.abc import Iterator, Sequence

from facegroup.store import cohort, validation
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Cohort, CohortAdded, Erased, Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.sqlite.base import SqliteBase
from facegroup.store.sqlite.reserve import erases
from facegroup.store.sqlite.rows import done, find_gallery, gallery_of, raise_version, remember
from facegroup.types import CohortMember

_COLUMNS = "id, descriptor, source, detector, created_at"


def erase_one_by_one(
    store: Store, gallery: str, ids: Sequence[str] | None = None, *, by: Origin | None = None
) -> Iterator[Erased]:
    """Erase members of a cohort one after the other; None: all that can be read."""
    wanted = store.cohort(gallery).ids if ids is None else ids
    for each in wanted if len(wanted) > 1 else ():
        yield store.erase_cohort(gallery, [each], by=by)


class SqliteCohort(SqliteBase):
    """The part of `SqliteStore` that keeps cohorts; see `contract.Store` for what the methods do and raise."""

    def add_cohort(
        self,
        gallery: str,
        members: Sequence[CohortMember],
        network: str,
        *,
        once: IdempotencyKey | None = None,
        by: Origin | None = None,
    ) -> CohortAdded:
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            if before := done(db, found, once):
                halves = before.split([each.id for each in members])
                return CohortAdded(*halves, found["cohort_size"], before.version)
            known = {row["id"] for row in db.execute("SELECT id FROM cohort WHERE gallery = ?", (found["key"],))}
            added, duplicates = cohort.sort_out(members, gallery_of(found), network, known)
            version = found["version"]
            if added:
                rows = [(found["key"], *cohort.row_of(each, self._keys, found["name"])) for each in added]
                db.executemany(f"INSERT INTO cohort (gallery, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", rows)
                version = self._raise_version(db, found, cohort.added(len(added), len(duplicates)), by)
            remember(db, found, once, "", version, validation.places(members, added))
            size = found["cohort_size"] + len(added)
            return CohortAdded(tuple(each.id for each in added), duplicates, size, version)

    def cohort(self, gallery: str) -> Cohort:
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            rows = db.execute(f"SELECT {_COLUMNS}, key FROM cohort WHERE gallery = ?", (found["key"],)).fetchall()
            cipher = db.cipher
        kept = gallery_of(found)
        keys = {str(row["id"]): f"row {row['key']} of cohort, :{row['id']}" for row in rows}
        bad: dict[str, str] = {}
        result = cohort.cohort(
            kept, [tuple(row)[:-1] for row in rows], lambda key, why: bad.update({keys[key]: why}), cipher
        )
        self._damage.settle(kept.name, kept.version, lambda key: " of cohort, " in key, bad)
        return result

    @erases(erase_one_by_one)
    def _erase_cohort(self, gallery: str, ids: Sequence[str] | None = None, *, by: Origin | None = None) -> Erased:
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            count = found["cohort_size"]
            if ids is None:
                db.execute("DELETE FROM cohort WHERE gallery = ?", (found["key"],))
            else:
                rows = [(found["key"], validation.sortable(each)) for each in ids]
                count = db.executemany("DELETE FROM cohort WHERE gallery = ? AND id = ?", rows).rowcount if rows else 0
            version = found["version"]
            if count:
                version = self._raise_version(db, found, cohort.erased(count), by)
        for each in ids or ():
            self._damage.forget_cohort(found["name"], each)
        if ids is None:
            self._damage.forget_cohort(found["name"])
        if count:
            self._file.scrub()
        return Erased(0, 0, version, cohort=count)

    def _raise_version(self, db: sqlite3.Connection, gallery: sqlite3.Row, event: Event, by: Origin | None) -> int:
        version = raise_version(db, gallery, None)
        db.execute("UPDATE galleries SET cohort_version = ? WHERE key = ?", (version, gallery["key"]))
        self._note(db, gallery["name"], event, by)
        return version
