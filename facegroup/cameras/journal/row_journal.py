"""The journal over any database of rows.

table               key                 score           value
cameras             camera              created_at      camera, its source encrypted
sightings           sighting            first_seen      sighting
by:WHAT:VALUE       sighting            first_seen      none: index for `Filter`
open · ended        sighting            last_seen       none
crops               sighting            last_seen       JPEG
events              number, 16 digits   number          event with its sighting
told                sighting            number          none: of the last event
unknowns            gallery/stranger    last_seen       stranger without shots
shots               gallery/stranger    last_seen       the best views
longest             power of two        seconds         none: some sighting lasted about as long
webhooks · videos   id                  created_at      document
cursors             subscriber          number          none
dead:SUBSCRIBER     number, 16 digits   number          dead letter
"""

from collections.abc import Iterator, Set

from facegroup.cameras.journal import queries, redaction
from facegroup.cameras.journal.cameras import CameraRecords
from facegroup.cameras.journal.events import EventRecords
from facegroup.cameras.journal.receivers import ReceiverRecords
from facegroup.cameras.journal.records import ALL, PAGE
from facegroup.cameras.journal.sightings import in_parts
from facegroup.cameras.journal.strangers import StrangerRecords, drop_stranger
from facegroup.cameras.journal.videos import VideoRecords
from facegroup.cameras.sightings.journal import Filter
from facegroup.errors import StoreFull
from facegroup.store.rows.rows import Drop, Span, Step


class RowJournal(CameraRecords, EventRecords, StrangerRecords, ReceiverRecords, VideoRecords):
    """Class that implements `facegroup.cameras.sightings.journal.Journal` over rows: records of every kind, and erasure."""

    def ping(self) -> None:
        """See `Journal`."""
        self._rows.ping()

    def close(self) -> None:
        """See `Journal`."""
        self._rows.close()

    def prune(self, before: float, keep: int, most: int = ALL) -> int:
        """See `Journal`."""
        gone = 0
        while gone < most and (rows := self._rows.page("ended", Span(min(PAGE, most - gone), high=before))):
            gone += self._remove([row.key for row in rows])
        while gone < most and (over := self._rows.size("ended") - keep) > 0:
            rows = self._rows.page("ended", Span(min(over, PAGE, most - gone)))
            gone += self._remove([row.key for row in rows])
        if gone >= most:
            return gone
        cut = 0
        while old := self._old(before, self._rows.size("events") - 2 * keep):
            self._apply([Drop("events", row.key) for row in old])
            cut += len(old)
        if gone or cut:
            self._rows.scrub()
        return gone

    def erase(self, gallery: str, person_id: str | None = None, unknown: str | None = None) -> int:
        """See `Journal`."""
        try:
            return self._erase(gallery, person_id, unknown)
        except StoreFull:
            with self._rows.making_room():
                return self._erase(gallery, person_id, unknown)

    def _erase(self, gallery: str, person_id: str | None, unknown: str | None) -> int:
        wanted = Filter(gallery=gallery, person_id=person_id, unknown=unknown)
        ids = self._concerned(wanted)
        # Names first: after an interruption the sightings still lead to all that is left.
        for steps in redaction.in_pages(self._blanked(wanted, set(ids)), PAGE):
            self._apply(steps)
        for part in in_parts(ids):
            self._remove(part, queries.gallery(gallery))
        if person_id is None:
            keys = [row.key for row in self._pages("unknowns") if row.key.rpartition("/")[0] == gallery]
            self._apply(
                [step for key in keys if unknown in (None, key.rpartition("/")[2]) for step in drop_stranger(key)]
            )
        self._rows.scrub()
        return len(ids)

    def _concerned(self, wanted: Filter) -> list[str]:
        """Return the keys of the sightings of a gallery or a person, also of those that cannot be read."""
        here = queries.gallery(wanted.gallery or "")
        if wanted.person_id is None and wanted.unknown is None:
            return [row.key for row in self._pages(here)]
        keys = [row.key for row in self._pages(queries.table_of(wanted))]
        return [row.key for part in in_parts(keys) for row in self._rows.get(here, part) if row is not None]

    def _blanked(self, wanted: Filter, ids: Set[str]) -> Iterator[Step | None]:
        for row in self._pages("events"):
            yield redaction.event_step("events", row, wanted, ids)
        for subscriber in self._pages("cursors"):
            for row in self._pages(table := f"dead:{subscriber.key}"):
                yield redaction.letter_step(table, row, wanted, ids)
        for row in self._pages("videos"):
            yield redaction.video_step(row, wanted)
