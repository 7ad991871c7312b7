"""Routes on cameras: add, list, change, remove, try; the last picture of each."""

from base64 import b64encode
from dataclasses import fields
from typing import Any

from fastapi import APIRouter, Response

from facegroup import errors
from facegroup.cameras.hub.camera_registry import CameraRegistry
from facegroup.cameras.types import Camera, Condition
from facegroup.errors import FacegroupError
from facegroup.pipeline.messages import Photo
from facegroup.store.names import check_id, clean_name
from facegroup.wire import cameras as wire
from serve.api import documented, visible
from serve.api.access import CheckedRoute
from serve.api.context import By, CameraId, Server, Who

router = APIRouter(prefix="/cameras", tags=["cameras"], route_class=CheckedRoute)

_SOURCE = (errors.InvalidSource, errors.SourceNotAllowed, errors.SourceUnreachable)
_KEPT = (errors.CamerasOff, errors.StoreUnavailable, errors.StoreInvalid)
_NEW = documented.of(
    wire.Camera,
    *(*_SOURCE, *_KEPT, errors.CameraExists, errors.TooManyCameras, errors.KeyMissing, errors.InvalidName),
    *(errors.UnknownGallery, errors.StoreWentBack),
    status=201,
)
_CHANGED = documented.of(
    wire.Camera,
    *(*_SOURCE, *_KEPT, errors.UnknownCamera, errors.KeyMissing, errors.InvalidName, errors.UnknownGallery),
    errors.StoreWentBack,
)
_ONE = documented.of(wire.Camera, *_KEPT, errors.UnknownCamera, errors.InvalidName)
_GONE = documented.of(None, *_KEPT, errors.UnknownCamera, errors.InvalidName, status=204)
_ALL = documented.of(wire.CamerasList, *_KEPT)
_TRIED = documented.of(wire.Tried, *_SOURCE, errors.CamerasOff)
_PICTURE = documented.crop(*_KEPT, errors.UnknownCamera, errors.UnknownPhoto, errors.InvalidName)


@router.get("", response_model=None, responses=_ALL, summary="List cameras")
async def list_cameras(server: Server, who: Who) -> wire.CamerasList:
    """Return all cameras and how they are, by id."""
    found = await server.pipeline.cameras(CameraRegistry.all)
    return wire.CamerasList(cameras=[wire.Camera.of(*each) for each in found if visible.sees_camera(who, each[0])])


@router.post("", status_code=201, response_model=None, responses=_NEW, summary="Add a camera")
async def add_camera(server: Server, new: wire.NewCamera, who: Who, by: By) -> wire.Camera:
    """Add a camera, which is looked at from now on, also after a restart of the server.

    The address is held against what the settings allow; whether it can be opened shows in the camera's `status`, and
    `/cameras/try` says it at once. A password in it is kept encrypted, and never answered.
    """
    gallery = clean_name(new.gallery or server.settings.gallery, "gallery name")
    who.require(gallery)
    who.require_camera(new.id)
    given = {**_given(new), "id": check_id(new.id, "camera"), "gallery": gallery}
    return wire.Camera.of(*await server.pipeline.cameras(CameraRegistry.add, Camera(**given), by))


@router.post("/try", response_model=None, responses=_TRIED, summary="Look at a source once")
async def try_camera(server: Server, wanted: wire.TriedCamera) -> wire.Tried:
    """Look at a source for some seconds: what state it comes into, a picture of it, how many faces are in it."""
    camera = Camera(**_given(wanted), id="try", gallery=server.settings.gallery)
    status, frame = await server.pipeline.cameras(CameraRegistry.try_source, camera)
    seen = (
        None
        if frame is None
        else (await server.pipeline.see([Photo(frame.data, frame.smallest(camera), embed=False, liveness=False)]))[0]
    )
    return wire.Tried(
        status=wire.CameraStatus.of(Condition(status)),
        faces=None if seen is None or isinstance(seen, FacegroupError) else len(seen.faces),
        picture=None if frame is None else b64encode(frame.data).decode(),
    )


@router.get("/{camera}", response_model=None, responses=_ONE, summary="Show a camera")
async def show_camera(server: Server, camera: CameraId, who: Who) -> wire.Camera:
    """Return a camera and how it is."""
    await visible.check_camera(server, who, camera)
    return wire.Camera.of(*await server.pipeline.cameras(CameraRegistry.show, camera))


@router.patch("/{camera}", response_model=None, responses=_CHANGED, summary="Change a camera")
async def change_camera(server: Server, camera: CameraId, change: wire.CameraChange, who: Who, by: By) -> wire.Camera:
    """Change settings of a camera; what is left out stays. It is opened anew."""
    await visible.check_camera(server, who, camera)
    given = _given(change)
    changes = {
        name: given[name] for name in change.model_fields_set if given[name] is not None or name in wire.NULLABLE
    }
    if "gallery" in changes:
        changes["gallery"] = clean_name(changes["gallery"], "gallery name")
        who.require(changes["gallery"])
    return wire.Camera.of(*await server.pipeline.cameras(CameraRegistry.change, camera, changes, by))


@router.delete("/{camera}", status_code=204, responses=_GONE, summary="Remove a camera")
async def remove_camera(server: Server, camera: CameraId, who: Who, by: By) -> Response:
    """Stop looking at a camera; its sightings stay until they are too old."""
    await visible.check_camera(server, who, camera)
    await server.pipeline.cameras(CameraRegistry.remove, camera, by)
    return Response(status_code=204)


@router.get("/{camera}/snapshot", response_class=Response, responses=_PICTURE, summary="Show the last picture")
async def show_snapshot(server: Server, camera: CameraId, who: Who) -> Response:
    """Return the frame that was analysed last, as JPEG, where the camera keeps pictures."""
    await visible.check_camera(server, who, camera)
    frame = await server.pipeline.cameras(CameraRegistry.snapshot, camera)
    if frame is None:
        raise errors.UnknownPhoto("no frame was analysed yet, or the camera keeps no pictures")
    return Response(frame.data, media_type="image/jpeg", headers={"cache-control": "no-store"})


def _given(body: wire.NewCamera | wire.TriedCamera | wire.CameraChange) -> dict[str, Any]:
    """Return the fields of `Camera` that a body has, with regions as tuples."""
    known = {field.name for field in fields(Camera)}
    given = {name: value for name, value in body if name in known}
    if body.regions is not None:
        given["regions"] = tuple(tuple(region) for region in body.regions)
    return given
