"""The server's `Pipeline` without Ray: the library itself, in this process, behind the same routes."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

from facegroup.cameras.hub.hub import Hub
from facegroup.cameras.hub.part import Part
from facegroup.cameras.journal import open_journal
from facegroup.cameras.sources import reader as eyes
from facegroup.cameras.types import Camera, Frame, FrameReader, Status
from facegroup.errors import CamerasOff, FacegroupError, StoreFull
from facegroup.gallery import calibrator
from facegroup.gallery.calibrator import CalibrationResult, Strangers
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult, Query
from facegroup.recognizer import Recognizer
from facegroup.settings import Settings
from facegroup.store.audit import Origin
from facegroup.store.contract import RemoteStore, Store
from facegroup.store.guard import GuardedStore
from facegroup.types import Descriptors

P = ParamSpec("P")
Answer = TypeVar("Answer")


class LocalEye:
    """`facegroup.cameras.types.FrameReader` in this process."""

    def __init__(self, camera: Camera, settings: Settings) -> None:
        self._eye = eyes.CameraReader(camera, settings.cameras)
        self._thread = ThreadPoolExecutor(1, "eye")

    @classmethod
    async def open(cls, camera: Camera, settings: Settings, here: bool) -> FrameReader:
        return cls(camera, settings)

    async def next(self, timeout: float) -> tuple[Frame | None, Status]:
        frame = await asyncio.get_running_loop().run_in_executor(self._thread, self._eye.next, timeout)
        return frame, self._eye.status()

    async def close(self) -> None:
        self._eye.close()
        self._thread.shutdown(wait=False)


class LocalPipeline:
    """`serve.api.pipeline.Pipeline` over a `Recognizer`, which is used from one thread, as it asks.

    Args:
        settings: of the server; as a server does, the gallery that they name is created.

    Attributes:
        full: whether it says that it has no room.
    """

    full = False

    def __init__(self, settings: Settings) -> None:
        self.recognizer = Recognizer(settings)
        self.recognizer.new_gallery(settings.gallery)
        galleries = self.recognizer.galleries
        self._guarded = GuardedStore(self.recognizer.store, galleries.availability, galleries.losses)
        self._call = self.recognizer.pins.calls(self._guarded.call)
        self._thread = ThreadPoolExecutor(1, "recognise")
        self._loop: asyncio.AbstractEventLoop | None = None
        if settings.cameras.enabled:
            self._loop = asyncio.new_event_loop()
            self._looking = threading.Thread(target=self._loop.run_forever, name="hub")
            self._looking.start()
            self.hub = asyncio.run_coroutine_threadsafe(self._hub(settings), self._loop).result()
            self._running = asyncio.run_coroutine_threadsafe(self.hub.run(), self._loop)

    def has_room(self, count: int, size: int = 0) -> bool:
        return not self.full

    async def see(self, photos: Sequence[Photo]) -> list[PhotoResult | FacegroupError]:
        return await self._run(lambda: self.recognizer.see(photos))

    async def match(self, descriptors: Descriptors, query: Query) -> PhotoMatches:
        (answer,) = await self._run(lambda: self.recognizer.galleries.match(descriptors, [(query, len(descriptors))]))
        if isinstance(answer, FacegroupError):
            raise answer
        return answer

    async def ask(
        self, method: Callable[Concatenate[RemoteStore, P], Answer], /, *arguments: P.args, **named: P.kwargs
    ) -> Answer:
        return await self._run(lambda: self._call(method, *arguments, **named))

    async def calibrate(
        self, gallery: str, fpir: float, strangers: Strangers | None, *, dry_run: bool, by: Origin
    ) -> CalibrationResult:
        def run() -> CalibrationResult:
            snapshot = self.recognizer.galleries.snapshot(gallery)
            return calibrator.run(self._guarded.call, snapshot, fpir, strangers, dry_run=dry_run, by=by)

        return await self._run(run)

    async def cameras(
        self, method: Callable[Concatenate[Part, P], Coroutine[Any, Any, Answer]], /, *given: P.args, **named: P.kwargs
    ) -> Answer:
        if self._loop is None:
            raise CamerasOff("this server has no cameras")
        answer = asyncio.run_coroutine_threadsafe(self.hub.call(method.__qualname__, *given, **named), self._loop)
        done: Answer = await asyncio.wrap_future(answer)
        return done

    async def alive(self) -> None:
        """All of it is here."""

    async def about(self) -> dict[str, Any]:
        embedder = self.recognizer.embedder
        try:
            await self.ask(Store.ping)
            await self.ask(Store.check_writes)
        except StoreFull as error:
            store: dict[str, Any] = {"store": "full", "detail": error.detail}
        except FacegroupError as error:
            store = {"store": "unavailable", "detail": error.detail}
        else:
            store = {"store": "ok", "compared": self.recognizer.galleries.ways()}
        return {
            **embedder.about(),
            "detector": self.recognizer.finder.about(),
            "liveness": self.recognizer.finder.liveness,
            **store,
        }

    async def scraped(self) -> str:
        return "# no metrics without Ray\n"

    async def scraped_from_ray(self) -> str:
        return "# no Ray\n"

    async def _hub(self, settings: Settings) -> Hub:
        opens = partial(open_journal, settings.store, settings.cameras.key)
        return Hub(settings, opens, self.see, self.ask, LocalEye.open)

    def close(self) -> None:
        if self._loop is not None:
            self._running.cancel()
            asyncio.run_coroutine_threadsafe(self.hub.close(), self._loop).result(30)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._looking.join()
            self._loop.close()
        self._thread.shutdown()
        self.recognizer.close()

    async def _run(self, call: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)
