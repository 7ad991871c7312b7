"""The open sightings of all cameras: what trackers observe goes in, events of beginning and end come out, written down.

One sighting is open for each camera and person at a time; it ends when the person was not seen for the camera's cooldown, or
for as long as the tracker says that somebody may be unseen. Whether somebody has left is told by a steady clock, that of the
observations: within a sighting times go on by it from when it began, whatever is made of the time of day.
What changes meanwhile is held in memory and written every few seconds, so that a server that is killed loses no more of it.
Where a tracker changes its mind about a track, the sighting is changed: it is one visit still. Used from one thread at a
time. Every method may raise `StoreUnavailable`; what was written before stays, and the rest comes with the next observation.
"""

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from facegroup.cameras.sightings.journal import Filter, Journal, News
from facegroup.cameras.sightings.strangers import KEPT, Strangers, grown, mean, wanted
from facegroup.cameras.sightings.types import Event, Observation, Shot, Sighting, Unknown
from facegroup.cameras.types import Camera
from facegroup.errors import StoreInvalid, StoreUnavailable, UnknownSighting, UnknownStranger
from facegroup.settings import Cameras
from facegroup.types import Floats

FLUSH_SECONDS = 5.0
PRUNE_SECONDS = 600.0
GRACE_SECONDS = 30.0
"""How much longer than its cooldown a sighting stays open that was begun before a restart: the cameras come back first."""

_PAGE = 500
_PRUNED = 500  # sightings erased at a time
_NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Who:
    """A member of a gallery, or a stranger to it."""

    gallery: str
    member: bool
    id: str


Place: TypeAlias = tuple[str, Who]
"""Camera and who is in front of it."""


@dataclass(slots=True)
class _Open:
    sighting: Sighting
    cooldown: float
    shift: float = 0.0  # of its times, ahead of those of observations
    since: float = _NEVER  # a track of it may have begun before: with a visit that ended
    tracks: dict[int, int] = field(default_factory=dict)  # frames of each that goes on
    frames: int = 0  # of those that are over
    grade: float = _NEVER  # of the best crop
    crop: bytes | None = None  # a better one than is written
    shots: tuple[Shot, ...] = ()  # of a stranger's tracks that are over
    dirty: bool = False

    def copy(self) -> "_Open":
        return replace(self, tracks=dict(self.tracks))

    @property
    def last(self) -> float:
        """When somebody was seen in it last, in the time of the observations."""
        return self.sighting.last_seen - self.shift

    def see(self, camera: Camera, seen: Observation, similarity: float | None) -> None:
        """Bring it up to date with one of its tracks."""
        self.tracks[seen.track] = seen.frames
        known = self.sighting
        self.cooldown, self.dirty = max(camera.cooldown, seen.patience), True
        crop = camera.snapshots and bool(seen.shots) and seen.shots[0].crop is not None
        if crop and seen.shots[0].grade > self.grade:
            self.grade, self.crop = seen.shots[0].grade, seen.shots[0].crop
        self.sighting = replace(
            known,
            first_seen=min(known.first_seen, max(self.since, seen.first_seen) + self.shift),
            last_seen=max(known.last_seen, seen.last_seen + self.shift),
            frames=self.frames + sum(self.tracks.values()),
            similarity=max((each for each in (known.similarity, similarity) if each is not None), default=None),
            crop=known.crop or crop,
            patience=self.cooldown,
        )
        if seen.ended:
            self.frames += self.tracks.pop(seen.track)
            if not self.sighting.person_id:
                every = sorted((*self.shots, *seen.shots), key=lambda shot: shot.grade, reverse=True)
                self.shots = tuple(every[:KEPT])


@dataclass(frozen=True, slots=True)
class _Stay:
    sighting: Sighting
    shift: float  # of its times, ahead of those of observations

    @property
    def last(self) -> float:
        return self.sighting.last_seen - self.shift

    def gap(self, seen: Observation) -> float:
        """Return the seconds between it and what is seen elsewhere; negative where they overlap."""
        return max(self.sighting.first_seen - self.shift - seen.last_seen, seen.first_seen - self.last)


