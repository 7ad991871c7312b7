"""Strangers: lists and erases them, and promotes them to members of a gallery."""

import asyncio
import hashlib
import json
from contextlib import suppress

from facegroup.cameras.hub.part import HubPart, completed
from facegroup.cameras.hub.sighting_log import SightingLog
from facegroup.cameras.sightings.book import SightingBook
from facegroup.cameras.sightings.types import Shot, Unknown
from facegroup.errors import LivenessUnavailable, NetworkMismatch, NotLive, UnknownPerson
from facegroup.pipeline import detector_file
from facegroup.store.audit import Origin
from facegroup.store.contract import Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.types import Person, Sample


class StrangerLog(HubPart):
    """The strangers of the journal."""

    async def all(self, gallery: str) -> list[Unknown]:
        """Return the strangers of a gallery, without shots, the latest seen first."""
        return await asyncio.to_thread(self._hub.journal.unknowns, gallery)

    async def show(self, gallery: str, unknown: str) -> Unknown:
        """Return a stranger, with shots. Raises UnknownStranger."""
        return await asyncio.to_thread(self._hub.journal.unknown, gallery, unknown)

    @completed
    async def erase(self, gallery: str, unknown: str) -> int:
        """Erase a stranger with their sightings; return how many sightings. Raises UnknownStranger."""
        await self.show(gallery, unknown)
        return await SightingLog(self._hub).erase(gallery, unknown=unknown)

    @completed
    async def promote(
        self, gallery: str, unknown: str, name: str | None, person_id: str | None, by: Origin
    ) -> tuple[Person, int, int]:
        """Make a stranger a member, enrolled with their best crops: a new one of that name, or an existing one.

        Called again after an error midway, it goes on where it was: nobody is created twice.

        Returns:
            The person, the number of photos that were enrolled, the number of sightings that are the person's now.

        Raises:
            UnknownStranger: no stranger has this id.
            NetworkMismatch: the gallery was made with another network than the stranger was seen with.
            UnknownPerson: no person has this id, and there is no name to create one.
            LivenessUnavailable: the gallery enrols live faces only, and this server does not tell which are.
            NotLive: it does, and no view of the stranger is live.
        """
        stranger = await self.show(gallery, unknown)
        about = await self._hub.ask(Store.gallery, gallery)
        if about.network != stranger.network:
            raise NetworkMismatch(
                f"{unknown} was seen with {stranger.network}, and {gallery} is of {about.network} since facegroup migrate; "
                "enrol a photo instead"
            )
        shots = self._live(stranger) if about.liveness in ("enrol", "both") else stranger.shots
        person = await self._person(gallery, unknown, name, person_id, by)
        detector = detector_file.name(self._hub.settings)
        samples = [
            Sample(
                hashlib.sha256(shot.crop or shot.descriptor.tobytes()).hexdigest(),
                shot.descriptor,
                shot.crop,
                detector=detector,
            )
            for shot in shots
        ]
        done = await self._hub.ask(Store.add_samples, gallery, person.id, samples, stranger.network, by=by)
        moved = await self._hub.recorder.run(SightingBook.promoted, gallery, unknown, person.id, person.name)
        return done.person, len(done.added), moved

    def _live(self, stranger: Unknown) -> list[Shot]:
        """Return the views of a stranger that are live."""
        least = self._hub.settings.liveness.least
        if least is None:
            raise LivenessUnavailable.of(stranger.gallery)
        live = [shot for shot in stranger.shots if shot.liveness is not None and shot.liveness > least]
        if not live:
            raise NotLive(f"no kept view of {stranger.id} has a live score; enrol a photo instead")
        return live

    async def _person(self, gallery: str, unknown: str, name: str | None, person_id: str | None, by: Origin) -> Person:
        if person_id is not None:
            with suppress(UnknownPerson):
                return await self._hub.ask(Store.person, gallery, person_id)
        if name is None:
            raise UnknownPerson(f"there is no person {person_id!r} in {gallery}; send a name to create one")
        once = IdempotencyKey.of(f"promote-{unknown}", gallery, json.dumps([name, person_id]))
        return await self._hub.ask(Store.create_person, gallery, name, {}, person_id, once=once, by=by)
