"""Videos that are sent to a server: their bytes come in parts, are looked through one video at a time, and are gone then.

What was found is kept in the journal. A server that restarts has lost the bytes, and says so of the videos it had.
"""

import asyncio
import logging
import shutil
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from facegroup.cameras.sightings.types import Video
from facegroup.cameras.types import Camera, FrameReader
from facegroup.cameras.video.files import broken, length, told
from facegroup.cameras.video.viewing import VideoAnalysis, camera, report
from facegroup.errors import (
    BodyTooLarge,
    FacegroupError,
    NoVideo,
    Overloaded,
    StoreUnavailable,
    TooManyVideos,
    UnknownVideo,
)
from facegroup.pipeline.messages import Photo, PhotoResult
from facegroup.settings import Settings

log = logging.getLogger(__name__)

WAITING = 8
"""Videos that wait, or come, at once."""
STALE_SECONDS = 900.0
"""After so long without a part, a video that was never sent whole is forgotten."""
_WAIT_SECONDS = 0.5
_RETRY_SECONDS = 2.0
_PATIENCE_SECONDS = 30.0
_TELL_SECONDS = 1.0

Look: TypeAlias = Callable[[Photo], Awaitable[PhotoResult | FacegroupError]]
Journal: TypeAlias = Callable[..., Awaitable[Any]]


