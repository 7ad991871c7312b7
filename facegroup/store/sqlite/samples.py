"""The samples of a person in a SQLite file: the photos enrolled, and the counter-examples."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

from collections.abc import Sequence

from facegroup.store import contradictions, validation
from facegroup.store.audit import Origin
from facegroup.store.contract import Enrolled, Erased
from facegroup.store.idempotency import IdempotencyKey
from facegroup.store.sqlite.base import SqliteBase
from facegroup.store.sqlite.reserve import erases
from facegroup.store.sqlite.rows import (
    SAMPLES,
    done,
    find_gallery,
    find_person,
    gallery_of,
    insert_samples,
    person_of,
    recompute,
    remember,
    sound,
)
from facegroup.types import Sample


class SqliteSamples(SqliteBase):
    """The part of `SqliteStore` that keeps samples; see `contract.Store` for what the methods do and raise."""

    def add_samples(
        self,
        gallery: str,
        person_id: str,
        samples: Sequence[Sample],
        network: str,
        *,
        once: IdempotencyKey | None = None,
        by: Origin | None = None,
    ) -> Enrolled:
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            person = find_person(db, found, person_id)
            if before := done(db, found, once):
                halves = before.split([sample.id for sample in samples])
                return Enrolled(person_of(person), *halves, before.version)
            known = {row["id"] for row in db.execute("SELECT id FROM samples WHERE person = ?", (person["key"],))}
            added, duplicates = validation.sort_out(samples, gallery_of(found), network, known)
            version = found["version"]
            if added:
                if person["counters"] or any(sample.counter for sample in added):
                    rows = db.execute(f"{SAMPLES} WHERE person = ?", (person["key"],)).fetchall()
                    usable = sound(db, self._damage, gallery_of(found), person["id"], rows)
                    contradictions.check_faces(added, usable)
                insert_samples(db, found["name"], person["id"], person["key"], added)
                version = recompute(db, found, person, self._damage)
                event = validation.enrolled(person_id, added, len(duplicates))
                self._note(db, found["name"], event, by)
            remember(db, found, once, person_id, version, validation.places(samples, added))
            after = person_of(find_person(db, found, person_id))
            return Enrolled(after, tuple(sample.id for sample in added), duplicates, version)

    def samples(
        self,
        gallery: str,
        person_id: str,
        *,
        crops: bool = False,
        counter: bool | None = False,
        only: str | None = None,
    ) -> list[Sample]:
        with self._file.read() as db:
            found = find_gallery(db, gallery)
            person = find_person(db, found, person_id)
            query = SAMPLES.replace(" FROM", ", crop FROM") if crops else SAMPLES
            which = "person = ? AND counter = ifnull(?, counter) AND id = ifnull(?, id) ORDER BY created_at, key"
            asked = (person["key"], counter, None if only is None else validation.sortable(only))
            rows = db.execute(f"{query} WHERE {which}", asked).fetchall()
            return sound(db, self._damage, gallery_of(found), person["id"], rows)

    @erases()
    def _delete_sample(
        self, gallery: str, person_id: str, sample_id: str, *, counter: bool = False, by: Origin | None = None
    ) -> Erased:
        with self._file.write() as db:
            found = find_gallery(db, gallery)
            person = find_person(db, found, person_id)
            which = (person["key"], validation.sortable(sample_id), counter)
            one = "WHERE person = ? AND id = ? AND counter = ?"
            sample = db.execute(f"SELECT crop FROM samples {one}", which).fetchone()
            if sample is None:
                raise validation.unknown_photo(person_id, counter)
            db.execute(f"DELETE FROM samples {one}", which)
            version = recompute(db, found, person, self._damage)
            self._note(db, found["name"], validation.erased_one(person_id, counter), by)
        self._damage.forget(found["name"], person_id, sample_id)
        self._file.scrub()
        return Erased(0, int(not counter), version, int(sample["crop"] is not None), int(counter))
