"""Worker that analyses uploaded videos, one after the other."""

import asyncio
import logging
import shutil
import time
from contextlib import suppress
from dataclasses import replace

from facegroup.cameras.hub.part import HubContext
from facegroup.cameras.hub.video_jobs import VideoJob, uploads
from facegroup.cameras.types import FrameReader
from facegroup.cameras.video.files import broken, incomplete, length
from facegroup.cameras.video.viewing import VideoAnalysis, report
from facegroup.errors import FacegroupError, NoVideo, Overloaded, SourceError, StoreUnavailable, UnknownVideo
from facegroup.pipeline.messages import Photo, PhotoResult

log = logging.getLogger(__name__)

_WAIT_SECONDS = 0.5
_RETRY_SECONDS = 2.0
_PATIENCE_SECONDS = 30.0
_PROGRESS_SECONDS = 1.0


class VideoWorker:
    """Analyses the videos of a queue.

    Args:
        hub: what the worker uses of the hub.
        queue: the videos that wait.
    """

    def __init__(self, hub: HubContext, queue: asyncio.Queue[VideoJob]) -> None:
        folder = hub.settings.cameras.model_copy(update={"folder": uploads(hub.settings)})
        self._uploads = hub.settings.model_copy(update={"cameras": folder})  # allows the folder of uploads
        self._hub = hub
        self._queue = queue

    async def run(self) -> None:
        """Analyse one video after the other until cancelled."""
        await asyncio.to_thread(shutil.rmtree, uploads(self._hub.settings), True)
        while not await self._lost_marked():
            await asyncio.sleep(_RETRY_SECONDS)
        while True:
            job = await self._queue.get()
            try:
                await self._analyse(job)
            except UnknownVideo:
                log.info("video %s was removed while it was analysed", job.video.id)
            except FacegroupError as error:
                await self._failed(job, error.detail)
            except Exception:
                log.exception("video %s: the analysis broke, which is a bug", job.video.id)
                await self._failed(job, "the analysis failed; see the server's log")
            finally:
                job.path.unlink(missing_ok=True)

    async def _analyse(self, job: VideoJob) -> None:
        video = job.video
        await self._check_kept(job)
        reader = await self._hub.open_reader(job.camera, self._uploads, True)
        try:
            seconds = await asyncio.to_thread(length, job.path)
            threshold, settings = self._hub.thresholds[video.gallery], self._hub.settings.cameras
            with VideoAnalysis(job.camera, self._hub.network, threshold, settings) as analysis:
                trouble = await self._read(job, reader, analysis, seconds)
                found = await asyncio.to_thread(analysis.finish)
                result = report(video.name, analysis, found, video.gallery, self._hub.network)
        finally:
            with suppress(FacegroupError, TimeoutError):
                async with asyncio.timeout(5):
                    await reader.close()
        await self._check_kept(job)
        detail = None if trouble is None else trouble.detail
        done = replace(video, state="done", progress=1.0, detail=detail, result=result)
        await asyncio.to_thread(self._hub.journal.write_video, done)

    async def _read(
        self, job: VideoJob, reader: FrameReader, analysis: VideoAnalysis, seconds: float | None
    ) -> SourceError | None:
        """Analyse every frame; return what is wrong with a video of which some frames could be read."""
        reported_at, last = 0.0, time.monotonic()
        while True:
            frame, status = await reader.next(_WAIT_SECONDS)
            problem = broken(frame, status)
            if problem is None and frame is None and time.monotonic() - last > _PATIENCE_SECONDS:
                problem = NoVideo(f"no frame came for {_PATIENCE_SECONDS:g} s")
            if problem is not None or (frame is None and status.state == "ended"):
                break
            if frame is None:
                continue
            last = time.monotonic()
            seen = await self._seen(analysis.photo(frame))
            if await asyncio.to_thread(analysis.take, frame, seen):
                seen = await self._seen(analysis.recognise(frame, seen.faces))
                await asyncio.to_thread(analysis.take, frame, seen)
            if time.monotonic() - reported_at > _PROGRESS_SECONDS:
                reported_at = time.monotonic()
                await self._check_kept(job)
                part = min(0.99, frame.position / seconds) if seconds else 0.0
                running = replace(job.video, state="running", progress=round(part, 3))
                await asyncio.to_thread(self._hub.journal.write_video, running)
        if not analysis.facts.analysed:
            raise problem or NoVideo("there is no picture in it")
        return incomplete(problem, status, analysis.facts, job.camera, seconds)

    async def _seen(self, photo: Photo) -> PhotoResult:
        while True:
            with suppress(Overloaded):  # a video can wait
                answer = await self._hub.recognise(photo)
                if isinstance(answer, FacegroupError):
                    raise answer
                return answer
            await asyncio.sleep(0.5)

    async def _check_kept(self, job: VideoJob) -> None:
        """Raise UnknownVideo if the video was removed."""
        await asyncio.to_thread(self._hub.journal.video, job.video.id)

    async def _lost_marked(self) -> bool:
        """Mark the videos from before a restart as failed; return False if the journal is unavailable."""
        try:
            for each in await asyncio.to_thread(self._hub.journal.videos, 1000):
                if each.state in ("waiting", "running"):
                    lost = replace(each, state="failed", detail="the server was restarted; send the video again")
                    await asyncio.to_thread(self._hub.journal.write_video, lost)
        except StoreUnavailable:
            return False
        return True

    async def _failed(self, job: VideoJob, detail: str) -> None:
        with suppress(FacegroupError):
            await asyncio.to_thread(self._hub.journal.write_video, replace(job.video, state="failed", detail=detail))
