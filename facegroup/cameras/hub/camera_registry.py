"""The registry of cameras: list, add, change, remove and try them."""

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from facegroup.cameras.hub.part import HubContext, HubPart, completed
from facegroup.cameras.sightings.book import SightingBook
from facegroup.cameras.sources import address
from facegroup.cameras.types import Camera, Condition, Frame, Status
from facegroup.errors import FacegroupError, Overloaded, StageUnavailable
from facegroup.store.audit import Origin
from facegroup.store.contract import Store

log = logging.getLogger(__name__)

_TRY_SECONDS = 10.0
_TRIES = 4  # at once: each is a process


class CameraRegistry(HubPart):
    """The cameras of the journal, and those of them that run."""

    def __init__(self, hub: HubContext) -> None:
        super().__init__(hub)
        self._changing = asyncio.Lock()
        self._tries = asyncio.Semaphore(_TRIES)

    async def all(self) -> list[tuple[Camera, Condition]]:
        """Return all cameras with their conditions, by id."""
        cameras = await asyncio.to_thread(self._hub.journal.cameras)
        return [(camera, self._hub.running.condition(camera)) for camera in cameras]

    async def show(self, camera: str) -> tuple[Camera, Condition]:
        """Return a camera with its condition. Raises UnknownCamera."""
        found = await asyncio.to_thread(self._hub.journal.camera, camera)
        return found, self._hub.running.condition(found)

    @completed
    async def add(self, camera: Camera, by: Origin) -> tuple[Camera, Condition]:
        """Add a camera and start it. Raises what `address.check` and `Journal.create_camera` raise; UnknownGallery."""
        await self._check(camera)
        async with self._changing:
            made = await asyncio.to_thread(self._hub.journal.create_camera, camera, self._hub.settings.cameras.limit)
            self._hub.running.start(made)
        self._hub.delivery.wake()
        log.info("camera %s added by %s: %s", made.id, by.actor, address.shown(made.source))
        return made, self._hub.running.condition(made)

    @completed
    async def change(self, camera: str, changes: dict[str, Any], by: Origin) -> tuple[Camera, Condition]:
        """Change fields of a camera, by name, and open it anew. Raises as `add`; UnknownCamera."""
        async with self._changing:
            known = await asyncio.to_thread(self._hub.journal.camera, camera)
            wanted = replace(known, **changes)
            if {"source", "gallery"} & changes.keys():
                await self._check(wanted)
            made = await asyncio.to_thread(self._hub.journal.replace_camera, wanted)
            await self._hub.running.stop(camera)
            try:
                if not made.enabled or made.gallery != known.gallery:
                    await self._hub.recorder.record(SightingBook.left, camera)
            finally:
                self._hub.running.start(made)  # the change is stored: the camera must run, whatever else fails
        log.info("camera %s changed by %s: %s", camera, by.actor, ", ".join(sorted(changes)))
        return made, self._hub.running.condition(made)

    @completed
    async def remove(self, camera: str, by: Origin) -> None:
        """Remove a camera; its sightings stay. Raises UnknownCamera."""
        async with self._changing:
            await asyncio.to_thread(self._hub.journal.delete_camera, camera)
            await self._hub.running.stop(camera)
            await self._hub.recorder.record(SightingBook.left, camera)
        self._hub.delivery.wake()
        log.info("camera %s removed by %s", camera, by.actor)

    async def snapshot(self, camera: str) -> Frame | None:
        """Return the frame that was analysed last, if there is one and the camera keeps crops. Raises UnknownCamera."""
        found = await asyncio.to_thread(self._hub.journal.camera, camera)
        return self._hub.running.snapshot(camera) if found.snapshots else None

    async def try_source(self, camera: Camera) -> tuple[Status, Frame | None]:
        """Open a source for some seconds, and store nothing. Raises what `address.check` raises; Overloaded."""
        await asyncio.to_thread(address.check, camera.source, self._hub.settings.cameras)
        if self._tries.locked():
            raise Overloaded(f"{_TRIES} sources are being tried already; try again later", 5)
        async with self._tries:
            return await self._first_frame(replace(camera, motion=False))

    async def _first_frame(self, camera: Camera) -> tuple[Status, Frame | None]:
        reader = await self._hub.open_reader(camera, self._hub.settings, False)
        try:
            deadline = time.monotonic() + _TRY_SECONDS
            while True:
                async with asyncio.timeout(_TRY_SECONDS):
                    frame, status = await reader.next(0.5)
                if frame is not None or status.state in ("failed", "ended") or time.monotonic() > deadline:
                    return status, frame
        except TimeoutError:
            raise StageUnavailable("the camera's process does not answer") from None
        finally:
            with suppress(FacegroupError, TimeoutError):
                async with asyncio.timeout(2):
                    await reader.close()

    async def _check(self, camera: Camera) -> None:
        await asyncio.to_thread(address.check, camera.source, self._hub.settings.cameras)
        await self._hub.ask(Store.gallery, camera.gallery)