class SightingBook:
    """Who is where now.

    Args:
        journal: where it is written.
        settings: of cameras.
        threshold: of a gallery: what the similarity of a face and a person must exceed.
        now: the clock of the observations.
    """

    def __init__(
        self,
        journal: Journal,
        settings: Cameras,
        threshold: Callable[[str], float],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._threshold = threshold
        self._open: dict[Place, _Open] = {}
        self._tracks: dict[tuple[str, int], Who] = {}
        self._promoted: set[tuple[str, int]] = set()  # tracks whose tracker does not know yet that they have a name
        self._visits: dict[Who, dict[str, _Stay]] = {}  # the latest by each camera
        self._strangers: dict[tuple[str, str, int], Strangers] = {}  # gallery, network, dimension
        self._doubtful: dict[Place, _Open] = {}  # began, and whether that was written nobody knows
        self._twice: list[Sighting] = []  # open, where another of the same is
        self._flushed = self._pruned = _NEVER
        self._restore(now())

    def observe(self, camera: Camera, observations: Sequence[Observation]) -> list[Event]:
        """Take in what a camera's tracker says of tracks that have a name, or are nobody's for sure.

        Returns:
            The events that it led to, written already.
        """
        return [event for each in observations for event in self._observe(camera, each)]

    def whose(self, camera: str, track: int) -> Who | None:
        """Return who a track of a camera is taken for now; None: nobody yet, or it is over."""
        return self._tracks.get((camera, track))

    def tick(self, now: float, reached: Mapping[str, float] | None = None, shift: float = 0.0) -> list[Event]:
        """End the sightings whose person has left, write what changed, and keep to the retention, as often as it is due.

        Args:
            now: in the time of the observations.
            reached: of cameras whose frames come late, up to when it is known who was there: nobody has left after that.
            shift: seconds by which the time of day is ahead of that: retention goes by it.
        """
        known = reached or {}
        self._settle()
        events = self._ended_twice()
        left = [at for at, each in self._open.items() if each.last + each.cooldown < min(now, known.get(at[0], now))]
        events += self._end(left)
        if abs(now - self._flushed) >= FLUSH_SECONDS:
            changed = [each for each in self._open.values() if each.dirty]
            self._journal.update([(each.sighting, each.crop) for each in changed])
            for each in changed:
                each.dirty, each.crop = False, None
            self._flushed = now
        if abs(now - self._pruned) >= PRUNE_SECONDS and self._prune(now, shift):
            self._pruned = now
        return events

    def left(self, camera: str) -> list[Event]:
        """End the open sightings of a camera that is not looked at any more."""
        events = self._end([at for at in self._open if at[0] == camera])
        self._forget_tracks(camera)
        return events

    def restarted(self, camera: str) -> None:
        """Forget the tracks of a camera, whose tracker counts from the start again; its sightings go on."""
        self._forget_tracks(camera)
        for (place, _), each in self._open.items():
            if place == camera:
                each.frames += sum(each.tracks.values())
                each.tracks.clear()

    def erase(self, gallery: str, person_id: str | None = None, unknown: str | None = None) -> int:
        """Erase the sightings of a member, of a stranger, or of a whole gallery; return how many."""

        def concerns(who: Who) -> bool:
            if person_id is None and unknown is None:
                return who.gallery == gallery
            return who == (Who(gallery, False, unknown or "") if person_id is None else Who(gallery, True, person_id))

        removed = self._journal.erase(gallery, person_id, unknown)
        self._open = {at: each for at, each in self._open.items() if not concerns(at[1])}
        self._doubtful = {at: each for at, each in self._doubtful.items() if not concerns(at[1])}
        self._twice = [each for each in self._twice if not concerns(_who(each))]
        self._visits = {who: each for who, each in self._visits.items() if not concerns(who)}
        self._tracks = {track: who for track, who in self._tracks.items() if not concerns(who)}
        if person_id is None and unknown is None:
            self._strangers = {kept: each for kept, each in self._strangers.items() if kept[0] != gallery}
        elif unknown is not None:
            self._forget(gallery, unknown)
        return removed

    def promoted(self, gallery: str, unknown: str, person_id: str, name: str) -> int:
        """Make a stranger's sightings those of a member; return how many. What is open goes on as the member's."""
        changed = self._journal.promoted(gallery, unknown, person_id, name)
        before, after = Who(gallery, False, unknown), Who(gallery, True, person_id)
        for at in [at for at in self._open if at[1] == before]:
            each = self._open.pop(at)
            each.sighting = replace(each.sighting, person_id=person_id, unknown=None, name=name)
            each.dirty, each.shots = True, ()
            there = self._open.get((at[0], after))
            if there is None:
                self._open[at[0], after] = each
            else:  # who was both all the time
                there.tracks |= each.tracks
                self._twice.append(each.sighting)
        self._promoted |= {track for track, who in self._tracks.items() if who == before}
        self._tracks = {track: after if who == before else who for track, who in self._tracks.items()}
        if before in self._visits:
            self._visits[after] = self._visits.pop(before) | self._visits.get(after, {})
        self._forget(gallery, unknown)
        return changed

    def _observe(self, camera: Camera, seen: Observation) -> list[Event]:
        self._settle()
        number = (camera.id, seen.track)
        before = self._tracks.get(number)
        who, unknown, similarity = self._who(camera, seen, before)
        place, left = (camera.id, who), (camera.id, before) if before not in (None, who) else None
        old = self._open.get(left) if left is not None else None
        alone = old is not None and old.tracks.keys() <= {seen.track}  # nobody else holds it
        found = self._open.get(place)
        if seen.ended and found is None and before == who:  # the visit was over before the track was given up
            del self._tracks[number]
            return []
        news: list[News] = []
        forgotten = None
        if found is not None:
            found = found.copy()
            if old is not None and alone:
                news.append(News("ended", replace(old.sighting, open=False), old.crop))
        elif old is not None and alone:
            found = old.copy()
            found.sighting = replace(found.sighting, **_named(who, seen), similarity=None)
            forgotten = self._mistaken(old.sighting)
            news.append(News("changed", found.sighting, None, unknown, old.sighting, forgotten))
        else:
            found = self._begun(camera, who, seen, again=before == who)
            news.append(News("began", found.sighting, None, unknown))
        found.see(camera, seen, similarity)
        events = self._record(place, found, [_shown(each, found) for each in news])
        # Written: from here on nothing can fail.
        found.sighting = next(
            (each.sighting for each in events if each.sighting.id == found.sighting.id), found.sighting
        )
        if left is not None and old is not None:
            old.tracks.pop(seen.track, None)
            if alone:
                del self._open[left]
        if forgotten is not None:
            self._forget(camera.gallery, forgotten)
        if unknown is not None:
            self._of(unknown).put(unknown)
        if any(each.sighting.id == found.sighting.id for each in news):
            found.dirty, found.crop = False, None
        self._open[place] = found
        self._tracks[number] = who
        if seen.ended:
            del self._tracks[number]
        if seen.ended or seen.person_id is not None:
            self._promoted.discard(number)
        self._visits.setdefault(who, {})[camera.id] = _Stay(found.sighting, found.shift)
        return events

    def _record(self, place: Place, found: _Open, news: Sequence[News]) -> list[Event]:
        try:
            return self._journal.record(news)
        except StoreUnavailable:
            if any(each.kind == "began" for each in news):
                self._doubtful[place] = found
            raise

    def _who(self, camera: Camera, seen: Observation, before: Who | None) -> tuple[Who, Unknown | None, float | None]:
        """Return who it is; of a stranger what is known now, where that changed, and the similarity to what was known."""
        if seen.person_id is not None:
            return Who(camera.gallery, True, seen.person_id), None, seen.similarity
        if before is not None and (not before.member or (camera.id, seen.track) in self._promoted):
            return before, None, None
        look = mean(seen.shots)
        strangers = self._strangers.setdefault((camera.gallery, seen.network, len(look)), Strangers())
        nearest = self._nearest(camera, strangers, look)
        if nearest is not None:
            who = Who(camera.gallery, False, nearest[0].id)
            visits = 0 if (camera.id, who) in self._open else 1
            known = self._known(who)
            if known is not None:
                return who, grown(known, seen.shots, seen.last_seen + seen.shift, visits), nearest[1]
            strangers.remove(who.id)
        name = self._journal.next_unknown(camera.gallery)
        shots = tuple(seen.shots[:KEPT])
        first, last = seen.first_seen + seen.shift, seen.last_seen + seen.shift
        made = Unknown(name, camera.gallery, seen.network, look, 1, first, last, shots)
        return Who(camera.gallery, False, name), made, None

    def _nearest(self, camera: Camera, strangers: Strangers, look: Floats) -> tuple[Unknown, float] | None:
        """Return who of before it is, and how similar: of those in front of the camera, who are few, less is asked."""
        least = self._settings.unknown_similarity
        threshold = self._threshold(camera.gallery) if least is None else least
        nearest = strangers.nearest(look)
        if nearest is not None and nearest[1] >= (wanted(threshold) if least is None else least):
            return nearest
        here = [who.id for place, who in self._open if place == camera.id and not who.member]
        nearest = strangers.nearest(look, here)
        return nearest if nearest is not None and nearest[1] >= threshold else None

    def _begun(self, camera: Camera, who: Who, seen: Observation, *, again: bool) -> _Open:
        """Return a new sighting; `again`: of a track that an earlier one held, which ended while it was not seen."""
        within = self._settings.link_seconds
        elsewhere = [each for place, each in self._visits.get(who, {}).items() if place != camera.id]
        near = [each for each in elsewhere if each.gap(seen) <= within]
        linked = max(near, key=lambda each: each.last, default=None)
        since = seen.last_seen if again else seen.first_seen
        made = Sighting(
            id=uuid.uuid4().hex,
            camera=camera.id,
            gallery=camera.gallery,
            first_seen=since + seen.shift,
            last_seen=seen.last_seen + seen.shift,
            frames=0,
            similarity=None,
            visit_id=linked.sighting.visit_id if linked else uuid.uuid4().hex,
            **_named(who, seen),
        )
        if again:
            return _Open(made, camera.cooldown, seen.shift, since, frames=1 - seen.frames)
        return _Open(made, camera.cooldown, seen.shift)

    def _end(self, places: Sequence[Place]) -> list[Event]:
        news = []
        grew: dict[Who, Unknown] = {}
        for place in places:
            each = self._open[place]
            known = (grew.get(place[1]) or self._known(place[1])) if each.shots else None
            if known is not None:
                grew[place[1]] = known = grown(known, each.shots, each.sighting.last_seen, 0)
            news.append(News("ended", replace(each.sighting, open=False), each.crop, known))
        events = self._journal.record(news)
        for place, told in zip(places, news, strict=True):
            del self._open[place]
            if told.unknown is not None:
                self._of(told.unknown).put(told.unknown)
        return events

    def _ended_twice(self) -> list[Event]:
        """End the sightings of whom another one is open, by the same camera."""
        events = self._journal.record([News("ended", replace(each, open=False)) for each in self._twice])
        self._twice = []
        return events

    def _settle(self) -> None:
        """Find out which sightings were begun whose writing failed: where the answer was lost they stand, and go on."""
        for place, begun in list(self._doubtful.items()):
            with suppress(UnknownSighting, StoreInvalid):
                begun.sighting = self._journal.sighting(begun.sighting.id)
                self._open[place] = begun
                begun.shots = ()
                known = None if place[1].member else self._known(place[1])
                if known is not None:
                    self._of(known).put(known)
            del self._doubtful[place]

    def _known(self, who: Who) -> Unknown | None:
        """Return a stranger with the shots; None: they are gone, or damaged."""
        try:
            return self._journal.unknown(who.gallery, who.id)
        except (UnknownStranger, StoreInvalid):
            return None

    def _mistaken(self, sighting: Sighting) -> str | None:
        """Return the stranger whom a sighting made up, where it is the only one."""
        for (gallery, *_), strangers in self._strangers.items():
            known = strangers.get(sighting.unknown or "") if gallery == sighting.gallery else None
            if known is not None and known.visits <= 1:
                return known.id
        return None

    def _restore(self, now: float) -> None:
        cooldowns = {each.id: each.cooldown for each in self._journal.cameras()}
        after = ""
        while page := self._journal.sightings(Filter(open=True), after, _PAGE):
            for each in page:
                who = _who(each)
                if (each.camera, who) in self._open:
                    self._twice.append(each)
                    continue
                cooldown = cooldowns.get(each.camera, 0.0) + GRACE_SECONDS
                shift = max(0.0, each.last_seen - now)  # nobody is seen later than now: the clock was set back
                self._open[each.camera, who] = _Open(each, cooldown, shift, frames=each.frames)
                self._visits.setdefault(who, {})[each.camera] = _Stay(each, shift)
            after = page[-1].cursor
        for unknown in self._journal.unknowns():
            self._of(unknown).put(unknown)

    def _prune(self, now: float, shift: float) -> bool:
        """Erase what is too old or too much; False: there is more, for which the cameras do not wait now."""
        before = now + shift - self._settings.keep_days * 86_400
        if self._journal.prune(before, self._settings.keep_sightings, _PRUNED) >= _PRUNED:
            return False
        self._journal.prune_videos(before, self._settings.keep_videos)
        for gallery, unknown in self._journal.prune_unknowns(before, self._settings.keep_unknowns):
            self._forget(gallery, unknown)
        soon = now - self._settings.link_seconds
        for seen in self._visits.values():
            for camera in [camera for camera, each in seen.items() if each.last < soon]:
                del seen[camera]
        self._visits = {who: each for who, each in self._visits.items() if each}
        return True

    def _forget_tracks(self, camera: str) -> None:
        self._tracks = {track: who for track, who in self._tracks.items() if track[0] != camera}
        self._promoted = {track for track in self._promoted if track[0] != camera}

    def _forget(self, gallery: str, unknown: str) -> None:
        for (kept, *_), strangers in self._strangers.items():
            if kept == gallery:
                strangers.remove(unknown)

    def _of(self, unknown: Unknown) -> Strangers:
        key = (unknown.gallery, unknown.network, len(unknown.centroid))
        return self._strangers.setdefault(key, Strangers())


def _who(sighting: Sighting) -> Who:
    return Who(sighting.gallery, sighting.person_id is not None, sighting.person_id or sighting.unknown or "")


def _named(who: Who, seen: Observation) -> dict[str, Any]:
    """Return what a sighting says of whom it is."""
    if who.member:
        return {"person_id": who.id, "unknown": None, "name": seen.name}
    return {"person_id": None, "unknown": who.id, "name": who.id}


def _shown(news: News, found: _Open) -> News:
    """Return the news with the sighting as it is now, where it is this one."""
    return replace(news, sighting=found.sighting, crop=found.crop) if news.sighting.id == found.sighting.id else news
