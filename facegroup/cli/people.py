"""The command `people`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from facegroup.cli import calibrate
from facegroup.cli import service as commands
from facegroup.cli.options import AsJson, Gallery, Network, Server, Store
from facegroup.cli.output import opened, opened_store, save_picture
from facegroup.errors import MalformedRequest
from facegroup.settings import load
from facegroup.store.paging import everybody
from facegroup.types import Person
from facegroup.wire import people as wire


def add_commands(app: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    app.command()(people)


def people(
    person: Annotated[str | None, typer.Argument(help="id of a person, for --export", show_default=False)] = None,
    export: Annotated[
        Path | None, typer.Option(help="ZIP file to write: everything that is held on PERSON, for them")
    ] = None,
    sheet: Annotated[Path | None, typer.Option(help="picture to write: one row of aligned faces per person")] = None,
    rename: Annotated[tuple[str, str] | None, typer.Option(help="person id and new name")] = None,
    erase: Annotated[str | None, typer.Option(help="id of a person to erase, with every descriptor and crop")] = None,
    merge: Annotated[
        tuple[str, str] | None,
        typer.Option(help="two person ids: the first gets all photos of the second, who is then erased"),
    ] = None,
    expire: Annotated[
        tuple[str, str] | None, typer.Option(help="person id and a time such as 2030-01-31T12:00:00Z, or never")
    ] = None,
    keep_crops: Annotated[
        bool | None, typer.Option(help="whether the gallery keeps aligned faces; --no-keep-crops erases those kept")
    ] = None,
    gallery: Gallery = None,
    server: Server = None,
    network: Network = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """List the people of a gallery and draw their faces; rename, erase or merge people, or let them expire."""
    if (person is None) != (export is None):
        raise MalformedRequest("name the person and the file: facegroup people ID --export FILE")
    settings = load(gallery=gallery, network=network, store=store)
    if person is not None and export is not None:
        from facegroup.cli import person_export
        from facegroup.client import Client

        with opened_store(server, settings) as kept:
            if isinstance(kept, Client):
                kept.export_person(settings.gallery, person, export)
            else:
                person_export.export(kept, settings, person, export)
        typer.echo(f"wrote what is held on {person} to {export}", err=True)
        return
    with opened(server, settings, stored=True) as service:
        if rename is not None:
            service.store.update_person(settings.gallery, rename[0], name=rename[1])
        if erase is not None:
            done = service.store.delete_person(settings.gallery, erase)
            typer.echo(f"erased {erase} with {done.samples} photos and {done.crops} crops", err=True)
        if merge is not None:
            both = service.store.merge_people(settings.gallery, *merge)
            typer.echo(f"merged: {both.moved} photos came over, {both.duplicates} were known", err=True)
        if expire is not None:
            service.store.update_person(settings.gallery, expire[0], expires_at=commands.moment(expire[1]))
        if keep_crops is not None:
            service.store.update_gallery(settings.gallery, keep_crops=keep_crops)
        found = list(everybody(service.store, settings.gallery))
        calibrate.warn(service.store.gallery(settings.gallery))
        if sheet is not None:
            save_picture(commands.sheet(service, settings.gallery, found), sheet)
    _list(settings.gallery, found, as_json)


def _list(gallery: str, found: list[Person], as_json: bool) -> None:
    if as_json:
        rows = [wire.Person.of(each).model_dump(include={"id", "name", "photos"}) for each in found]
        typer.echo(json.dumps({"gallery": gallery, "people": rows}, ensure_ascii=False))
        return
    for each in sorted(found, key=lambda person: person.name.casefold()):
        typer.echo(f"{each.id}  {each.name}  ({each.samples} photos)")
    typer.echo(f"{len(found)} people in the gallery {gallery}", err=True)
