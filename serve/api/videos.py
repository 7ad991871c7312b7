"""Routes on videos: send one, see how far it is and who appears in it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.requests import ClientDisconnect

from facegroup import errors
from facegroup.cameras.hub.video_jobs import VideoJobs
from facegroup.store.names import clean_name
from facegroup.wire import patterns
from facegroup.wire import videos as wire
from serve.api import documented, visible
from serve.api.access import CheckedRoute
from serve.api.bodies import media_type
from serve.api.context import Limit, MinFaceSize, Server, VideoId, Who

router = APIRouter(prefix="/videos", tags=["cameras"], route_class=CheckedRoute)

_PART = 4 << 20
_KEPT = (errors.CamerasOff, errors.StoreUnavailable, errors.StoreInvalid)
_NEW = documented.of(
    wire.VideoJob,
    *(*_KEPT, errors.TooManyVideos, errors.NoVideo, errors.UnknownGallery, errors.NetworkMismatch, errors.InvalidName),
    *(errors.StoreWentBack, errors.UnsupportedFormat),
    status=202,
)
_LIST = documented.of(wire.VideoJobs, *_KEPT)
_ONE = documented.of(wire.VideoJob, *_KEPT, errors.UnknownVideo)
_GONE = documented.of(None, *_KEPT, errors.UnknownVideo, status=204)
_BODY = {"requestBody": {"required": True, "content": {"video/*": {"schema": {"type": "string", "format": "binary"}}}}}


@router.post("", status_code=202, openapi_extra=_BODY, response_model=None, responses=_NEW, summary="Send a video")
async def send_video(
    request: Request,
    server: Server,
    who: Who,
    gallery: Annotated[
        str | None,
        Query(description="gallery to identify faces in; left out: the server's own", json_schema_extra=patterns.NAME),
    ] = None,
    name: Annotated[str, Query(max_length=200, description="of the file, for people")] = "video",
    fps: Annotated[float, Query(ge=0.1, le=30, allow_inf_nan=False, description="frames analysed a second")] = 5,
    confirm: Annotated[int, Query(ge=1, le=100, description="frames that must agree")] = 2,
    cooldown: Annotated[float, Query(ge=0.1, le=3600, allow_inf_nan=False, description="seconds unseen")] = 2,
    min_face_size: MinFaceSize = None,
) -> wire.VideoJob:
    """Take a video, of any kind that FFmpeg reads, as the request's body; it is looked through when it is its turn.

    The answer names it; `GET /v1/videos/{video}` says how far it is, and then who appears when. The bytes are kept only
    until they were looked through.
    """
    kind = media_type(request)
    if kind.startswith(("multipart/", "text/")) or kind == "application/json":
        raise errors.UnsupportedFormat(
            f"a body of type {kind[:100]} holds no video; send the file itself as the body, as video/mp4 or without a type: "
            "curl --data-binary @film.mp4 -H content-type:video/mp4"
        )
    whose = clean_name(gallery or server.settings.gallery, "gallery name")
    who.require(whose)
    video = await server.pipeline.cameras(VideoJobs.begin, name, whose)
    try:
        part = bytearray()
        async for chunk in request.stream():
            part += chunk
            if len(part) >= _PART:
                await server.pipeline.cameras(VideoJobs.add, video, bytes(part))
                part.clear()
        if part:
            await server.pipeline.cameras(VideoJobs.add, video, bytes(part))
        made = await server.pipeline.cameras(VideoJobs.start, video, fps, cooldown, confirm, min_face_size)
    except (errors.FacegroupError, ClientDisconnect):
        await server.pipeline.cameras(VideoJobs.give_up, video)
        raise
    return wire.VideoJob.of(made)


@router.get("", response_model=None, responses=_LIST, summary="List videos")
async def list_videos(server: Server, who: Who, limit: Limit = 100) -> wire.VideoJobs:
    """Return the latest videos, newest first, without what was found in them."""
    kept = server.settings.cameras.keep_videos
    found = await server.pipeline.cameras(VideoJobs.all, limit if who.galleries is None else max(limit, kept))
    seen = [each for each in found if who.grant.covers(each.gallery)]
    return wire.VideoJobs(videos=[wire.VideoJob.of(each) for each in seen[:limit]])


@router.get("/{video}", response_model=None, responses=_ONE, summary="Show a video")
async def show_video(server: Server, video: VideoId, who: Who) -> wire.VideoJob:
    """Return how far a video is, and who appears in it when, once it is done."""
    await visible.check_video(server, who, video)
    return wire.VideoJob.of(await server.pipeline.cameras(VideoJobs.show, video))


@router.delete("/{video}", status_code=204, responses=_GONE, summary="Remove a video")
async def remove_video(server: Server, video: VideoId, who: Who) -> Response:
    """Remove what was found in a video; one that is being looked through is given up."""
    await visible.check_video(server, who, video)
    await server.pipeline.cameras(VideoJobs.remove, video)
    return Response(status_code=204)
