"""The journal over any database of rows: cameras, sightings, events, strangers, receivers and videos in, and out again.

    table               key                 score           value
    cameras             camera              created_at      camera, its source sealed
    sightings           sighting            first_seen      sighting
    by:WHAT:VALUE       sighting            first_seen      none: where `Filter` looks
    open · ended        sighting            last_seen       none
    crops               sighting            last_seen       JPEG
    events              number, 16 digits   number          event with its sighting
    told                sighting            number          none: of the last event
    unknowns            gallery/stranger    last_seen       stranger without shots
    shots               gallery/stranger    last_seen       the best looks
    longest             power of two        seconds         none: some sighting lasted about as long
    webhooks · videos   id                  created_at      document
    cursors             subscriber          number          none
    dead:SUBSCRIBER     number, 16 digits   number          dead letter

What cannot be read is skipped and logged by its key.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import asdict, replace
from itertools import takewhile
from typing import Any, TypeVar

from facegroup import errors
from facegroup.cameras.journal import documents, queries, redaction
from facegroup.cameras.journal.encryption import Encryption
from facegroup.cameras.journal.rows import Count, Drop, Edge, Put, Row, Rows, Step
from facegroup.cameras.sightings.journal import Filter, NewEvent
from facegroup.cameras.sightings.types import DeadLetter, Event, Sighting, Unknown, Video, Webhook
from facegroup.cameras.types import Camera
from facegroup.errors import FacegroupError, StoreInvalid, StoreUnavailable

log = logging.getLogger(__name__)

Read = TypeVar("Read")

_PAGE = 500
_ALL = 1_000_000
_HIGHEST = 1 << 53  # of numbers that a score tells from the next
_TRIES = 20  # of a step whose count somebody else raised


class RowJournal:
    """`facegroup.cameras.sightings.journal.Journal` over rows.

    Args:
        rows: the database.
        seal: of passwords.
    """

    def __init__(self, rows: Rows, seal: Encryption) -> None:
        self._rows = rows
        self._seal = seal
        self._writing = threading.Lock()
        self._reached: dict[str, int] = {}  # counts: a database that lost some goes on from here

    def ping(self) -> None:
        """See `Journal`."""
        self._rows.ping()

    def close(self) -> None:
        """See `Journal`."""
        self._rows.close()

    # Cameras

    def cameras(self) -> list[Camera]:
        """See `Journal`."""
        found = self._all("cameras", self._to_camera)
        return sorted(found, key=lambda each: each.id)

    def camera(self, camera: str) -> Camera:
        """See `Journal`."""
        return self._one("cameras", camera, self._to_camera, errors.UnknownCamera(f"there is no camera {camera!r}"))

    def create_camera(self, camera: Camera, limit: int) -> Camera:
        """See `Journal`."""
        made = replace(camera, created_at=camera.created_at or time.time(), updated_at=time.time())
        full = errors.TooManyCameras(f"there are {limit} cameras, and FACEGROUP_CAMERAS__LIMIT allows no more")
        exists = errors.CameraExists(f"there is a camera {camera.id!r} already")
        self._create("cameras", made.id, made.created_at, documents.of_camera(made, self._seal), limit, full, exists)
        return made

    def replace_camera(self, camera: Camera) -> Camera:
        """See `Journal`."""
        with self._writing:
            (row,) = self._rows.get("cameras", [camera.id])
            made = replace(camera, created_at=self.camera(camera.id).created_at, updated_at=time.time())
            document = documents.of_camera(made, self._seal)
            if not made.source and row is not None:  # the key is another, and what was sealed is kept for the right one
                document |= documents.reading(documents.source, row.value)
            value = documents.written(document)
            self._apply([Put("cameras", made.id, made.created_at, value)])
        return made

    def delete_camera(self, camera: str) -> None:
        """See `Journal`."""
        self._delete("cameras", camera, errors.UnknownCamera(f"there is no camera {camera!r}"))

    # Sightings

    def record(self, news: Sequence[NewEvent]) -> list[Event]:
        """See `Journal`."""
        if not news:
            return []
        with self._writing:
            for _ in range(_TRIES):
                (known, last), now = self._counted("seq"), time.time()
                steps: list[Step] = [Count("seq", known, last + len(news))]
                events = []
                for seq, each in enumerate(news, last + 1):
                    sighting = replace(each.sighting, seq=seq, crop=each.sighting.crop or each.crop is not None)
                    event = Event(seq, f"{sighting.id}-{seq}", each.kind, now, sighting)
                    events.append(event)
                    steps += [Drop(table, sighting.id) for table in (queries.indices(each.was) if each.was else ())]
                    steps += [*_sighting_steps(sighting, each.crop), Put("told", sighting.id, seq)]
                    steps.append(Put("events", _number(seq), seq, documents.written(documents.of_event(event))))
                    if each.unknown is not None:
                        steps += _unknown_steps(each.unknown)
                    if each.forgotten is not None:
                        steps += _gone(f"{sighting.gallery}/{each.forgotten}")
                if self._rows.apply(steps):
                    self._reached["seq"] = last + len(news)
                    return events
        raise StoreUnavailable("somebody else writes events into this journal: one server may have it")

    def update(self, sightings: Sequence[tuple[Sighting, bytes | None]]) -> None:
        """See `Journal`."""
        steps = [step for sighting, crop in sightings for step in _sighting_steps(sighting, crop)]
        if steps:
            self._apply(steps)

    def sighting(self, sighting: str) -> Sighting:
        """See `Journal`."""
        return self._one("sightings", sighting, documents.to_sighting, _no_sighting(sighting))

    def crop(self, sighting: str) -> bytes:
        """See `Journal`."""
        (found,) = self._rows.get("crops", [sighting])
        if found is None:
            raise _no_sighting(sighting, "no picture of it is kept, or ")
        return found.value

    def sightings(self, wanted: Filter, after: str = "", limit: int = 100) -> list[Sighting]:
        """See `Journal`."""
        edge = queries.edge(after) if after else None
        high = math.inf if wanted.until is None else queries.moments(wanted.until)
        if wanted.open:
            return self._still(wanted, edge, limit)
        low = -math.inf if wanted.since is None else queries.moments(wanted.since) - self._longest()
        table = queries.table_of(wanted)
        found: list[Sighting] = []
        while len(found) < limit:
            rows = self._rows.page(table, low, high, _PAGE, newest=True, after=edge)
            if not rows:
                break
            edge = (rows[-1].score, rows[-1].key)
            if table != "sightings":
                rows = [each for each in self._rows.get("sightings", [row.key for row in rows]) if each is not None]
            found += [
                each for each in self._read("sightings", rows, documents.to_sighting) if queries.holds(wanted, each)
            ]
        return found[:limit]

    def people(self) -> set[tuple[str, str]]:
        """See `Journal`."""
        rows = self._read("sightings", self._pages("sightings"), documents.to_sighting)
        return {(each.gallery, each.person_id) for each in rows if each.person_id is not None}

    def events(self, after: int, limit: int) -> list[Event]:
        """See `Journal`."""
        found: list[Event] = []
        low = min(after + 1, _HIGHEST)
        while rows := self._rows.page("events", low, math.inf, limit - len(found)):
            found += self._read("events", rows, documents.to_event)
            if len(found) >= limit:
                break
            low = int(rows[-1].score) + 1
        return found

    def span(self) -> tuple[int, int]:
        """See `Journal`."""
        newest = self._rows.count("seq")
        oldest = self._rows.page("events", -math.inf, math.inf, 1)
        return (int(oldest[0].score) if oldest else newest + 1, newest)

    def prune(self, before: float, keep: int, most: int = _ALL) -> int:
        """See `Journal`."""
        gone = 0
        while gone < most and (rows := self._rows.page("ended", -math.inf, before, min(_PAGE, most - gone))):
            gone += self._remove([row.key for row in rows])
        while gone < most and (over := self._rows.size("ended") - keep) > 0:
            rows = self._rows.page("ended", -math.inf, math.inf, min(over, _PAGE, most - gone))
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
        except errors.StoreFull:
            with self._rows.making_room():
                return self._erase(gallery, person_id, unknown)

    def _erase(self, gallery: str, person_id: str | None, unknown: str | None) -> int:
        wanted = Filter(gallery=gallery, person_id=person_id, unknown=unknown)
        ids = self._concerned(wanted)
        # Names first: whoever is interrupted finds the sightings again, and all that is left.
        for steps in redaction.in_pages(self._blanked(wanted, set(ids)), _PAGE):
            self._apply(steps)
        for start in range(0, len(ids), _PAGE):
            self._remove(ids[start : start + _PAGE], queries.gallery(gallery))
        if person_id is None:
            keys = [row.key for row in self._pages("unknowns") if row.key.rpartition("/")[0] == gallery]
            self._apply([step for key in keys if unknown in (None, key.rpartition("/")[2]) for step in _gone(key)])
        self._rows.scrub()
        return len(ids)

    # Strangers

    def next_unknown(self, gallery: str) -> str:
        """See `Journal`."""
        name = f"unknown:{gallery}"
        for _ in range(_TRIES):
            known, last = self._counted(name)
            if self._rows.apply([Count(name, known, last + 1)]):
                self._reached[name] = last + 1
                return f"unknown-{last + 1}"
        raise StoreUnavailable("somebody else counts strangers in this journal: one server may have it")

    def unknowns(self, gallery: str | None = None) -> list[Unknown]:
        """See `Journal`."""
        found = self._all("unknowns", documents.to_unknown)
        wanted = [each for each in found if gallery in (None, each.gallery)]
        return sorted(wanted, key=lambda each: each.last_seen, reverse=True)

    def unknown(self, gallery: str, unknown: str) -> Unknown:
        """See `Journal`."""
        missing = errors.UnknownStranger(f"the gallery {gallery} has no stranger {unknown[:64]!r}")
        key = f"{gallery}/{unknown}"
        known = self._one("unknowns", key, documents.to_unknown, missing)
        if (known.gallery, known.id) != (gallery, unknown):
            raise missing
        return replace(known, shots=self._one("shots", key, documents.to_shots, missing))

    def promoted(self, gallery: str, unknown: str, person_id: str, name: str) -> int:
        """See `Journal`."""
        self.unknown(gallery, unknown)
        changed = 0
        while found := self.sightings(Filter(gallery=gallery, unknown=unknown), limit=_PAGE):
            steps: list[Step] = []
            for each in found:
                steps += [Drop(table, each.id) for table in queries.indices(each)]
                steps += _sighting_steps(replace(each, person_id=person_id, unknown=None, name=name), None)
            self._apply(steps)
            changed += len(found)
        self._apply(_gone(f"{gallery}/{unknown}"))
        self._rows.scrub()
        return changed

    def prune_unknowns(self, before: float, keep: int) -> list[tuple[str, str]]:
        """See `Journal`."""
        over = max(0, self._rows.size("unknowns") - keep)
        rows = self._rows.page("unknowns", -math.inf, math.inf, max(over, 1)) if over else []
        rows = list({row.key: row for row in [*rows, *self._rows.page("unknowns", -math.inf, before, _ALL)]}.values())
        if rows:
            self._apply([step for row in rows for step in _gone(row.key)])
            self._rows.scrub()
        return [(gallery, unknown) for gallery, _, unknown in (row.key.rpartition("/") for row in rows)]

    # Receivers

    def webhooks(self) -> list[Webhook]:
        """See `Journal`."""
        found = self._all("webhooks", lambda document: documents.to_webhook(document, self._seal))
        return sorted(found, key=lambda each: each.id)

    def create_webhook(self, webhook: Webhook, limit: int) -> Webhook:
        """See `Journal`."""
        made = replace(webhook, created_at=webhook.created_at or time.time())
        full = errors.TooManyWebhooks(f"there are {limit} webhooks, and FACEGROUP_CAMERAS__WEBHOOKS allows no more")
        exists = errors.WebhookExists(f"there is a webhook {webhook.id!r} already")
        subscriber = Put("cursors", f"webhook:{made.id}", self._rows.count("seq"))
        document = documents.of_webhook(made, self._seal)
        self._create("webhooks", made.id, made.created_at, document, limit, full, exists, subscriber)
        return made

    def delete_webhook(self, webhook: str) -> None:
        """See `Journal`."""
        subscriber = f"webhook:{webhook}"
        letters = [Drop(f"dead:{subscriber}", row.key) for row in self._pages(f"dead:{subscriber}")]
        missing = errors.UnknownWebhook(f"there is no webhook {webhook!r}")
        self._delete("webhooks", webhook, missing, Drop("cursors", subscriber), *letters)

    def cursor(self, subscriber: str) -> int | None:
        """See `Journal`."""
        (found,) = self._rows.get("cursors", [subscriber])
        return None if found is None else int(found.score)

    def advance(self, subscriber: str, seq: int, dead: DeadLetter | None = None) -> None:
        """See `Journal`."""
        steps: list[Step] = [Put("cursors", subscriber, seq)]
        if dead is not None:
            number = dead.event.seq
            value = documents.written(documents.of_dead_letter(dead))
            steps.append(Put(f"dead:{subscriber}", _number(number), number, value))
        kind, _, webhook = subscriber.partition(":")
        with self._writing:
            # What a receiver took while it was being removed must not bring it back, with a dead letter for nobody.
            if kind != "webhook" or self._rows.get("webhooks", [webhook]) != [None]:
                self._apply(steps)

    def dead_letters(self, subscriber: str, after: int = 0, limit: int = 100) -> list[DeadLetter]:
        """See `Journal`."""
        rows = self._rows.page(f"dead:{subscriber}", min(after + 1, _HIGHEST), math.inf, limit)
        return list(self._read(f"dead:{subscriber}", rows, documents.to_dead_letter))

    def forget_dead_letters(self, subscriber: str, seqs: Sequence[int]) -> None:
        """See `Journal`."""
        if seqs:
            self._apply([Drop(f"dead:{subscriber}", _number(seq)) for seq in seqs])

    # Videos

    def videos(self, limit: int = 100) -> list[Video]:
        """See `Journal`."""
        rows = self._rows.page("videos", -math.inf, math.inf, limit, newest=True)
        return [replace(each, result=None) for each in self._read("videos", rows, documents.to_video)]

    def video(self, video: str) -> Video:
        """See `Journal`."""
        return self._one("videos", video, documents.to_video, errors.UnknownVideo(f"there is no video {video[:64]!r}"))

    def write_video(self, video: Video) -> None:
        """See `Journal`."""
        self._apply([Put("videos", video.id, video.created_at, documents.written(asdict(video)))])

    def delete_video(self, video: str) -> None:
        """See `Journal`."""
        self._delete("videos", video, errors.UnknownVideo(f"there is no video {video[:64]!r}"))
        self._rows.scrub()

    def prune_videos(self, before: float, keep: int) -> int:
        """See `Journal`."""
        rows = self._rows.page("videos", -math.inf, math.inf, _ALL)
        old = [row for number, row in enumerate(rows) if number < len(rows) - keep or row.score < before]
        if old:
            self._apply([Drop("videos", row.key) for row in old])
            self._rows.scrub()
        return len(old)

    # What they share

    def _apply(self, steps: Sequence[Step]) -> None:
        self._rows.apply(steps)  # without a count it is always done

    def _create(
        self,
        table: str,
        key: str,
        score: float,
        document: dict[str, Any],
        limit: int,
        full: FacegroupError,
        exists: FacegroupError,
        *more: Step,
    ) -> None:
        with self._writing:
            (found,) = self._rows.get(table, [key])
            if found is not None:
                raise exists
            if self._rows.size(table) >= limit:
                raise full
            self._apply([Put(table, key, score, documents.written(document)), *more])

    def _delete(self, table: str, key: str, missing: FacegroupError, *more: Step) -> None:
        with self._writing:
            (found,) = self._rows.get(table, [key])
            if found is None:
                raise missing
            self._apply([Drop(table, key), *more])

    def _counted(self, name: str) -> tuple[int, int]:
        """Return a count as it is, and the number to go on from: of a database that lost some, the one reached before."""
        known = self._rows.count(name)
        last = max(known, self._reached.get(name, 0))
        if last > known:
            log.warning("the journal lost data: %s was %d, and is %d; it goes on at %d", name, last, known, last + 1)
        return known, last

    def _longest(self) -> float:
        return max([queries.SHORT, *(row.score for row in self._rows.page("longest", 0, math.inf, 1, newest=True))])

    def _still(self, wanted: Filter, edge: Edge | None, limit: int) -> list[Sighting]:
        """Return a page of those that are open, of which there are few."""
        found = []
        for keys in _parts([row.key for row in self._pages("open")]):
            rows = [row for row in self._rows.get("sightings", keys) if row is not None]
            found += [
                each for each in self._read("sightings", rows, documents.to_sighting) if queries.holds(wanted, each)
            ]
        found.sort(key=lambda each: (each.first_seen, each.id), reverse=True)
        return [each for each in found if edge is None or (each.first_seen, each.id) < edge][:limit]

    def _remove(self, ids: Sequence[str], *more: str) -> int:
        """Remove sightings with crops and what finds them, in these tables too."""
        steps: list[Step] = []
        for key, row in zip(ids, self._rows.get("sightings", ids), strict=True):
            steps += [Drop(table, key) for table in ("sightings", "crops", "open", "ended", "told", *more)]
            for sighting in self._read("sightings", [] if row is None else [row], documents.to_sighting):
                steps += [Drop(table, key) for table in queries.indices(sighting)]
        self._apply(steps)
        return len(ids)

    def _concerned(self, wanted: Filter) -> list[str]:
        """Return the sightings of a gallery, or of somebody of it, those that cannot be read among them."""
        here = queries.gallery(wanted.gallery or "")
        if wanted.person_id is None and wanted.unknown is None:
            return [row.key for row in self._pages(here)]
        keys = [row.key for row in self._pages(queries.table_of(wanted))]
        return [row.key for part in _parts(keys) for row in self._rows.get(here, part) if row is not None]

    def _blanked(self, wanted: Filter, ids: Set[str]) -> Iterator[Step | None]:
        for row in self._pages("events"):
            yield redaction.event_step("events", row, wanted, ids)
        for subscriber in self._pages("cursors"):
            for row in self._pages(table := f"dead:{subscriber.key}"):
                yield redaction.letter_step(table, row, wanted, ids)
        for row in self._pages("videos"):
            yield redaction.video_step(row, wanted)

    def _old(self, before: float, over: int) -> list[Row]:
        """Return the oldest events that are over or too old, and no other behind one that is not: a clock may be wrong."""
        rows = enumerate(self._rows.page("events", -math.inf, math.inf, _PAGE))
        return [row for _, row in takewhile(lambda each: each[0] < over or self._at(each[1]) < before, rows)]

    def _at(self, row: Row) -> float:
        return next((event.at for event in self._read("events", [row], documents.to_event)), -math.inf)

    def _to_camera(self, document: dict[str, Any]) -> Camera:
        return documents.to_camera(document, self._seal)

    def _all(self, table: str, form: Callable[[Any], Read]) -> list[Read]:
        return list(self._read(table, self._pages(table), form))

    def _pages(self, table: str) -> Iterator[Row]:
        edge: tuple[float, str] | None = None
        while rows := self._rows.page(table, -math.inf, math.inf, _PAGE, after=edge):
            yield from rows
            edge = (rows[-1].score, rows[-1].key)

    def _one(self, table: str, key: str, form: Callable[[Any], Read], missing: FacegroupError) -> Read:
        (row,) = self._rows.get(table, [key])
        if row is None:
            raise missing
        try:
            return documents.reading(form, row.value)
        except documents.Damaged as error:
            raise StoreInvalid(f"{table} {key} of the journal is damaged: {error}") from None

    @staticmethod
    def _read(table: str, rows: Sequence[Row] | Iterator[Row], form: Callable[[Any], Read]) -> Iterator[Read]:
        for row in rows:
            try:
                yield documents.reading(form, row.value)
            except documents.Damaged as error:
                log.error("skipped a damaged value: %s %s: %s", table, row.key, error)


def _sighting_steps(sighting: Sighting, crop: bytes | None) -> list[Step]:
    first, last, key = sighting.first_seen, sighting.last_seen, sighting.id
    steps: list[Step] = [Put("sightings", key, first, documents.written(asdict(sighting)))]
    steps += [Put(table, key, first) for table in queries.indices(sighting)]
    now, before = ("open", "ended") if sighting.open else ("ended", "open")
    steps += [Drop(before, key), Put(now, key, last), *queries.lasted(sighting)]
    return steps if crop is None else [*steps, Put("crops", key, last, crop)]


def _unknown_steps(unknown: Unknown) -> list[Step]:
    key, at = f"{unknown.gallery}/{unknown.id}", unknown.last_seen
    shots = documents.written(documents.of_shots(unknown.shots))
    return [Put("unknowns", key, at, documents.written(documents.of_unknown(unknown))), Put("shots", key, at, shots)]


def _gone(unknown: str) -> list[Step]:
    return [Drop("unknowns", unknown), Drop("shots", unknown)]


def _parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + _PAGE] for start in range(0, len(keys), _PAGE))


def _number(seq: int) -> str:
    return f"{seq:016d}"


def _no_sighting(sighting: str, more: str = "") -> FacegroupError:
    return errors.UnknownSighting(f"{more}there is no sighting {sighting[:64]!r}")
