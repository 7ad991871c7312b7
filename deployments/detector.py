"""Detector process: decodes the photos of many requests, detects faces and sends their crops to an embedder.

Small requests are processed at once, and large ones take turns. Each kind has its own queue here and its own calls from the
ingress, so that a small request waits for at most one step of a large one. Photos of large requests are decoded in threads,
detected a few megapixels at a time, and sent to the embedder a few faces at a time.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from deployments import private_port
from deployments.answer_metrics import liveness_counter
from deployments.calls import Handle, answers, call, replicas, with_pickle
from deployments.detector_calls import CALL_BYTES, Answer, that_fit
from deployments.live import taken_on
from deployments.logs import configure
from deployments.memory import IdleTrimmer
from deployments.metrics import Counters, Families
from deployments.shared_crops import CropSender
from deployments.watch import AHEAD
from facegroup.errors import FacegroupError, ImageError, TimedOut
from facegroup.images.decode import Decoded
from facegroup.networks.registry import spec
from facegroup.pipeline import batches
from facegroup.pipeline.batcher import Batch, Batcher, gather
from facegroup.pipeline.batches import CropAnswers, CropBatch
from facegroup.pipeline.cost import TOGETHER
from facegroup.pipeline.finder import GIVEN_UP
from facegroup.pipeline.messages import DetectedFaces, Photo, PhotoMatches, PhotoResult
from facegroup.pipeline.slots import Slots
from facegroup.settings import Settings

_Each: TypeAlias = Sequence[DetectedFaces | FacegroupError]


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    photo: Photo
    picture: Decoded | ImageError

    @property
    def pixels(self) -> int:
        return 0 if isinstance(self.picture, ImageError) else self.picture.image.size // 3


@dataclass(frozen=True, slots=True, eq=False)
class _Portion:
    request: str
    cut: CropBatch


class Detector:
    """Ray actor that finds faces in batches of photos, and calls the embedder once per batch.

    Args:
        settings: settings of the server.
        embedder: handle of the next stage.
    """

    def __init__(self, settings: Settings, embedder: Handle) -> None:
        private_port.close()
        # Imported here, so that processes which only build the server do not load OpenCV.
        from facegroup.pipeline.open_finder import open_finder

        configure(settings)
        self._settings = settings
        self._embedder = with_pickle(embedder)
        self._send = CropSender(lambda cut: call(self._embedder.embed.remote(cut)))
        self._spec = spec(settings.network, settings)
        self._finder = open_finder(settings, self._spec)
        self._counters = Counters()
        self._finder.observe = self._counters.observe
        self._thread = ThreadPoolExecutor(1, "find")
        beside = self._finder.beside()
        # On a CPU, small and large requests run at the same time; on another device they alternate.
        self._other_finder = beside or self._finder
        self._other_thread = ThreadPoolExecutor(1, "find large") if beside else self._thread
        self._finder.warm()
        self._count_liveness = liveness_counter(self._counters)
        wanted = settings.detector
        # Half of the threads; the other half decodes photos of small requests.
        threads = max(1, (wanted.threads or int(wanted.num_cpus)) // 2)
        self._readers = ThreadPoolExecutor(threads, "read")
        whole = TOGETHER * wanted.batch_pixels
        self._batcher: Batcher[Photo, _Each, Answer] = Batcher(
            "detector",
            self._find,
            self._embed,
            limit=whole,
            size=wanted.batch,
            queue=wanted.queue,
            queue_bytes=wanted.queue_bytes,
            cost=lambda photo: photo.cost,
            weigh=lambda photo: len(photo.data),
            ahead=lambda: AHEAD * replicas(self._embedder),
            observe=self._counters.batches("detector"),
            background=lambda photo: photo.background,
            share=settings.cameras.share,
        )
        self._reader: Batcher[Photo, Sequence[Decoded | ImageError], Answer] = Batcher(
            "detector",
            self._read,
            self._pass_on,
            limit=whole,
            size=wanted.batch,
            queue=wanted.queue,
            queue_bytes=wanted.queue_bytes,
            cost=lambda photo: photo.cost,
            weigh=lambda photo: len(photo.data),
            owner=lambda photo: photo.request,
            ahead=AHEAD,
            background=lambda photo: photo.background,
            share=settings.cameras.share,
        )
        self._large: Batcher[_Read, _Each, Answer] = Batcher(
            "detector",
            self._find_read,
            self._embed_in_turns,
            limit=wanted.batch_pixels,
            size=wanted.batch,
            queue=wanted.queue,
            cost=lambda read: read.pixels,
            owner=lambda read: read.photo.request,
            observe=self._counters.batches("detector_large"),
        )
        # A crop in transit is in memory several times, so only enough are sent to keep the embedders busy. Two portions are
        # one batch of an embedder.
        most = CALL_BYTES // (3 * self._spec.size**2)
        self._portion = max(1, min(settings.embedder.batch // 2, most))
        self._crowd = max(1, min(settings.embedder.batch * 2, most))
        self._calls = Slots(lambda: AHEAD * replicas(self._embedder))
        self._portions: Batcher[_Portion, None, list[CropAnswers]] = Batcher(
            "detector",
            gather,
            self._send_portion,
            limit=0,
            queue=1 << 30,
            cost=lambda portion: len(portion.cut),
            owner=lambda portion: portion.request,
            ahead=lambda: AHEAD * replicas(self._embedder),
        )
        self._counters.queue("detector", self._batcher.fill)
        self._counters.queue("detector_large", self._large.fill)
        self._counters.info(**self._finder.about(), precision=settings.detector.precision)
        self._idle = IdleTrimmer(self._batcher.fill, self._large.fill)

    async def reconfigure(self, live: dict[str, Any]) -> None:
        """Take on settings that need no restart."""
        taken_on(self._settings, live)

    async def check_health(self) -> None:
        """Release unused memory. Ray calls this regularly."""
        await self._idle.check()

    async def alive(self) -> None:
        """Return when the next stage answers."""
        await call(self._embedder.alive.remote())

    async def metrics(self) -> Families:
        """Return all metrics of this process."""
        return self._counters.collect()

    @answers
    async def see(self, photos: list[Photo], seconds: float) -> list[Answer]:
        """Return the result of each photo, or its error.

        A result that does not fit into the answer is None, and so is a crowd among photos of small requests. The caller asks
        for it again.

        Args:
            photos: photos of small requests, or of one that takes turns.
            seconds: time after which the caller no longer waits.

        Raises:
            TimedOut: that time is over.
        """
        try:
            async with asyncio.timeout(seconds):
                queue = self._reader if photos and photos[0].request else self._batcher
                answers = await queue.many(photos)
        except TimeoutError:
            raise TimedOut("The photo was not processed in time. Try again later.") from None
        return that_fit(answers)

    async def about(self) -> dict[str, Any]:
        """Return the names of detector, engine and device, how crops reach the embedder, and what tells live faces."""
        crops = "lent" if self._send.shares else "sent"
        return {**self._finder.about(), "crops": crops, "liveness": self._finder.liveness}

    async def _find(self, photos: Batch[Photo]) -> _Each:
        find = partial(self._finder.find, photos, None, photos.wanted)
        return await asyncio.get_running_loop().run_in_executor(self._thread, find)

    async def _find_read(self, read: Batch[_Read]) -> _Each:
        photos, pictures = [each.photo for each in read], [each.picture for each in read]
        find = partial(self._other_finder.find, photos, pictures, read.wanted)
        return await asyncio.get_running_loop().run_in_executor(self._other_thread, find)

    async def _read(self, photos: Batch[Photo]) -> Sequence[Decoded | ImageError]:
        def read(index: int) -> Decoded | ImageError:
            return self._finder.decode(photos[index]) if photos.wanted(index) else ImageError(GIVEN_UP)

        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(self._readers, read, index) for index in range(len(photos))))

    async def _pass_on(self, photos: Sequence[Photo], pictures: Sequence[Decoded | ImageError]) -> Sequence[Answer]:
        return await self._large.many([_Read(*each) for each in zip(photos, pictures, strict=True)])

    async def _embed(self, photos: Sequence[Photo], found: _Each) -> Sequence[Answer]:
        here = [index for index, each in enumerate(found) if not self._is_crowd(photos[index], each)]
        if len(here) == len(photos):
            return await self._embedded(photos, found, self._embed_some)
        some = await self._embedded([photos[each] for each in here], [found[each] for each in here], self._embed_some)
        answers = dict(zip(here, some, strict=True))
        return [answers.get(index) for index in range(len(photos))]

    async def _embed_in_turns(self, read: Sequence[_Read], found: _Each) -> Sequence[Answer]:
        return await self._embedded([each.photo for each in read], found, self._embed_some_in_turns)

    async def _embedded(
        self,
        photos: Sequence[Photo],
        found: _Each,
        send: Callable[[Sequence[Photo], _Each], Awaitable[list[CropAnswers]]],
    ) -> list[PhotoResult | FacegroupError]:
        for photo, each in zip(photos, found, strict=True):
            if isinstance(each, DetectedFaces) and each.liveness is not None:
                self._count_liveness(photo, each.liveness)
        portions = batches.portions(photos, found, self._portion)
        back = await asyncio.gather(*(send(photos[some], found[some]) for some in portions))
        return batches.seen(photos, found, list(itertools.chain(*back)))

    async def _embed_some(self, photos: Sequence[Photo], found: _Each) -> list[CropAnswers]:
        async with self._calls:
            batch = batches.cut(photos, found, self._spec.size)
            return await self._send(batch) if batch.counts else []

    async def _embed_some_in_turns(self, photos: Sequence[Photo], found: _Each) -> list[CropAnswers]:
        batch = batches.cut(photos, found, self._spec.size)
        if not batch.counts:
            return []
        request, most = photos[0].request, max(1, self._portion // 2)
        if len(batch) <= self._portion:
            return await self._portions(_Portion(request, batch))
        parts = await self._portions.many([_Portion(request, piece) for piece in batches.pieces(batch, most)])
        rows = []
        for part in parts:
            if isinstance(part, FacegroupError):
                raise part
            rows += [each.descriptors for each in part if each.descriptors is not None]
        descriptors, query = np.concatenate(rows), batch.queries[0]
        matched: PhotoMatches | FacegroupError | None = None
        if query is not None:
            try:
                matched = await call(self._embedder.match.remote(descriptors, query, batch.grades, batch.liveness))
            except FacegroupError as error:
                matched = error
        return [CropAnswers(descriptors if batch.keep[0] else None, matched)]

    async def _send_portion(self, portions: Sequence[_Portion], _: None) -> list[list[CropAnswers]]:
        return [await self._send(portion.cut) for portion in portions]

    def _is_crowd(self, photo: Photo, found: DetectedFaces | FacegroupError) -> bool:
        return photo.needs_descriptors and isinstance(found, DetectedFaces) and len(found.crops) > self._crowd
