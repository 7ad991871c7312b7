"""Presence: who is before each camera now, and where every member is, read from the journal.

Events may arrive late, so the state is made of open sightings. A sighting that was open at the start counts only once its
person is seen again; until then, for at most `SETTLE_SECONDS`, it is unknown whether they are still there. A sighting
whose person was last seen too long ago does not count; if it counted before, the state is unknown.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from facegroup.cameras.sightings.journal import Filter, Journal
from facegroup.cameras.sightings.types import Sighting
from facegroup.errors import UnknownSighting

Live: TypeAlias = Callable[[], Mapping[str, bool]]
"""Returns, for each camera, whether its frames come."""

Person: TypeAlias = tuple[str, str]
"""Gallery and id of a person."""

SETTLE_SECONDS = 60.0
"""Longest time after the start until it is known who is there."""

WRITTEN_SECONDS = 10.0
"""Longest delay with which the journal says that somebody was seen."""

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Member:
    """Member of whom there is a sighting.

    Attributes:
        name: as of their latest sighting.
        last_seen: seconds since the epoch, of the latest sighting that ended; None: none has.
        visit_id: of their latest visit.
        cameras: that saw them on that visit. While one of them sees nothing, it is unknown whether they left.
    """

    name: str
    last_seen: float | None = None
    visit_id: str = ""
    cameras: frozenset[str] = frozenset()

    def seen(self, sighting: Sighting) -> "Member":
        """Return the member after one more sighting."""
        ended = None if sighting.open else sighting.last_seen
        last = max((each for each in (ended, self.last_seen) if each is not None), default=None)
        if sighting.visit_id == self.visit_id:
            return Member(sighting.name, last, self.visit_id, self.cameras | {sighting.camera})
        if self.last_seen is not None and sighting.last_seen < self.last_seen:  # an earlier visit
            return Member(sighting.name, last, self.visit_id, self.cameras)
        return Member(sighting.name, last, sighting.visit_id, frozenset((sighting.camera,)))


@dataclass(frozen=True, slots=True)
class Now:
    """State of all cameras and members.

    Attributes:
        cameras: for each camera of the registry, whether it is known who is there.
        here: the sightings of everybody who is there, the latest first.
        members: all members of whom there is a sighting.
        lost: the members of whom it is unknown where they are.
        faces: for each camera with somebody there, a JPEG of the person who came last; empty without `pictures`.
    """

    cameras: Mapping[str, bool] = field(default_factory=dict)
    here: tuple[Sighting, ...] = ()
    members: Mapping[Person, Member] = field(default_factory=dict)
    lost: frozenset[Person] = frozenset()
    faces: Mapping[str, bytes] = field(default_factory=dict)


class Presence:
    """Follows the journal. Used in one event loop.

    Args:
        journal: keeps the sightings.
        live: returns which cameras see something; None: all do.
        pictures: whether to read faces.
    """

    def __init__(self, journal: Journal, live: Live | None, pictures: bool) -> None:
        self._journal = journal
        self._live = live
        self._pictures = pictures
        self._seq: int | None = None  # number of the newest event that was read
        self._unsure: dict[str, float] | None = None  # last_seen by sighting, at the start; None: not read yet
        self._cameras: tuple[str, ...] = ()
        self._blind: dict[str, float] = {}  # cameras that saw nothing: until when they may have missed somebody
        self._members: dict[Person, Member] = {}
        self._faces: dict[str, bytes] = {}  # by sighting
        self._since = time.monotonic()
        self._erased = 0
        self._ahead: dict[str, float] = {}  # by sighting: the time of day minus the steady clock, when it was found
        self._counted: set[str] = set()  # open sightings that have counted

    async def look(self) -> Now:
        """Return the current state. Raises StoreUnavailable."""
        while True:
            erased = self._erased
            now = await self._look()
            if erased == self._erased:  # else the state may name somebody who was erased
                return now

    def lost(self) -> Now | None:
        """Return the state while the journal is unavailable: unknown for all. None: there was no state yet."""
        if self._unsure is None:
            return None
        return Now(dict.fromkeys(self._cameras, False), members=self._members, lost=frozenset(self._members))

    def forget(self, gallery: str, ident: str | None) -> None:
        """Forget somebody who was erased, or everybody of a gallery (None)."""
        self._erased += 1
        self._members = {
            who: each for who, each in self._members.items() if who[0] != gallery or ident not in (None, who[1])
        }

    async def _look(self) -> Now:
        seq, recent = await self._recent()
        every = await asyncio.to_thread(self._journal.cameras)
        cameras = {each.id: each for each in every}
        replayed = frozenset(each.id for each in every if not each.realtime)
        found = {each.id: each for each in await self._all_open()}
        first = self._unsure is None
        before = {each.id: each.last_seen for each in found.values()} if self._unsure is None else self._unsure
        members = await self._known() if first else dict(self._members)
        settled = time.monotonic() - self._since > SETTLE_SECONDS
        still = {key: at for key, at in before.items() if key in found and found[key].last_seen == at}
        watched = [each for each in found.values() if each.camera in cameras and each.camera not in replayed]
        ahead = {key: self._ahead.get(key, time.time() - time.monotonic()) for key in found}
        clock = time.monotonic()
        leave = {each.id: each.last_seen + max(cameras[each.camera].cooldown, each.patience) for each in watched}
        over = {key: clock + ahead[key] - at for key, at in leave.items()}
        counted = self._counted & found.keys()
        late = {key for key, by in over.items() if by > (WRITTEN_SECONDS if key in counted else 0.0)}
        here = tuple(each for each in watched if each.id not in still and each.id not in late)
        counted |= {each.id for each in here}
        waiting = set() if settled else still.keys()
        unsure = tuple(each for each in watched if each.id in waiting or each.id in late & counted)
        faces = await self._pictured(here)
        # No await from here on: the state changes in one step.
        for each in (*recent, *found.values()):
            if each.person_id is not None:
                who = (each.gallery, each.person_id)
                members[who] = members.get(who, Member(each.name)).seen(each)
        self._seq, self._unsure, self._members, self._faces = seq, still, members, faces
        self._cameras, self._ahead, self._counted = tuple(cameras), ahead, counted
        doubtful = {each.camera for each in unsure} | replayed
        live = None if self._live is None else self._live()
        sure = {each: each not in doubtful and (live is None or live.get(each, False)) for each in cameras}
        shown = {each.camera: faces[each.id] for each in reversed(here) if each.id in faces}
        for key, camera in cameras.items():
            if camera.realtime and live is not None and not live.get(key, False):
                self._blind[key] = clock + min(camera.cooldown, SETTLE_SECONDS)
        blind = {key for key, until in self._blind.items() if until > clock and key in cameras}
        doubted = {_person(each) for each in unsure} | {who for who, each in members.items() if each.cameras & blind}
        lost = frozenset((doubted & members.keys()) - {_person(each) for each in here})
        return Now(sure, here, members, lost, shown)

    async def _recent(self) -> tuple[int, list[Sighting]]:
        """Return the number of the newest event, and the sightings of the events since the last call."""
        if self._seq is None:
            return (await asyncio.to_thread(self._journal.span))[1], []
        seq = self._seq
        found: list[Sighting] = []
        while page := await asyncio.to_thread(self._journal.events, seq, _PAGE):
            found += [each.sighting for each in page]
            seq = page[-1].seq
        return seq, found

    async def _all_open(self) -> list[Sighting]:
        found: list[Sighting] = []
        after = ""
        while page := await asyncio.to_thread(self._journal.sightings, Filter(open=True), after, _PAGE):
            found += page
            after = page[-1].cursor
        return found

    async def _known(self) -> dict[Person, Member]:
        members: dict[Person, Member] = {}
        for gallery, person in sorted(await asyncio.to_thread(self._journal.people)):
            latest = await asyncio.to_thread(self._journal.sightings, Filter(gallery=gallery, person_id=person), "", 1)
            for each in latest:
                visit = await asyncio.to_thread(self._journal.sightings, Filter(visit_id=each.visit_id), "", _PAGE)
                last, cameras = None if each.open else each.last_seen, frozenset(one.camera for one in visit)
                members[gallery, person] = Member(each.name, last, each.visit_id, cameras)
        return members

    async def _pictured(self, here: tuple[Sighting, ...]) -> dict[str, bytes]:
        """Return the face of the person who came last to each camera; each is read once."""
        faces: dict[str, bytes] = {}
        latest = {each.camera: each for each in reversed(here)} if self._pictures else {}
        for each in latest.values():
            with suppress(UnknownSighting):
                known = self._faces.get(each.id)
                faces[each.id] = await asyncio.to_thread(self._journal.crop, each.id) if known is None else known
        return faces


def _person(sighting: Sighting) -> Person:
    return sighting.gallery, sighting.person_id or ""
