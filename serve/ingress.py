"""Ingress process: HTTP in and out. It decodes nothing, and hands photos on in batches."""

import asyncio
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.metadata import version
from typing import Any, Concatenate, ParamSpec, TypeVar

import ray
import ray.serve
from fastapi import FastAPI
from starlette.types import ASGIApp, Scope

from deployments import one_store, private_port
from deployments.answer_metrics import photos_counter
from deployments.calls import Handle, asking, call, replicas, with_pickle
from deployments.detector_calls import Answer, look
from deployments.live import taken_on
from deployments.logs import configure
from deployments.memory import IdleTrimmer
from deployments.metrics import Counters, Families, gathered
from deployments.watch import AHEAD
from facegroup.cameras.hub.part import Part
from facegroup.errors import CamerasOff, FacegroupError, Overloaded
from facegroup.gallery.calibrator import CalibrationResult, Strangers
from facegroup.pipeline.batcher import Batcher, gather
from facegroup.pipeline.cost import TOGETHER, is_small, price
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult, Query
from facegroup.settings import Settings
from facegroup.store.audit import Origin
from facegroup.store.contract import RemoteStore
from facegroup.types import Descriptors
from serve import early_refusal, start_rules, tls_files
from serve.api import build_api
from serve.api.auditing import Auditor
from serve.api.draining import Drain
from serve.api.limits import refusal
from serve.haproxy_config import TLS

log = logging.getLogger("facegroup.serve")

_OPEN_SECONDS = 3600.0
_SCRAPE_SECONDS = 2.0
_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")


