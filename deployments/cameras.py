"""Cameras process: runs the hub. It sends frames of the camera processes to the detectors, and records sightings."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from deployments import one_store, private_port
from deployments.answer_metrics import photos_counter
from deployments.calls import Handle, answers, asking, call, with_pickle
from deployments.camera import open_reader
from deployments.camera_metrics import families
from deployments.detector_calls import Answer, look
from deployments.live import taken_on
from deployments.logs import configure
from deployments.metrics import Counters, Families
from facegroup.cameras.hub.hub import Hub
from facegroup.cameras.journal import open_journal
from facegroup.errors import FacegroupError
from facegroup.pipeline.cost import price
from facegroup.pipeline.messages import Photo, PhotoResult
from facegroup.settings import Settings
from facegroup.store.secret_key import secret_keys


class Cameras:
    """Owns the camera processes. After a restart it creates all of them anew.

    Args:
        settings: of the server.
        detector: the first stage of the pipeline.
        gallery: the gallery store.
    """

    def __init__(self, settings: Settings, detector: Handle, gallery: Handle) -> None:
        private_port.close()
        configure(settings)
        one_store.check(settings)
        self._settings = settings
        self._detector = with_pickle(detector)
        opens = partial(open_journal, settings.store, settings.cameras.key, secret_keys(settings))
        self._hub = Hub(settings, opens, self._see, asking(with_pickle(gallery)), open_reader)
        loop = asyncio.get_running_loop()  # Serve makes replicas in it
        self._task = loop.create_task(self._hub.run())
        self._counters = Counters()
        self._counters.read(lambda: families(self._hub.conditions()))
        self._count = photos_counter(self._counters)

    async def metrics(self) -> Families:
        """Return all metrics of this process."""
        return self._counters.collect()

    async def reconfigure(self, live: dict[str, Any]) -> None:
        """Take on settings that need no restart."""
        self._settings = taken_on(self._settings, live)
        self._hub.take_on(self._settings)

    @answers
    async def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """See `facegroup.cameras.hub.hub.Hub.call`."""
        return await self._hub.call(method, *arguments, **named)

    async def check_health(self) -> None:
        """Raise if the loop over the cameras broke, which is a bug, so that Serve replaces this process."""
        if self._task.done():
            self._task.result()

    async def _see(self, photos: Sequence[Photo]) -> list[PhotoResult | FacegroupError]:
        seen = await look(self._call, [replace(photo, cost=price(photo, self._settings)) for photo in photos])
        self._count(seen)
        return seen

    async def _call(self, photos: Sequence[Photo]) -> list[Answer]:
        seconds = self._settings.limits.request_seconds
        seen: list[Answer] = await call(self._detector.see.remote(list(photos), seconds))
        return seen

    async def __del__(self) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop all cameras and receivers."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
