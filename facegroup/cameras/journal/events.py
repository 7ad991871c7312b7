"""The events of a journal, numbered without a gap."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from facegroup.cameras.journal import documents, queries
from facegroup.cameras.journal.records import HIGHEST, PAGE, TRIES, Records, number_key
from facegroup.cameras.journal.sightings import sighting_steps
from facegroup.cameras.journal.strangers import drop_stranger, stranger_steps
from facegroup.cameras.sightings.journal import NewEvent
from facegroup.cameras.sightings.types import Event
from facegroup.errors import StoreUnavailable
from facegroup.store.rows.rows import Count, Drop, Put, Row, Span, Step


class EventRecords(Records):
    """Class that stores events; see `facegroup.cameras.sightings.journal.Journal`."""

    def record(self, new: Sequence[NewEvent]) -> list[Event]:
        """See `Journal`."""
        if not new:
            return []
        with self._writing:
            for _ in range(TRIES):
                (known, last), now = self._counted("seq"), time.time()
                steps: list[Step] = [Count("seq", known, last + len(new))]
                events = []
                for seq, each in enumerate(new, last + 1):
                    sighting = replace(each.sighting, seq=seq, crop=each.sighting.crop or each.crop is not None)
                    event = Event(seq, f"{sighting.id}-{seq}", each.kind, now, sighting)
                    events.append(event)
                    steps += [Drop(table, sighting.id) for table in (queries.indices(each.was) if each.was else ())]
                    steps += [*sighting_steps(sighting, each.crop), Put("told", sighting.id, seq)]
                    steps.append(Put("events", number_key(seq), seq, documents.encode(documents.encode_event(event))))
                    if each.unknown is not None:
                        steps += stranger_steps(each.unknown)
                    if each.forgotten is not None:
                        steps += drop_stranger(f"{sighting.gallery}/{each.forgotten}")
                if self._rows.apply(steps):
                    self._reached["seq"] = last + len(new)
                    return events
        raise StoreUnavailable("Another server writes events into this journal. Let only one server use it.")

    def events(self, after: int, limit: int) -> list[Event]:
        """See `Journal`."""
        found: list[Event] = []
        low = min(after + 1, HIGHEST)
        while rows := self._rows.page("events", Span(limit - len(found), low)):
            found += self._read("events", rows, documents.decode_event)
            if len(found) >= limit:
                break
            low = int(rows[-1].score) + 1
        return found

    def span(self) -> tuple[int, int]:
        """See `Journal`."""
        newest = self._rows.count("seq")
        oldest = self._rows.page("events", Span(1))
        return (int(oldest[0].score) if oldest else newest + 1, newest)

    def _old(self, before: float, over: int) -> list[Row]:
        """Return the oldest events that are too many or too old, up to the first that is neither: a clock may be wrong."""
        rows = enumerate(self._rows.page("events", Span(PAGE)))
        return [row for _, row in takewhile(lambda each: each[0] < over or self._at(each[1]) < before, rows)]

    def _at(self, row: Row) -> float:
        return next((event.at for event in self._read("events", [row], documents.decode_event)), -math.inf)