@ray.serve.ingress()
class Ingress:
    """The `Pipeline` of the routes, over Ray.

    Args:
        settings: of the server.
        detector: the first stage.
        embedder: asked only what it runs.
        gallery: the store, and decisions on descriptors that callers bring.
        cameras: what looks after them; None: the settings have none.
    """

    def __init__(
        self, settings: Settings, detector: Handle, embedder: Handle, gallery: Handle, cameras: Handle | None = None
    ) -> None:
        private_port.close()
        one_store.check(settings)
        self._settings = settings
        self._detector = with_pickle(detector)
        self._embedder = with_pickle(embedder)
        self._gallery = with_pickle(gallery)
        self._cameras = None if cameras is None else with_pickle(cameras)
        wanted = settings.ingress
        self._call = min(wanted.batch, _call(settings))
        self._counters = Counters()
        self._count = photos_counter(self._counters)
        self._small, self._large = (
            Batcher(
                "ingress",
                gather,
                self._ask_detector,
                limit=TOGETHER * settings.detector.batch_pixels,
                size=self._call,
                size_bytes=wanted.batch_bytes,
                queue=wanted.queue,
                queue_bytes=wanted.queue_bytes,
                cost=lambda photo: photo.cost,
                weigh=lambda photo: len(photo.data),
                owner=lambda photo: photo.request,
                ahead=partial(self._ahead, least),
                observe=self._counters.batches(name),
            )
            for name, least in (("ingress", wanted.inflight), ("ingress_large", AHEAD))
        )
        self._counters.queue("ingress", self._small.fill)
        self._counters.queue("ingress_large", self._large.fill)
        self._counters.info(version=version("facegroup"))
        self._idle = IdleTrimmer(self._small.fill, self._large.fill)
        self._api: FastAPI | None = None
        self._drain: Drain | None = None
        self._auditor: Auditor | None = None
        self._told_open: float | None = None
        configure(settings)
        self._thread = 0  # in which requests are answered

    async def check_health(self) -> None:
        """Ray asks this every moment, which is the time to tidy up."""
        self._thread = threading.get_ident()
        self._tell_open()
        await self._idle.check()

    async def reconfigure(self, live: dict[str, Any]) -> None:
        """Take on settings that need no restart."""
        self._settings = taken_on(self._settings, live)
        if self._api is not None:
            self._api.state.context = replace(self._api.state.context, settings=self._settings)

    def __serve_build_asgi_app__(self) -> FastAPI:
        early_refusal.watch(self._refusal)
        self._api = api = build_api(self._settings, self, registry=self._counters.registry)
        self._drain, self._auditor = api.state.drain, api.state.auditor
        return api

    def has_room(self, count: int, size: int = 0) -> bool:
        """See `Pipeline`. Whoever hears that there is none refuses, and is counted as shed."""
        lane = self._small if count <= self._call and size <= self._settings.ingress.batch_bytes else self._large
        room = lane.has_room(count, size)
        if not room:
            lane.fill.shed += count
        return room

    async def see(self, photos: Sequence[Photo]) -> list[PhotoResult | FacegroupError]:
        """See `Pipeline`.

        A request that fits into one call goes at once, together with others. Any other takes turns with those like it, a
        call at a time, and no call has photos of two of them: so its end ends what is done for it. Those of one key or user
        share their turns.
        """
        photos = [replace(photo, cost=price(photo, self._settings)) for photo in photos]
        lane = self._small if self._is_small(photos) else self._large
        if not lane.has_room(len(photos), sum(len(photo.data) for photo in photos)):
            lane.fill.shed += len(photos)
            raise Overloaded("the server has too much to do; try again later")
        if lane is self._large:
            request = secrets.token_hex(8)
            if photos[0].client:
                request = f"{photos[0].client}/{request}"
            photos = [replace(photo, request=request) for photo in photos]
        seen = await look(self._queue, photos)
        self._count(seen)
        return seen

    async def _queue(self, photos: Sequence[Photo]) -> list[Answer]:
        return await (self._large if photos and photos[0].request else self._small).many(photos)

    def _ahead(self, least: int) -> int:
        return max(least, AHEAD * replicas(self._detector))

    def _is_small(self, photos: Sequence[Photo]) -> bool:
        if len(photos) > self._call or sum(len(photo.data) for photo in photos) > self._settings.ingress.batch_bytes:
            return False
        return is_small(photos, self._settings)

    async def match(self, descriptors: Descriptors, query: Query) -> PhotoMatches:
        """See `Pipeline`."""
        (answer,) = await call(self._gallery.match.remote(descriptors, [(query, len(descriptors))]))
        if isinstance(answer, FacegroupError):
            raise answer
        assert isinstance(answer, PhotoMatches)
        return answer

    async def ask(
        self, method: Callable[Concatenate[RemoteStore, _P], _Answer], /, *arguments: _P.args, **named: _P.kwargs
    ) -> _Answer:
        """See `Pipeline`."""
        return await asking(self._gallery)(method, *arguments, **named)

    async def calibrate(
        self, gallery: str, fpir: float, strangers: Strangers | None, *, dry_run: bool, by: Origin
    ) -> CalibrationResult:
        """See `Pipeline`."""
        done: CalibrationResult = await call(
            self._gallery.calibrate.remote(gallery, fpir, strangers, dry_run=dry_run, by=by)
        )
        return done

    async def cameras(
        self,
        method: Callable[Concatenate[Part, _P], Coroutine[Any, Any, _Answer]],
        /,
        *given: _P.args,
        **named: _P.kwargs,
    ) -> _Answer:
        """See `Pipeline`."""
        if self._cameras is None:
            raise CamerasOff("this server has no cameras: FACEGROUP_CAMERAS__ENABLED is false")
        answer: _Answer = await call(self._cameras.call.remote(method.__qualname__, *given, **named))
        return answer

    async def alive(self) -> None:
        """See `Pipeline`. Each stage asks the next one, as it does for a photo."""
        await asyncio.gather(call(self._detector.alive.remote()), call(self._gallery.alive.remote()))

    async def drain(self) -> int:
        """Refuse requests from now on; return how many are under way."""
        if self._drain is None:
            return 0
        self._drain.ending = True
        if self._auditor is not None:
            await self._auditor.flush()
        return self._drain.under_way

    async def about(self) -> dict[str, Any]:
        """See `Pipeline`."""
        embedder, detector, gallery = await asyncio.gather(
            *(call(handle.about.remote()) for handle in (self._embedder, self._detector, self._gallery))
        )
        liveness = detector.pop("liveness")
        return {**embedder, "detector": detector, "liveness": liveness, **gallery, **_tls()}

    async def metrics(self) -> Families:
        """Return all metrics of this process."""
        return self._counters.collect()

    async def scraped(self) -> str:
        """See `Pipeline`."""
        own = ray.serve.get_replica_context()
        stages = {
            own.deployment: ray.serve.get_deployment_handle(own.deployment, own.app_name),
            "Detector": self._detector,
            "Embedder": self._embedder,
            "GalleryActor": self._gallery,
        }
        if self._cameras is not None:
            stages["Cameras"] = self._cameras
        return await gathered(stages, _SCRAPE_SECONDS)

    async def scraped_from_ray(self) -> str:
        """See `Pipeline`."""
        import httpx

        node = ray.get_runtime_context().get_node_id()
        nodes = ray.nodes()  # type: ignore[no-untyped-call]
        port = next(each["MetricsExportPort"] for each in nodes if each["NodeID"] == node)
        async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
            return (await client.get(f"http://127.0.0.1:{port}/metrics")).text

    def _tell_open(self) -> None:
        """Say each hour that everybody may do everything."""
        now = time.monotonic()
        if self._settings.access.mode == "open" and (self._told_open is None or now - self._told_open >= _OPEN_SECONDS):
            self._told_open = now
            log.warning("%s", start_rules.OPEN)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        """Return the answer of the early refusal. None lets all in: then Serve runs our code in a thread of its own."""
        return refusal(scope, self.has_room) if threading.get_ident() == self._thread else None

    async def _ask_detector(self, photos: Sequence[Photo], _: None) -> list[Answer]:
        seconds = self._settings.limits.request_seconds
        answers: list[Answer] = await call(self._detector.see.remote(list(photos), seconds))
        return answers


def _tls() -> dict[str, object]:
    """Return what is known about the certificate, if the server has one."""
    path = os.environ.get(TLS)
    state = tls_files.told(path) if path else None
    return {} if state is None else {"tls": asdict(state)}


def _call(settings: Settings) -> int:
    """Return how many photos go to a detector in one call.

    Photos that wait in a detector are in memory on both sides, some of them four times: to one detector goes what it works
    on at once, which is 100 MB less under overload. Several are kept busy better by twice that: two simulated ones saw 255
    to 305 photos a second instead of 230.
    """
    wanted = settings.detector
    return wanted.batch if wanted.replicas == 1 else 2 * wanted.batch
