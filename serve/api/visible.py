"""What of the cameras' things a caller who is limited to some galleries or cameras sees: the rest is not there for them."""

from contextlib import suppress
from dataclasses import replace

from facegroup import errors
from facegroup.access.types import Caller
from facegroup.cameras.hub.camera_registry import CameraRegistry
from facegroup.cameras.hub.receivers import Receivers
from facegroup.cameras.hub.sighting_log import SightingLog
from facegroup.cameras.hub.video_jobs import VideoJobs
from facegroup.cameras.sightings.journal import Filter
from facegroup.cameras.sightings.types import Sighting, Webhook
from facegroup.cameras.types import Camera
from facegroup.store.contract import Store
from facegroup.types import Gallery
from serve.api.context import Context


def is_limited(caller: Caller) -> bool:
    """Return whether a caller may use only some galleries or cameras."""
    return caller.galleries is not None or caller.cameras is not None


def sees_camera(caller: Caller, camera: Camera) -> bool:
    """Return whether a caller may see a camera."""
    return caller.grant.covers_camera(camera.id, camera.gallery)


def sees_sighting(caller: Caller, sighting: Sighting) -> bool:
    """Return whether a caller may see a sighting."""
    return caller.grant.covers_camera(sighting.camera, sighting.gallery)


def sees_webhook(caller: Caller, webhook: Webhook) -> bool:
    """Return whether a webhook is told only what a caller may see."""
    galleries = caller.galleries is None or (webhook.gallery is not None and caller.grant.covers(webhook.gallery))
    cameras = caller.cameras is None or (
        bool(webhook.cameras) and all(map(caller.grant.covers_camera, webhook.cameras))
    )
    return galleries and cameras


async def check_camera(server: Context, caller: Caller, camera: str) -> None:
    """Raise `UnknownCamera` if a camera is of a gallery that the caller may not use, as if it were not there."""
    if is_limited(caller):
        found, _ = await server.pipeline.cameras(CameraRegistry.show, camera)
        if not sees_camera(caller, found):
            raise errors.UnknownCamera(f"There is no camera {camera!r}.")


async def check_sighting(server: Context, caller: Caller, sighting: str) -> None:
    """Raise `UnknownSighting` if the caller may not see a sighting, as if it were not there."""
    if is_limited(caller):
        found = await server.pipeline.cameras(SightingLog.show, sighting)
        if not sees_sighting(caller, found):
            raise errors.UnknownSighting(f"There is no sighting {sighting[:64]!r}.")


async def check_video(server: Context, caller: Caller, video: str) -> None:
    """Raise `UnknownVideo` if a video is of a gallery that the caller may not use, as if it were not there."""
    if caller.galleries is not None:
        found = await server.pipeline.cameras(VideoJobs.show, video)
        if not caller.grant.covers(found.gallery):
            raise errors.UnknownVideo(f"There is no video {video[:64]!r}.")


async def check_webhook(server: Context, caller: Caller, webhook: str) -> None:
    """Raise `UnknownWebhook` if a webhook is told more than the caller may see, as if it were not there."""
    if is_limited(caller):
        missing = errors.UnknownWebhook(f"There is no webhook {webhook!r}.")
        try:
            found, _ = await server.pipeline.cameras(Receivers.show, webhook)
        except errors.UnknownWebhook:
            raise missing from None
        if not sees_webhook(caller, found):
            raise missing


async def galleries(server: Context, caller: Caller, after: str, limit: int) -> list[Gallery]:
    """Return a page of the galleries that a caller may use, by name."""
    if caller.galleries is None:
        return await server.pipeline.ask(Store.galleries, after, limit)
    found = []
    for name in sorted(name for name in caller.galleries if name > after):
        with suppress(errors.UnknownGallery):
            found.append(await server.pipeline.ask(Store.gallery, name))
        if len(found) == limit:
            break
    return found


async def sightings(server: Context, caller: Caller, wanted: Filter, after: str, limit: int) -> list[Sighting]:
    """Return a page of the sightings that a caller may see, the latest first."""
    if is_limited(caller):
        wanted = replace(wanted, cameras=caller.cameras, galleries=caller.galleries)
    return await server.pipeline.cameras(SightingLog.page, wanted, after, limit)
