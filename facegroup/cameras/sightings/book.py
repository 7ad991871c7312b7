"""The open sightings of all cameras, and the one place that writes them.

One sighting is open for each camera and person. It ends when the person was not seen for the camera's cooldown, or longer
where frames are rare (`Observation.patience`). A sighting whose track turns out to be another person is changed, and stays
one visit. Changes without an event are written every few seconds, so that a server that is killed loses no more of them.

Use it from one thread at a time. Every method may raise `StoreUnavailable`: what was written before stays, and the rest is
written with the next observation.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from facegroup.cameras.sightings.journal import Filter, Journal, NewEvent
from facegroup.cameras.sightings.open_sighting import NEVER, Identity, OpenSighting, Stay
from facegroup.cameras.sightings.stranger_matcher import StrangerMatcher
from facegroup.cameras.sightings.strangers import grown
from facegroup.cameras.sightings.types import Event, Observation, Sighting, Unknown
from facegroup.cameras.types import Camera
from facegroup.errors import StoreInvalid, StoreUnavailable, UnknownSighting
from facegroup.settings import Cameras

FLUSH_SECONDS = 5.0
PRUNE_SECONDS = 600.0
GRACE_SECONDS = 30.0
"""How much longer than its cooldown a sighting stays open that was begun before a restart: the cameras come back first."""

_PAGE = 500
_PRUNED = 500  # sightings erased at a time

Place: TypeAlias = tuple[str, Identity]
"""Camera and the person in front of it."""


class _Track(NamedTuple):
    identity: Identity
    promoted: bool = False  # from a stranger to a member, which the tracker does not know yet


class SightingBook:
    """Class that keeps the open sightings, and writes them and their events.

    Args:
        journal: to write to.
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
        self._open: dict[Place, OpenSighting] = {}
        self._unconfirmed: dict[Place, OpenSighting] = {}  # their first write failed, and may have been done
        self._duplicates: list[Sighting] = []  # open in the journal, beside another one of the same place
        self._tracks: dict[tuple[str, int], _Track] = {}  # by camera and number
        self._stays: dict[Identity, dict[str, Stay]] = {}  # the latest by each camera
        self._strangers = StrangerMatcher(journal, settings.unknown_similarity, threshold)
        self._flushed = self._pruned = NEVER
        self._restore(now())

    def observe(self, camera: Camera, observations: Sequence[Observation]) -> list[Event]:
        """Update the sightings with what a camera's tracker knows of its tracks.

        Returns:
            The events that it led to, written already.
        """
        return [event for each in observations for event in self._observe(camera, each)]

    def whose(self, camera: str, track: int) -> Identity | None:
        """Return the person whom a track of a camera belongs to; None if it is not known yet, or the track is over."""
        found = self._tracks.get((camera, track))
        return None if found is None else found.identity

    def tick(self, now: float, reached: Mapping[str, float] | None = None, shift: float = 0.0) -> list[Event]:
        """End the sightings of people who have left, write changes, and erase old sightings, each when it is due.

        Args:
            now: time by the clock of the observations.
            reached: time up to which the frames of a camera are analysed, if they come late: no sighting ends after that.
            shift: seconds by which the time of day is ahead of the clock of the observations: retention goes by it.
        """
        until = reached or {}
        self._confirm()
        events = self._end_duplicates()
        left = [at for at, each in self._open.items() if each.last + each.cooldown < min(now, until.get(at[0], now))]
        events += self._end(left)
        if abs(now - self._flushed) >= FLUSH_SECONDS:
            changed = {at: each for at, each in self._open.items() if each.dirty}
            self._journal.update([(each.sighting, each.crop) for each in changed.values()])
            self._open |= {at: each.written() for at, each in changed.items()}
            self._flushed = now
        if abs(now - self._pruned) >= PRUNE_SECONDS and self._prune(now, shift):
            self._pruned = now
        return events

    def left(self, camera: str) -> list[Event]:
        """End the open sightings of a camera that is not analysed any more."""
        events = self._end([at for at in self._open if at[0] == camera])
        self._forget_tracks(camera)
        return events

    def restarted(self, camera: str) -> None:
        """Forget the tracks of a camera whose tracker numbers them from the start again; its sightings go on."""
        self._forget_tracks(camera)
        self._open |= {at: each.restarted() for at, each in self._open.items() if at[0] == camera}

    def erase(self, gallery: str, person_id: str | None = None, unknown: str | None = None) -> int:
        """Erase the sightings of a member, of a stranger, or of a whole gallery; return how many."""
        whole = person_id is None and unknown is None
        erased = Identity(gallery, person_id is not None, person_id or unknown or "")

        def stays(identity: Identity) -> bool:
            return identity.gallery != gallery if whole else identity != erased

        removed = self._journal.erase(gallery, person_id, unknown)
        self._open = {at: each for at, each in self._open.items() if stays(at[1])}
        self._unconfirmed = {at: each for at, each in self._unconfirmed.items() if stays(at[1])}
        self._duplicates = [each for each in self._duplicates if stays(Identity.of(each))]
        self._stays = {identity: each for identity, each in self._stays.items() if stays(identity)}
        self._tracks = {key: track for key, track in self._tracks.items() if stays(track.identity)}
        if whole or unknown is not None:
            self._strangers.forget(gallery, unknown)
        return removed

    def promoted(self, gallery: str, unknown: str, person_id: str, name: str) -> int:
        """Give a stranger's sightings to a member, also those that are open; return how many there are."""
        changed = self._journal.promoted(gallery, unknown, person_id, name)
        stranger, member = Identity(gallery, False, unknown), Identity(gallery, True, person_id)
        for at in [at for at in self._open if at[1] == stranger]:
            each = self._open.pop(at).promoted(member, name)
            there = self._open.get((at[0], member))
            if there is not None:  # the stranger was the member all the time
                self._duplicates.append(each.sighting)
                each = there.merged(each)
            self._open[at[0], member] = each
        moved = {key: _Track(member, promoted=True) for key, each in self._tracks.items() if each.identity == stranger}
        self._tracks |= moved
        if stranger in self._stays:
            self._stays[member] = self._stays.pop(stranger) | self._stays.get(member, {})
        self._strangers.forget(gallery, unknown)
        return changed

    def _observe(self, camera: Camera, seen: Observation) -> list[Event]:
        self._confirm()
        key = (camera.id, seen.track)
        track = self._tracks.get(key)
        identity, unknown, similarity = self._identify(camera, seen, track)
        at, moved = (camera.id, identity), track is not None and track.identity != identity
        known = self._open.get(at)
        before = (camera.id, track.identity) if track is not None and moved else None
        old = None if before is None else self._open.get(before)
        given_up = old if old is not None and old.held_only_by(seen.track) else None
        if seen.ended and known is None and track is not None and not moved:  # the visit ended before the track did
            del self._tracks[key]
            return []
        mistaken = None
        if known is not None:
            now = known.observed(camera, seen, similarity)
            events = self._journal.record([] if given_up is None else [given_up.end()])
        elif given_up is not None:
            now = given_up.renamed(identity, seen.name).observed(camera, seen, similarity)
            mistaken = self._strangers.mistaken(given_up.sighting)
            change = NewEvent("changed", now.sighting, now.crop, unknown, given_up.sighting, mistaken)
            events = self._journal.record([change])
        else:
            again = track is not None and not moved
            now = OpenSighting.begun(camera, identity, seen, self._linked(camera, identity, seen), again=again)
            now = now.observed(camera, seen, similarity)
            events = self._begin(at, now, unknown)
        # It is written: nothing below can fail.
        if known is None:
            now = now.written(events[0].sighting)
        if before is not None and given_up is not None:
            del self._open[before]
        elif before is not None and old is not None:
            self._open[before] = old.released(seen.track)
        if mistaken is not None:
            self._strangers.forget(camera.gallery, mistaken)
        if unknown is not None:
            self._strangers.put(unknown)
        self._open[at] = now
        self._stays.setdefault(identity, {})[camera.id] = now.stay
        self._tracks[key] = _Track(identity, track is not None and track.promoted and seen.person_id is None)
        if seen.ended:
            del self._tracks[key]
        return events

    def _begin(self, at: Place, now: OpenSighting, unknown: Unknown | None) -> list[Event]:
        try:
            return self._journal.record([NewEvent("began", now.sighting, now.crop, unknown)])
        except StoreUnavailable:
            self._unconfirmed[at] = now
            raise

    def _identify(
        self, camera: Camera, seen: Observation, track: _Track | None
    ) -> tuple[Identity, Unknown | None, float | None]:
        """Return the person, a stranger's new state if it changed, and the similarity to the person as known before."""
        if seen.person_id is not None:
            return Identity(camera.gallery, True, seen.person_id), None, seen.similarity
        if track is not None and (not track.identity.member or track.promoted):
            return track.identity, None, None
        open_here = [who for place, who in self._open if place == camera.id and who.gallery == camera.gallery]
        here = [who.id for who in open_here if not who.member]
        unknown, similarity = self._strangers.match(camera, seen, here)
        return Identity(camera.gallery, False, unknown.id), unknown, similarity

    def _linked(self, camera: Camera, identity: Identity, seen: Observation) -> str | None:
        """Return the visit that a sighting goes on with, of the same person by another camera; None if there is none."""
        elsewhere = [stay for place, stay in self._stays.get(identity, {}).items() if place != camera.id]
        near = [stay for stay in elsewhere if stay.gap(seen) <= self._settings.link_seconds]
        return max(near, key=lambda stay: stay.last).visit_id if near else None

    def _end(self, places: Sequence[Place]) -> list[Event]:
        ends = []
        grew: dict[Identity, Unknown] = {}
        for at in places:
            each, identity = self._open[at], at[1]
            known = None
            if each.shots:
                known = grew.get(identity) or self._strangers.stored(identity.gallery, identity.id)
            if known is not None:
                known = grew[identity] = grown(known, each.shots, each.sighting.last_seen, 0)
            ends.append(each.end(known))
        events = self._journal.record(ends)
        for at in places:
            del self._open[at]
        for known in grew.values():
            self._strangers.put(known)
        return events

    def _end_duplicates(self) -> list[Event]:
        events = self._journal.record([NewEvent("ended", replace(each, open=False)) for each in self._duplicates])
        self._duplicates = []
        return events

    def _confirm(self) -> None:
        """Open the unconfirmed sightings that the journal has: only the answer to their first write was lost."""
        for at, each in list(self._unconfirmed.items()):
            with suppress(UnknownSighting, StoreInvalid):
                self._open[at] = replace(each, sighting=self._journal.sighting(each.sighting.id), shots=())
                known = None if at[1].member else self._strangers.stored(at[1].gallery, at[1].id)
                if known is not None:
                    self._strangers.put(known)
            del self._unconfirmed[at]

    def _restore(self, now: float) -> None:
        """Go on with what was open when the server stopped."""
        cooldowns = {each.id: each.cooldown for each in self._journal.cameras()}
        after = ""
        while page := self._journal.sightings(Filter(open=True), after, _PAGE):
            for each in page:
                identity = Identity.of(each)
                if (each.camera, identity) in self._open:
                    self._duplicates.append(each)
                    continue
                restored = OpenSighting.restored(each, cooldowns.get(each.camera, 0.0) + GRACE_SECONDS, now)
                self._open[each.camera, identity] = restored
                self._stays.setdefault(identity, {})[each.camera] = restored.stay
            after = page[-1].cursor

    def _prune(self, now: float, shift: float) -> bool:
        """Erase what the retention does not keep; False if there is more, which the next tick erases."""
        before = now + shift - self._settings.keep_days * 86_400
        if self._journal.prune(before, self._settings.keep_sightings, _PRUNED) >= _PRUNED:
            return False
        self._journal.prune_videos(before, self._settings.keep_videos)
        for gallery, unknown in self._journal.prune_unknowns(before, self._settings.keep_unknowns):
            self._strangers.forget(gallery, unknown)
        soon = now - self._settings.link_seconds
        for identity, stays in list(self._stays.items()):
            self._stays[identity] = {camera: stay for camera, stay in stays.items() if stay.last >= soon}
            if not self._stays[identity]:
                del self._stays[identity]
        return True

    def _forget_tracks(self, camera: str) -> None:
        self._tracks = {key: track for key, track in self._tracks.items() if key[0] != camera}
