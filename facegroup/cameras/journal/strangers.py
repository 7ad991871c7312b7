"""The strangers of a journal."""

from dataclasses import replace

from facegroup import errors
from facegroup.cameras.journal import documents, queries
from facegroup.cameras.journal.records import ALL, PAGE, TRIES
from facegroup.cameras.journal.sightings import SightingRecords, sighting_steps
from facegroup.cameras.sightings.journal import Filter
from facegroup.cameras.sightings.types import Unknown
from facegroup.errors import StoreUnavailable
from facegroup.store.rows.rows import Count, Drop, Put, Span, Step


class StrangerRecords(SightingRecords):
    """Class that stores strangers; see `facegroup.cameras.sightings.journal.Journal`."""

    def next_unknown(self, gallery: str) -> str:
        """See `Journal`."""
        name = f"unknown:{gallery}"
        for _ in range(TRIES):
            known, last = self._counted(name)
            if self._rows.apply([Count(name, known, last + 1)]):
                self._reached[name] = last + 1
                return f"unknown-{last + 1}"
        raise StoreUnavailable("Another server counts strangers in this journal. Let only one server use it.")

    def unknowns(self, gallery: str | None = None) -> list[Unknown]:
        """See `Journal`."""
        found = self._all("unknowns", documents.decode_unknown)
        wanted = [each for each in found if gallery in (None, each.gallery)]
        return sorted(wanted, key=lambda each: each.last_seen, reverse=True)

    def unknown(self, gallery: str, unknown: str) -> Unknown:
        """See `Journal`."""
        missing = errors.UnknownStranger(f"There is no stranger {unknown[:64]!r} in gallery {gallery}.")
        key = f"{gallery}/{unknown}"
        known = self._one("unknowns", key, documents.decode_unknown, missing)
        if (known.gallery, known.id) != (gallery, unknown):
            raise missing
        return replace(known, shots=self._one("shots", key, documents.decode_shots, missing))

    def promoted(self, gallery: str, unknown: str, person_id: str, name: str) -> int:
        """See `Journal`."""
        self.unknown(gallery, unknown)
        changed = 0
        while found := self.sightings(Filter(gallery=gallery, unknown=unknown), limit=PAGE):
            steps: list[Step] = []
            for each in found:
                steps += [Drop(table, each.id) for table in queries.indices(each)]
                steps += sighting_steps(replace(each, person_id=person_id, unknown=None, name=name), None)
            self._apply(steps)
            changed += len(found)
        self._apply(drop_stranger(f"{gallery}/{unknown}"))
        self._rows.scrub()
        return changed

    def prune_unknowns(self, before: float, keep: int) -> list[tuple[str, str]]:
        """See `Journal`."""
        over = max(0, self._rows.size("unknowns") - keep)
        rows = self._rows.page("unknowns", Span(max(over, 1))) if over else []
        rows = list({row.key: row for row in [*rows, *self._rows.page("unknowns", Span(ALL, high=before))]}.values())
        if rows:
            self._apply([step for row in rows for step in drop_stranger(row.key)])
            self._rows.scrub()
        return [(gallery, unknown) for gallery, _, unknown in (row.key.rpartition("/") for row in rows)]


def stranger_steps(unknown: Unknown) -> list[Step]:
    """Return the steps that write a stranger with shots."""
    key, at = f"{unknown.gallery}/{unknown.id}", unknown.last_seen
    shots = documents.encode(documents.encode_shots(unknown.shots))
    return [Put("unknowns", key, at, documents.encode(documents.encode_unknown(unknown))), Put("shots", key, at, shots)]


def drop_stranger(unknown: str) -> list[Step]:
    """Return the steps that remove a stranger: ``gallery/id``."""
    return [Drop("unknowns", unknown), Drop("shots", unknown)]
