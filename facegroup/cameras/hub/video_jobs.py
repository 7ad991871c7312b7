"""Videos that are sent to the server: uploads in parts, the queue of those that are complete, and their results.

The results are kept in the journal. A server that restarts has lost the uploaded bytes, and marks those videos as failed.
"""

import asyncio
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from facegroup.cameras.hub.part import HubContext, HubPart, completed
from facegroup.cameras.sightings.types import Video
from facegroup.cameras.types import Camera
from facegroup.cameras.video.viewing import camera
from facegroup.errors import BodyTooLarge, NetworkMismatch, NoVideo, TooManyVideos, UnknownVideo
from facegroup.settings import Settings
from facegroup.store.contract import Store

WAITING = 8
"""Videos that are uploaded or wait at once."""
STALE_SECONDS = 900.0
"""An upload that gets no part for so long is dropped."""


@dataclass(frozen=True, slots=True)
class VideoJob:
    """A video that is complete, and waits to be analysed."""

    video: Video
    path: Path
    camera: Camera


class VideoJobs(HubPart):
    """The videos of the journal, and those that are uploaded or wait.

    Attributes:
        queue: the videos that wait to be analysed.
    """

    def __init__(self, hub: HubContext) -> None:
        super().__init__(hub)
        self.queue: asyncio.Queue[VideoJob] = asyncio.Queue()
        self._uploads: dict[str, tuple[Video, Path, float]] = {}

    async def all(self, limit: int) -> list[Video]:
        """Return the latest videos, newest first, without results."""
        return await asyncio.to_thread(self._hub.journal.videos, limit)

    async def show(self, video: str) -> Video:
        """Return a video with its result. Raises UnknownVideo."""
        return await asyncio.to_thread(self._hub.journal.video, video)

    @completed
    async def begin(self, name: str, gallery: str) -> str:
        """Begin an upload; return the video's id. Raises UnknownGallery, NetworkMismatch, TooManyVideos."""
        about = await self._hub.ask(Store.gallery, gallery)
        if about.network != self._hub.network:
            raise NetworkMismatch.of(gallery, about.network, self._hub.network)
        if about.decision == "cosine":
            self._hub.thresholds[gallery] = about.threshold
        self._drop_stale()
        if len(self._uploads) + self.queue.qsize() >= WAITING:
            raise TooManyVideos(f"{WAITING} videos are waiting already; try again later")
        video = Video(uuid.uuid4().hex, name, gallery, "waiting", 0.0, time.time())
        folder = uploads(self._hub.settings)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{video.id}.video"
        path.touch(mode=0o600)
        self._uploads[video.id] = (video, path, time.monotonic())
        return video.id

    @completed
    async def add(self, video: str, data: bytes) -> None:
        """Append the next part of a video. Raises BodyTooLarge, UnknownVideo."""
        found, path, _ = self._upload(video)
        size = await asyncio.to_thread(_append, path, data)
        self._uploads[video] = (found, path, time.monotonic())
        if size > (most := self._hub.settings.limits.video_bytes):
            self._drop(video)
            raise BodyTooLarge(f"the video is larger than {most:,} bytes (video_bytes)")

    @completed
    async def start(self, video: str, fps: float, cooldown: float, confirm: int, min_face_size: int | None) -> Video:
        """Queue a video that is complete. The options are those of `Camera`. Raises NoVideo, UnknownVideo."""
        found, path, _ = self._upload(video)
        if not path.stat().st_size:
            self._drop(video)
            raise NoVideo("the video is empty")
        await asyncio.to_thread(self._hub.journal.write_video, found)
        del self._uploads[video]
        self.queue.put_nowait(VideoJob(found, path, camera(path, found.gallery, fps, cooldown, confirm, min_face_size)))
        return found

    @completed
    async def give_up(self, video: str) -> None:
        """Drop an upload that stays incomplete."""
        self._drop(video)

    @completed
    async def remove(self, video: str) -> None:
        """Remove a video's result; an analysis that is under way ends. Raises UnknownVideo."""
        await asyncio.to_thread(self._hub.journal.delete_video, video)

    def _upload(self, video: str) -> tuple[Video, Path, float]:
        if video not in self._uploads:
            raise UnknownVideo(f"no video {video[:64]!r} is being uploaded")
        return self._uploads[video]

    def _drop(self, video: str) -> None:
        if video in self._uploads:
            self._uploads.pop(video)[1].unlink(missing_ok=True)

    def _drop_stale(self) -> None:
        for video in [key for key, (_, _, at) in self._uploads.items() if time.monotonic() - at > STALE_SECONDS]:
            self._drop(video)


def uploads(settings: Settings) -> Path:
    """Return the folder of uploaded videos."""
    return settings.cache_dir / "videos"


def _append(path: Path, data: bytes) -> int:
    with path.open("ab") as file:
        file.write(data)
        return file.tell()
