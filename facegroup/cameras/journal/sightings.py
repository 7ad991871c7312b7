"""The sightings of a journal, and the tables by which they are found."""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice

from facegroup import errors
from facegroup.cameras.journal import documents, queries
from facegroup.cameras.journal.records import PAGE, Records
from facegroup.cameras.sightings.journal import Filter
from facegroup.cameras.sightings.types import Sighting
from facegroup.store.rows.rows import Drop, Edge, Put, Row, Span, Step


class SightingRecords(Records):
    """Class that stores sightings; see `facegroup.cameras.sightings.journal.Journal`."""

    def update(self, sightings: Sequence[tuple[Sighting, bytes | None]]) -> None:
        """See `Journal`."""
        steps = [step for sighting, crop in sightings for step in sighting_steps(sighting, crop)]
        if steps:
            self._apply(steps)

    def sighting(self, sighting: str) -> Sighting:
        """See `Journal`."""
        missing = errors.UnknownSighting(f"There is no sighting {sighting[:64]!r}.")
        return self._one("sightings", sighting, documents.decode_sighting, missing)

    def crop(self, sighting: str) -> bytes:
        """See `Journal`."""
        (found,) = self._rows.get("crops", [sighting])
        if found is None or not found.value:
            raise errors.UnknownSighting(f"There is no sighting {sighting[:64]!r}, or no picture of it is kept.")
        return found.value

    def sightings(self, wanted: Filter, after: str = "", limit: int = 100) -> list[Sighting]:
        """See `Journal`."""
        edge = queries.edge(after) if after else None
        high = math.inf if wanted.until is None else queries.moments(wanted.until)
        if wanted.open:
            return self._still(wanted, edge, limit)
        low = -math.inf if wanted.since is None else queries.moments(wanted.since) - self._longest()
        tables = queries.tables_of(wanted)
        size = PAGE if len(tables) == 1 else min(PAGE, limit)
        newest = heapq.merge(
            *(self._newest(table, low, high, edge, size) for table in tables),
            key=lambda row: (row.score, row.key),
            reverse=True,
        )
        found: list[Sighting] = []
        while len(found) < limit and (rows := list(islice(newest, size))):
            if tables != ["sightings"]:
                rows = [each for each in self._rows.get("sightings", [row.key for row in rows]) if each is not None]
            found += [
                each for each in self._read("sightings", rows, documents.decode_sighting) if queries.holds(wanted, each)
            ]
        return found[:limit]

    def people(self) -> set[tuple[str, str]]:
        """See `Journal`."""
        rows = self._read("sightings", self._pages("sightings"), documents.decode_sighting)
        return {(each.gallery, each.person_id) for each in rows if each.person_id is not None}

    def _newest(self, table: str, low: float, high: float, edge: Edge | None, size: int) -> Iterator[Row]:
        """Yield the rows of a table behind a cursor, the newest first, read as they are asked for."""
        while rows := self._rows.page(table, Span(size, low, high, newest=True, after=edge)):
            yield from rows
            edge = (rows[-1].score, rows[-1].key)

    def _longest(self) -> float:
        return max([queries.SHORT, *(row.score for row in self._rows.page("longest", Span(1, 0, newest=True)))])

    def _still(self, wanted: Filter, edge: Edge | None, limit: int) -> list[Sighting]:
        """Return a page of the open sightings, of which there are few."""
        found = []
        for keys in in_parts([row.key for row in self._pages("open")]):
            rows = [row for row in self._rows.get("sightings", keys) if row is not None]
            found += [
                each for each in self._read("sightings", rows, documents.decode_sighting) if queries.holds(wanted, each)
            ]
        found.sort(key=lambda each: (each.first_seen, each.id), reverse=True)
        return [each for each in found if edge is None or (each.first_seen, each.id) < edge][:limit]

    def _remove(self, ids: Sequence[str], *more: str) -> int:
        """Remove sightings with their crops and index rows, also from the tables `more`."""
        steps: list[Step] = []
        for key, row in zip(ids, self._rows.get("sightings", ids), strict=True):
            steps += [Drop(table, key) for table in ("sightings", "crops", "open", "ended", "told", *more)]
            for sighting in self._read("sightings", [] if row is None else [row], documents.decode_sighting):
                steps += [Drop(table, key) for table in queries.indices(sighting)]
        self._apply(steps)
        return len(ids)


def sighting_steps(sighting: Sighting, crop: bytes | None) -> list[Step]:
    """Return the steps that write a sighting; a crop of None leaves the stored one."""
    first, last, key = sighting.first_seen, sighting.last_seen, sighting.id
    steps: list[Step] = [Put("sightings", key, first, documents.encode(asdict(sighting)))]
    steps += [Put(table, key, first) for table in queries.indices(sighting)]
    now, before = ("open", "ended") if sighting.open else ("ended", "open")
    steps += [Drop(before, key), Put(now, key, last), *queries.lasted(sighting)]
    return steps if crop is None else [*steps, Put("crops", key, last, crop)]


def in_parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Return keys in parts of a page."""
    return (keys[start : start + PAGE] for start in range(0, len(keys), PAGE))
