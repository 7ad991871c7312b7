"""The commands on what a server's cameras saw and who is told: `facegroup sightings`, `unknowns` and `webhook`."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import typer

from facegroup.cli.cameras import AsJson, Server, url
from facegroup.client import Client
from facegroup.settings import load

sightings = typer.Typer(name="sightings", help="Who was seen, where and when: docs/sightings.md.", no_args_is_help=True)
unknowns = typer.Typer(name="unknowns", help="Strangers whom cameras saw, and who may come back.", no_args_is_help=True)
webhook = typer.Typer(name="webhook", help="Receivers that are told of sightings.", no_args_is_help=True)

Camera = Annotated[str | None, typer.Option(help="only of this camera")]
Of = Annotated[str | None, typer.Option(help="gallery [default: FACEGROUP_GALLERY, or 'default']")]
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
    limit: Annotated[int, typer.Option(min=1, max=1000, help="the latest so many")] = 20,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """List the latest sightings, newest first."""
    wanted = {"camera": camera, "gallery": gallery, "person": person, "unknown": unknown, "limit": limit}
    with _client(server) as client:
        found = client.call(
            "GET", "/v1/sightings", params={name: each for name, each in wanted.items() if each is not None}
        )
    if as_json:
        typer.echo(json.dumps({"sightings": found["sightings"]}, ensure_ascii=False))
        return
    for each in found["sightings"]:
        typer.echo(_line(each))


@sightings.command("follow")
def follow(
    camera: Camera = None,
    gallery: Annotated[str | None, typer.Option(help="only of this gallery")] = None,
    after: Annotated[int | None, typer.Option(help="number of the last event that is known")] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Say what happens, until Ctrl-C; a connection that is lost is made again, and nothing is left out."""
    with _client(server) as client:
        for event in client.follow(after, camera=camera, gallery=gallery):
            if as_json:
                typer.echo(json.dumps(event, ensure_ascii=False))
            elif event["type"] == "gap":
                typer.echo(f"events {event['from']} to {event['to']} were erased before they could be told")
            else:
                typer.echo(f"{event['type'].removeprefix('sighting.'):8} {_line(event['sighting'])}")


@unknowns.command("ls")
def list_unknowns(gallery: Of = None, server: Server = None, as_json: AsJson = False) -> None:
    """List the strangers of a gallery's cameras, the latest seen first."""
    with _client(server) as client:
        found = client.call("GET", f"/v1/galleries/{_of(gallery)}/unknowns")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for each in found["unknowns"]:
        typer.echo(f"{each['id']}: {each['visits']} visits, last {_time(each['last_seen'])}, {each['crops']} pictures")


@unknowns.command("promote")
def promote(
    unknown: Annotated[str, typer.Argument(help="such as unknown-17")],
    name: Annotated[str | None, typer.Argument(help="of the new member")] = None,
    person: Annotated[str | None, typer.Option(help="id of a member who is there already")] = None,
    gallery: Of = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Enrol a stranger's best pictures as a new member, or as photos of one who is there."""
    asked = {"unknown": unknown, "name": name, "person_id": person}
    with _client(server) as client:
        done = client.call("POST", f"/v1/galleries/{_of(gallery)}/people/from-unknown", json=asked)
    if as_json:
        typer.echo(json.dumps(done, ensure_ascii=False))
    else:
        told = f"{done['photos']} photos enrolled, {done['sightings']} sightings"
        typer.echo(f"{unknown} is {done['person']['name']} ({done['person']['id']}): {told}")


@webhook.command("add")
def add(
    hook: Hook,
    address: Annotated[str, typer.Argument(help="http(s)://, posted to")],
    camera: Annotated[list[str] | None, typer.Option(help="only of this camera; again for another")] = None,
    gallery: Annotated[str | None, typer.Option(help="only of this gallery's cameras")] = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Add a receiver, and show the secret that its messages are signed with: this once."""
    asked: dict[str, Any] = {"id": hook, "url": address, "cameras": camera or [], "gallery": gallery}
    with _client(server) as client:
        made = client.call("POST", "/v1/webhooks", json=asked)
    typer.echo(json.dumps(made) if as_json else f"added {hook}; its secret is {made['secret']}")


@webhook.command("ls")
def list_webhooks(server: Server = None, as_json: AsJson = False) -> None:
    """List the receivers and how far they are."""
    with _client(server) as client:
        found = client.call("GET", "/v1/webhooks")
    if as_json:
        typer.echo(json.dumps(found))
        return
    for each in found["webhooks"]:
        wrong = f"; {each['error']}" if each["error"] else ""
        typer.echo(f"{each['id']}: {each['url']}, {each['waiting']} waiting, {each['dead']} dead{wrong}")


@webhook.command("rm")
def remove(hook: Hook, server: Server = None) -> None:
    """Remove a receiver with what it would not take."""
    with _client(server) as client:
        client.call("DELETE", f"/v1/webhooks/{quote(hook, safe='')}")
    typer.echo(f"removed {hook}")


@webhook.command("dead")
def dead(hook: Hook, server: Server = None, as_json: AsJson = False) -> None:
    """List what a receiver would not take."""
    with _client(server) as client:
        found = client.call("GET", f"/v1/webhooks/{quote(hook, safe='')}/dead-letters", params={"limit": 1000})
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for each in found["dead_letters"]:
        typer.echo(
            f"{each['event']['seq']}: {each['detail']}, {each['attempts']} tries: {_line(each['event']['sighting'])}"
        )


@webhook.command("retry")
def retry(hook: Hook, server: Server = None) -> None:
    """Post it once more."""
    with _client(server) as client:
        done = client.call("POST", f"/v1/webhooks/{quote(hook, safe='')}/dead-letters/retry")
    typer.echo(f"{done['retried']} taken")


def _client(server: str | None) -> Client:
    return Client(url(server, load()))


def _of(gallery: str | None) -> str:
    return quote(gallery or load().gallery, safe="")


def _line(each: dict[str, Any]) -> str:
    similarity = "" if each["similarity"] is None else f", similarity {each['similarity']:.3f}"
    still = " …" if each["open"] else ""
    frames = f"{each['frames']} frames{similarity}"
    return f"{_time(each['first_seen'])}–{_time(each['last_seen'])[11:]}{still} {each['camera']}: {each['name']} ({frames})"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
