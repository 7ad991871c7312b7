"""The galleries of a SQLite file: created, described, changed, erased, and where each stands."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Unpack

from facegroup.errors import StoreInvalid
from facegroup.store import gallery_settings, validation
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Changes, Erased, Standing, Store
from facegroup.store.sqlite import data_loss
from facegroup.store.sqlite.base import SqliteBase
from facegroup.store.sqlite.cohort import erase_one_by_one
from facegroup.store.sqlite.reserve import erases
from facegroup.store.sqlite.rows import GALLERIES, find_gallery, gallery_of, raise_version
from facegroup.types import Gallery

_SETTINGS = (
    *("name", "network", "dimension", "threshold", "keep_crops", "created_at", "quality", "probe_quality", "unique"),
    *("decision", "liveness", "detector", "fingerprint"),
)
_COLUMNS = ", ".join(f'"{name}"' for name in _SETTINGS)


def _people(store: Store, name: str, *, by: Origin | None = None) -> Iterator[Erased]:
    """Erase the cohort and the people of a gallery one after the other."""
    yield from erase_one_by_one(store, name, by=by)
    while page := store.people(name):
        for person in page:
            yield store.delete_person(name, person.id, by=by)


class SqliteGalleries(SqliteBase):
    """The part of `SqliteStore` that keeps galleries; see `contract.Store` for what the methods do and raise."""

    def create_gallery(self, gallery: Gallery, *, by: Origin | None = None) -> Gallery:
        wanted = validation.check_gallery(gallery)
        with self._file.write() as db:
            made = db.execute(
                f"INSERT INTO galleries ({_COLUMNS}, calibration, version, born)"
                f" SELECT {', '.join('?' * len(_SETTINGS))}, ?, version, version FROM erased WHERE true"
                " ON CONFLICT (name) DO NOTHING",
                (
                    *(getattr(wanted, name) for name in _SETTINGS),
                    gallery_settings.write_calibration(wanted.calibration),
                ),
            )
            if made.rowcount:
                event = Event("created", None, {"network": wanted.network, "threshold": wanted.threshold})
                self._note(db, wanted.name, event, by)
            return validation.same_gallery(self._gallery(db, wanted.name), wanted)

    def gallery(self, name: str) -> Gallery:
        with self._file.read() as db:
            return self._gallery(db, name)

    def galleries(self, after: str = "", limit: int = 100) -> list[Gallery]:
        with self._file.read() as db:
            page = (validation.sortable(after), validation.page(limit))
            listed = f"{GALLERIES} WHERE name > ? AND name NOT LIKE '%/%' ORDER BY name LIMIT ?"
            rows = db.execute(listed, page).fetchall()
        found = []
        for row in rows:
            key = f"row {row['key']} of galleries"
            bad = {}
            try:
                found.append(gallery_of(row, self._damage.count(row["name"])))
            except StoreInvalid as error:
                bad[key] = error.detail
            self._damage.settle("", 0, key.__eq__, bad)
        return found

    def _update_gallery(self, name: str, *, by: Origin | None = None, **changes: Unpack[Changes]) -> Gallery:
        columns = gallery_settings.columns(changes)
        drops = changes.get("keep_crops") is False
        with self._file.write() as db:
            gallery = find_gallery(db, name)
            gallery_settings.check_meant(gallery["network"], gallery["decision"], changes)
            if columns:
                self._set(db, gallery, columns, by)
            if drops:
                people = "SELECT key FROM people WHERE gallery = ?"
                db.execute(f"UPDATE samples SET crop = NULL WHERE person IN ({people})", (gallery["key"],))
                self._damage.forget_crops(gallery["name"])
            changed = self._gallery(db, name)
        if drops:
            self._file.scrub()
        return changed

    def pin_gallery(self, name: str, detector: str = "", fingerprint: str = "", *, by: Origin | None = None) -> Gallery:
        with self._file.write() as db:
            row = find_gallery(db, name)
            if pins := gallery_settings.unpinned(gallery_of(row), detector, fingerprint):
                self._set(db, row, pins, by)
            return self._gallery(db, name)

    @erases(_people)
    def _delete_gallery(self, name: str, *, by: Origin | None = None) -> Erased:
        with self._file.write() as db:
            gallery = find_gallery(db, name)
            people = "SELECT key FROM people WHERE gallery = ?"
            total = f"SELECT count(*), count(crop), total(counter) FROM samples WHERE person IN ({people})"
            samples, crops, counters = map(int, db.execute(total, (gallery["key"],)).fetchone())
            db.execute("DELETE FROM galleries WHERE key = ?", (gallery["key"],))
            db.execute("UPDATE erased SET version = max(version, ?)", (gallery["version"] + 1,))
            self._note(db, gallery["name"], Event("erased"), by)
        self._damage.forget(gallery["name"])
        self._file.scrub()
        return Erased(gallery["people"], samples - counters, 0, crops, counters, gallery["cohort_size"])

    def version(self, gallery: str) -> int:
        with self._file.read() as db:
            row = db.execute(
                "SELECT version FROM galleries WHERE name = ?", (validation.normalise_gallery(gallery),)
            ).fetchone()
        if row is None:
            raise validation.unknown_gallery(gallery)
        return int(row["version"])

    def standing(self, gallery: str) -> Standing:
        with self._file.read() as db:
            return data_loss.standing(db, gallery)

    def lose(self, gallery: str, version: int) -> None:
        with self._file.write() as db:
            data_loss.lose(db, gallery, version)

    def accept(self, gallery: str, version: int = 0) -> Standing:
        with self._file.write() as db:
            return data_loss.accept(db, gallery, version)

    def _set(
        self, db: sqlite3.Connection, gallery: sqlite3.Row, columns: Mapping[str, str | float], by: Origin | None
    ) -> None:
        settings = ", ".join(f'"{column}" = ?' for column in columns)
        db.execute(f"UPDATE galleries SET {settings} WHERE key = ?", (*columns.values(), gallery["key"]))
        raise_version(db, gallery, None)
        self._note(db, gallery["name"], gallery_settings.event(columns), by)

    def _gallery(self, db: sqlite3.Connection, name: str) -> Gallery:
        found = find_gallery(db, name)
        return gallery_of(found, self._damage.count(found["name"]))
