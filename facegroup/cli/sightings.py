"""Commands on sightings, strangers and receivers: `facegroup sightings`, `unknowns` and `webhook`."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from facegroup.cli.cameras import AsJson, Server, call, url
from facegroup.cli.output import client_of
from facegroup.settings import load

sightings = typer.Typer(
    name="sightings", help="Sightings of people by cameras: docs/sightings.md.", no_args_is_help=True
)
unknowns = typer.Typer(name="unknowns", help="Strangers whom the cameras saw.", no_args_is_help=True)
webhook = typer.Typer(name="webhook", help="Receivers of events.", no_args_is_help=True)

Camera = Annotated[str | None, typer.Option(help="only of this camera")]
Gallery = Annotated[str | None, typer.Option(help="gallery [default: FACEGROUP_GALLERY, or 'default']")]
Hook = Annotated[str, typer.Argument(help="its id")]


def add_commands(into: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    for group in (sightings, unknowns, webhook):
        into.add_typer(group)


@sightings.command("ls")
def list_sightings(
    camera: Camera = None,
    gallery: Annotated[str | None, typer.Option(help="only of this gallery")] = None,
    person: Annotated[str | None, typer.Option(help="only of this member, by id")] = None,
    unknown: Annotated[str | None, typer.Option(help="only of this stranger")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="number of sightings to list")] = 20,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """List the latest sightings, newest first."""
    wanted: dict[str, Any] = {
        "camera": camera,
        "gallery": gallery,
        "person": person,
        "unknown": unknown,
        "limit": limit,
    }
    found = call("GET", "/v1/sightings", server, **wanted)["sightings"]
    _print({"sightings": found}, map(_line, found), as_json)


@sightings.command("follow")
def follow(
    camera: Camera = None,
    gallery: Annotated[str | None, typer.Option(help="only of this gallery")] = None,
    after: Annotated[int | None, typer.Option(help="number of the last event that is known")] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Print events as they happen, until Ctrl-C. After a lost connection it continues where it was."""
    settings = load()
    with client_of(url(server, settings), settings) as client:
        for event in client.follow(after, camera=camera, gallery=gallery):
            if as_json:
                typer.echo(json.dumps(event, ensure_ascii=False))
            elif event["type"] == "gap":
                typer.echo(f"events {event['from']} to {event['to']} were erased before they were delivered")
            else:
                typer.echo(f"{event['type'].removeprefix('sighting.'):8} {_line(event['sighting'])}")


@unknowns.command("ls")
def list_unknowns(gallery: Gallery = None, server: Server = None, as_json: AsJson = False) -> None:
    """List the strangers of a gallery's cameras, the latest seen first."""
    found = call("GET", f"/v1/galleries/{_gallery(gallery)}/unknowns", server)
    lines = (
        f"{each['id']}: {each['visits']} visits, last {_time(each['last_seen'])}, {each['crops']} pictures"
        for each in found["unknowns"]
    )
    _print(found, lines, as_json)


@unknowns.command("promote")
def promote(
    unknown: Annotated[str, typer.Argument(help="such as unknown-17")],
    name: Annotated[str | None, typer.Argument(help="of the new member")] = None,
    person: Annotated[str | None, typer.Option(help="id of an existing member")] = None,
    gallery: Gallery = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Enrol a stranger's best pictures as a new member, or as photos of an existing one."""
    asked = {"unknown": unknown, "name": name, "person_id": person}
    done = call("POST", f"/v1/galleries/{_gallery(gallery)}/people/from-unknown", server, asked)
    if as_json:
        typer.echo(json.dumps(done, ensure_ascii=False))
    else:
        what = f"{done['photos']} photos enrolled, {done['sightings']} sightings"
        typer.echo(f"{unknown} is {done['person']['name']} ({done['person']['id']}): {what}")


@webhook.command("add")
def add(
    hook: Hook,
    address: Annotated[str, typer.Argument(help="http(s):// URL that events are posted to")],
    camera: Annotated[list[str] | None, typer.Option(help="only of this camera; again for another")] = None,
    gallery: Annotated[str | None, typer.Option(help="only of this gallery's cameras")] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Add a receiver, and show the secret that signs its messages. It is not shown again."""
    asked: dict[str, Any] = {"id": hook, "url": address, "cameras": camera or [], "gallery": gallery}
    made = call("POST", "/v1/webhooks", server, asked)
    typer.echo(json.dumps(made) if as_json else f"added {hook}; its secret is {made['secret']}")


@webhook.command("ls")
def list_webhooks(server: Server = None, as_json: AsJson = False) -> None:
    """List the receivers with the events that wait for them."""
    found = call("GET", "/v1/webhooks", server)
    if as_json:
        typer.echo(json.dumps(found))
        return
    for each in found["webhooks"]:
        wrong = f"; {each['error']}" if each["error"] else ""
        typer.echo(f"{each['id']}: {each['url']}, {each['waiting']} waiting, {each['dead']} dead{wrong}")


@webhook.command("rm")
def remove(hook: Hook, server: Server = None) -> None:
    """Remove a receiver with its dead letters."""
    call("DELETE", f"/v1/webhooks/{quote(hook, safe='')}", server)
    typer.echo(f"removed {hook}")


@webhook.command("dead")
def dead(hook: Hook, server: Server = None, as_json: AsJson = False) -> None:
    """List the events that a receiver refused."""
    found = call("GET", f"/v1/webhooks/{quote(hook, safe='')}/dead-letters", server, limit=1000)
    lines = (
        f"{each['event']['seq']}: {each['detail']}, {each['attempts']} tries: {_line(each['event']['sighting'])}"
        for each in found["dead_letters"]
    )
    _print(found, lines, as_json)


@webhook.command("retry")
def retry(hook: Hook, server: Server = None) -> None:
    """Post the events that a receiver refused once more."""
    done = call("POST", f"/v1/webhooks/{quote(hook, safe='')}/dead-letters/retry", server)
    typer.echo(f"{done['retried']} taken")


def _print(found: dict[str, Any], lines: Iterable[str], as_json: bool) -> None:
    for line in [json.dumps(found, ensure_ascii=False)] if as_json else lines:
        typer.echo(line)


def _gallery(gallery: str | None) -> str:
    return quote(gallery or load().gallery, safe="")


def _line(each: dict[str, Any]) -> str:
    similarity = "" if each["similarity"] is None else f", similarity {each['similarity']:.3f}"
    still = " …" if each["open"] else ""
    frames = f"{each['frames']} frames{similarity}"
    return f"{_time(each['first_seen'])}–{_time(each['last_seen'])[11:]}{still} {each['camera']}: {each['name']} ({frames})"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