class VideoJobs:
    """The videos of one server.

    Args:
        settings: of the server.
        network: that makes the descriptors.
        look: the pipeline.
        journal: calls a method of the journal by name.
        open_eye: opens a file on this machine.
        threshold: of a gallery.
    """

    def __init__(
        self,
        settings: Settings,
        network: str,
        look: Look,
        journal: Journal,
        open_eye: Callable[[Camera, Settings], Awaitable[FrameReader]],
        threshold: Callable[[str], float],
    ) -> None:
        self._settings = settings
        self._network = network
        self._look = look
        self._journal = journal
        self._open = open_eye
        self._threshold = threshold
        self._folder = settings.cache_dir / "videos"
        self._coming: dict[str, tuple[Video, Path, float]] = {}
        self._queue: asyncio.Queue[tuple[Video, Path, dict[str, Any]]] = asyncio.Queue()

    async def run(self) -> None:
        """Look through one video after the other until cancelled."""
        await self._in(shutil.rmtree, self._folder, True)
        while not await self._told_lost():
            await asyncio.sleep(_RETRY_SECONDS)
        while True:
            video, path, wanted = await self._queue.get()
            try:
                await self._one(video, path, wanted)
            except UnknownVideo:
                log.info("video %s was removed while it was looked through", video.id)
            except FacegroupError as error:
                await self._failed(video, error.detail)
            except Exception:
                log.exception("video %s: looking through it broke, which is a bug", video.id)
                await self._failed(video, "looking through it broke; the server's log says more")
            finally:
                path.unlink(missing_ok=True)

    async def begin(self, name: str, gallery: str) -> str:
        """Make place for a video; return its id. Raises TooManyVideos."""
        self._drop_stale()
        if len(self._coming) + self._queue.qsize() >= WAITING:
            raise TooManyVideos(f"{WAITING} videos are waiting already; try again later")
        video = Video(uuid.uuid4().hex, name, gallery, "waiting", 0.0, time.time())
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{video.id}.video"
        path.touch(mode=0o600)
        self._coming[video.id] = (video, path, time.monotonic())
        return video.id

    async def add(self, video: str, data: bytes) -> None:
        """Take the next part of a video. Raises BodyTooLarge; UnknownVideo."""
        found, path, _ = self._found(video)
        size = await self._in(_append, path, data)
        self._coming[video] = (found, path, time.monotonic())
        if size > (most := self._settings.limits.video_bytes):
            self.give_up(video)
            raise BodyTooLarge(f"the video is larger than {most:,} bytes (video_bytes)")

    async def start(self, video: str, wanted: dict[str, Any]) -> Video:
        """Look through a video that is here whole, when it is its turn; `wanted` are arguments of `viewing.camera`."""
        found, path, _ = self._found(video)
        if not path.stat().st_size:
            self.give_up(video)
            raise NoVideo("there are no bytes")
        await self._journal("write_video", found)
        del self._coming[video]
        self._queue.put_nowait((found, path, wanted))
        return found

    def give_up(self, video: str) -> None:
        """Forget a video that does not come whole."""
        if video in self._coming:
            self._coming.pop(video)[1].unlink(missing_ok=True)

    async def _one(self, video: Video, path: Path, wanted: dict[str, Any]) -> None:
        await self._journal("video", video.id)
        where = camera(path, video.gallery, **wanted)
        folder = self._settings.cameras.model_copy(update={"folder": self._folder})
        eye = await self._open(where, self._settings.model_copy(update={"cameras": folder}))
        seconds = await self._in(length, path)
        problem: NoVideo | None = None
        said, last = 0.0, time.monotonic()
        try:
            with VideoAnalysis(where, self._network, self._threshold(video.gallery), self._settings.cameras) as viewing:
                while True:
                    frame, status = await eye.next(_WAIT_SECONDS)
                    problem = broken(frame, status)
                    if problem is None and frame is None and time.monotonic() - last > _PATIENCE_SECONDS:
                        problem = NoVideo(f"no frame came for {_PATIENCE_SECONDS:g} s")
                    if problem is not None or (frame is None and status.state == "ended"):
                        break
                    if frame is None:
                        continue
                    last = time.monotonic()
                    seen = await self._seen(viewing.photo(frame))
                    if await self._in(viewing.take, frame, seen):
                        await self._in(viewing.take, frame, await self._seen(viewing.recognise(frame, seen.faces)))
                    if time.monotonic() - said > _TELL_SECONDS:
                        said = time.monotonic()
                        await self._journal("video", video.id)  # it may have been removed
                        part = min(0.99, frame.position / seconds) if seconds else 0.0
                        await self._journal("write_video", replace(video, state="running", progress=round(part, 3)))
                if not viewing.facts.analysed:
                    raise problem or NoVideo("there is no picture in it")
                trouble = told(problem, status, viewing.facts, where, seconds)
                found = await self._in(viewing.finish)
                result = report(video.name, viewing, found, video.gallery, self._network)
        finally:
            with suppress(FacegroupError, TimeoutError):
                async with asyncio.timeout(5):
                    await eye.close()
        await self._journal("video", video.id)
        detail = None if trouble is None else trouble.detail
        await self._journal("write_video", replace(video, state="done", progress=1.0, detail=detail, result=result))

    async def _seen(self, photo: Photo) -> PhotoResult:
        while True:
            with suppress(Overloaded):  # a video can wait
                answer = await self._look(photo)
                if isinstance(answer, FacegroupError):
                    raise answer
                return answer
            await asyncio.sleep(0.5)

    async def _told_lost(self) -> bool:
        """Say of the videos from before the restart that they are lost; False: the journal is away."""
        try:
            for each in await self._journal("videos", 1000):
                if each.state in ("waiting", "running"):
                    lost = replace(each, state="failed", detail="the server was restarted; send the video again")
                    await self._journal("write_video", lost)
        except StoreUnavailable:
            return False
        return True

    async def _failed(self, video: Video, detail: str) -> None:
        with suppress(FacegroupError):
            await self._journal("write_video", replace(video, state="failed", detail=detail))

    def _found(self, video: str) -> tuple[Video, Path, float]:
        if video not in self._coming:
            raise UnknownVideo(f"no video {video[:64]!r} is coming in")
        return self._coming[video]

    def _drop_stale(self) -> None:
        for video in [key for key, (_, _, at) in self._coming.items() if time.monotonic() - at > STALE_SECONDS]:
            self.give_up(video)

    @staticmethod
    async def _in(call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, partial(call, *arguments))


def _append(path: Path, data: bytes) -> int:
    with path.open("ab") as file:
        file.write(data)
        return file.tell()
