"""Commands on a server's cameras: `facegroup camera add | ls | set | rm | test | key`."""

import json
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from facegroup.cli.output import client_of, show_table
from facegroup.errors import MalformedRequest
from facegroup.settings import Settings, load
from facegroup.types import Policy

app = typer.Typer(name="camera", help="Cameras that a server reads: docs/cameras.md.", no_args_is_help=True)

Server = Annotated[str | None, typer.Option(help="URL of the server [default: the one of FACEGROUP_HOST and _PORT]")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document, for programs")]
Gallery = Annotated[str | None, typer.Option(help="gallery whose members are recognised [default: the server's own]")]
Fps = Annotated[float | None, typer.Option(help="frames analysed a second, at most [default: 2]")]
MinFaceSize = Annotated[int | None, typer.Option(help="smallest face to detect, in pixels of the picture")]
Quality = Annotated[Policy | None, typer.Option(help="how good a face must be to be named")]
Confirm = Annotated[int | None, typer.Option(help="frames that must agree before a face is named [default: 2]")]
Cooldown = Annotated[float | None, typer.Option(help="seconds without a detection before the visit ends [default: 30]")]
Region = Annotated[
    list[str] | None, typer.Option(help="polygon where faces count, 0..1: '0,0 0.5,0 0.5,1'; again for another")
]
Rotate = Annotated[
    int | None,
    typer.Option(help="degrees by which to rotate the picture clockwise: 0, 90, 180 or 270 [default: 0]"),
]
Every = Annotated[
    float | None,
    typer.Option("--every", help="seconds between pictures, of a source that sends one at a time [default: 1]"),
]
Flag = Annotated[bool | None, typer.Option()]


def url(server: str | None, settings: Settings) -> str:
    """Return the URL of the server; None means the server of the settings."""
    return server or f"http://{settings.host}:{settings.port}"


def add_commands(into: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    into.add_typer(app)


@app.command("add")
def add(
    camera: Annotated[str, typer.Argument(help="its id: a–z, 0–9 and -")],
    source: Annotated[str, typer.Argument(help="rtsp://user:password@host/…, http://…, file:///…, v4l2:///dev/video0")],
    gallery: Gallery = None,
    fps: Fps = None,
    min_face_size: MinFaceSize = None,
    region: Region = None,
    quality: Quality = None,
    confirm: Confirm = None,
    cooldown: Cooldown = None,
    snapshots: Flag = None,
    motion: Flag = None,
    rotate: Rotate = None,
    every: Every = None,
    udp: Annotated[bool, typer.Option("--udp", help="RTSP over UDP instead of TCP")] = False,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Add a camera. The server reads it from now on, also after a restart."""
    given = {"id": camera, "source": source, "gallery": gallery, "transport": "udp" if udp else None}
    analysis = {"fps": fps, "min_face_size": min_face_size, "regions": _regions(region), "quality": quality}
    rest = {"confirm": confirm, "cooldown": cooldown, "snapshots": snapshots, "motion": motion}
    more = {"rotate": rotate, "picture_seconds": every}
    _show([call("POST", "/v1/cameras", server, {**given, **analysis, **rest, **more})], as_json)


@app.command("set")
def change(
    camera: Annotated[str, typer.Argument(help="its id")],
    source: Annotated[str | None, typer.Option(help="another address")] = None,
    gallery: Gallery = None,
    fps: Fps = None,
    min_face_size: MinFaceSize = None,
    region: Region = None,
    quality: Quality = None,
    confirm: Confirm = None,
    cooldown: Cooldown = None,
    snapshots: Flag = None,
    motion: Flag = None,
    rotate: Rotate = None,
    every: Every = None,
    enabled: Annotated[bool | None, typer.Option(help="whether the server reads it")] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Change a camera. Options that are left out keep their values."""
    given = {"source": source, "gallery": gallery, "fps": fps, "min_face_size": min_face_size, "quality": quality}
    analysis = {"regions": _regions(region), "confirm": confirm, "cooldown": cooldown, "snapshots": snapshots}
    rest = {"motion": motion, "rotate": rotate, "picture_seconds": every, "enabled": enabled}
    _show([call("PATCH", f"/v1/cameras/{camera}", server, {**given, **analysis, **rest})], as_json)


@app.command("ls")
def show(server: Server = None, as_json: AsJson = False) -> None:
    """List the cameras and their states."""
    _show(call("GET", "/v1/cameras", server)["cameras"], as_json)


@app.command("rm")
def remove(camera: Annotated[str, typer.Argument(help="its id")], server: Server = None) -> None:
    """Remove a camera. Its sightings stay."""
    call("DELETE", f"/v1/cameras/{camera}", server)
    typer.echo(f"removed {camera}")


@app.command("test")
def look_once(
    source: Annotated[str, typer.Argument(help="an address")],
    picture: Annotated[Path | None, typer.Option(help="file to write the picture to, as JPEG")] = None,
    seconds: Annotated[float, typer.Option(min=1, max=60, help="how long to wait for a picture, on this machine")] = 10,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Read one picture of a source: on this machine, or with --server on the server. Exit with 1 if none comes."""
    if server is not None:
        found = call("POST", "/v1/cameras/try", server, {"source": source})
        status, data = found["status"], None if found["picture"] is None else b64decode(found["picture"])
    else:
        status, data = _first_frame(source, seconds)
    if picture is not None and data is not None:
        picture.write_bytes(data)
    if as_json:
        typer.echo(json.dumps({"status": status, "picture": data is not None}))
    else:
        typer.echo(_summary(status, seen=data is not None))
    raise typer.Exit(int(data is None))


@app.command("key")
def key() -> None:
    """Make a key for FACEGROUP_CAMERAS__KEY, which encrypts passwords of cameras where there is no secret key."""
    from facegroup.cameras.journal.encryption import new_key

    typer.echo(new_key())


def _summary(status: dict[str, Any], *, seen: bool) -> str:
    if not seen:
        reason = f" ({status['reason']})" if status["reason"] else ""
        return f"{status['state']}: no frame came{f': {detail}' if (detail := status['detail']) else ''}{reason}"
    # A single frame has no rate.
    rate = f", {status['source_fps']:.3g} frames a second" if status["source_fps"] else ""
    return f"{status['state']}: {status['width']}×{status['height']}{rate}"


def _first_frame(source: str, seconds: float) -> tuple[dict[str, Any], bytes | None]:
    from facegroup.cameras.sources import address
    from facegroup.cameras.sources.reader import look
    from facegroup.cameras.types import Camera

    settings = load()
    address.check(source, settings.cameras)
    camera = replace(Camera("test", source, settings.gallery), motion=False)
    status, frame = look(camera, settings.cameras, seconds)
    kept = ("state", "reason", "detail", "width", "height", "source_fps")
    return {name: getattr(status, name) for name in kept}, None if frame is None else frame.data


def call(method: str, path: str, server: str | None, body: dict[str, Any] | None = None, **params: Any) -> Any:
    """Return the server's answer to a request. Fields and parameters that are None are left out."""
    given: dict[str, Any] = {"params": _set(params)} if params else {}
    if body is not None:
        given["json"] = _set(body)
    settings = load()
    with client_of(url(server, settings), settings) as client:
        return client.call(method, path, **given)


def _set(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None}


def _regions(given: list[str] | None) -> list[list[list[float]]] | None:
    if not given:
        return None
    try:
        return [[[float(part) for part in corner.split(",")] for corner in each.split()] for each in given]
    except ValueError:
        raise MalformedRequest(
            "malformed region; write it as '0,0 0.5,0 0.5,1', in 0..1 of the picture's width and height"
        ) from None


def _show(cameras: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"cameras": cameras}, ensure_ascii=False))
        return
    table = Table("camera", "state", "picture", "source fps", "analysed", "late", "faces", "p95 ms", "source", box=None)
    for each in cameras:
        status, frames = each["status"], each["status"]["frames"]
        reason = f" ({status['reason']})" if status["reason"] else ""
        latency = status["answered_ms"]
        table.add_row(
            *(
                each["id"],
                f"{status['state']}{reason}",
                f"{status['width']}×{status['height']}" if status["width"] else "",
            ),
            *(
                f"{status['source_fps']:g}" if status["source_fps"] else "",
                str(frames["analysed"]),
                str(frames["late"]),
                str(status["faces"]),
            ),
            *("" if latency is None else f"{latency['p95']:.0f}", each["source"]),
        )
    show_table(table)
