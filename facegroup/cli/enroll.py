"""The command `enroll`: enrols folders of people, and reports what became of each photo."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from facegroup.cli import bulk
from facegroup.cli.bulk import Enrolled, Report
from facegroup.cli.options import AsJson, Face, Gallery, Network, Server, Store
from facegroup.cli.output import opened, tell_skipped, tracked
from facegroup.cli.service import face_choice
from facegroup.errors import MalformedRequest
from facegroup.images import folders, layout
from facegroup.images.files import MOST_BYTES
from facegroup.images.folders import shown
from facegroup.images.layout import Layout, Wanted
from facegroup.settings import load
from facegroup.store.names import check_id, clean_name


def add_commands(app: typer.Typer) -> None:
    """Add the command to a Typer app."""
    app.command()(enroll)


def enroll(
    photos: Annotated[
        list[Path], typer.Argument(help="a folder that holds one folder per person; with --name or --person, photos")
    ],
    name: Annotated[str | None, typer.Option(help="name of the person, if all photos show the same person")] = None,
    person: Annotated[str | None, typer.Option(help="id of the person, if several have the same name")] = None,
    depth: Annotated[
        int | None, typer.Option(min=1, max=9, help="how deep the people's folders are: 2 for team/person/photo.jpg")
    ] = None,
    flat: Annotated[bool, typer.Option("--flat", help="each file is a person, named after it: ada.jpg")] = False,
    face: Face = None,
    largest: Annotated[
        bool,
        typer.Option("--largest", help="the largest face of a photo [default: only if the others are far smaller]"),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="refuse photos that may show somebody else")] = False,
    gallery: Gallery = None,
    server: Server = None,
    network: Network = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Enrol people from photos. The same photo twice is one sample.

    If a photo shows several faces, the largest is taken where the others are far smaller or doubtful, and a line says so;
    otherwise the photo is refused. All refused and skipped files are listed. Ends with status 1 if a person or photo was
    refused or could not be read, and with 2 if an error ended the run.
    """
    if largest and face is not None:
        raise MalformedRequest("--largest and --face contradict each other; use one of them")
    which = face_choice("largest" if largest else face or "dominant")
    wanted = _wanted(photos, name, person, depth, flat=flat)
    settings = load(gallery=gallery, network=network, store=store)
    report = Report(settings.gallery, wanted.skipped)
    most = settings.limits.image_bytes if server is None else MOST_BYTES
    try:
        with opened(server, settings, stored=True) as service:
            service.new_gallery(settings.gallery)
            if person is not None:
                service.store.person(settings.gallery, person)
            done = bulk.enrol(service, report, wanted.people, which, strict, most)
            for each in tracked(done, "enrolling", len(wanted.people)):
                if not as_json:
                    typer.echo("\n".join(_lines(each)))
    except KeyboardInterrupt:
        _say(report, as_json=as_json)
        raise
    _say(report, as_json=as_json)
    raise typer.Exit(report.status)


def _wanted(photos: list[Path], name: str | None, person: str | None, depth: int | None, *, flat: bool) -> Layout:
    given = [
        option for option, value in (("--name", name), ("--person", person), ("--depth", depth)) if value is not None
    ]
    given += ["--flat"] if flat else []
    if len(given) > 1:
        raise MalformedRequest(f"{' and '.join(given)} contradict each other; use one of them")
    if flat:
        return layout.flat(photos)
    if name is None and person is None:
        return layout.by_folder(photos, depth)
    found = folders.photos(photos)
    whom = clean_name(name) if name is not None else check_id(person or "")
    return Layout((Wanted(whom, found.files, tuple(photos), person),), found.skipped)


def _lines(done: Enrolled) -> Iterator[str]:
    if done.error is None or done.added or done.known:
        known = f", {done.known} known before" if done.known else ""
        yield f"{done.name}: {done.added} enrolled{known}, from {', '.join(map(shown, done.source[:3]))}"
    if done.error is not None:
        yield f"{done.name}: not enrolled: {done.error.detail} ({done.error.code})"
        if done.person_id is not None and not (done.added or done.known):
            yield f"  {done.person_id} may have no photo now; `facegroup people` shows it"
    for refused in done.refused:
        yield f"  refused {refused.name}: {refused.error.detail} ({refused.error.code})"
    for doubt in done.doubts:
        yield f"  warning {doubt.name}: {doubt.error.detail} ({doubt.error.code})"
    for chosen in done.chosen:
        yield f"  {chosen.name} shows {chosen.faces} faces: the largest was taken (face {chosen.face})"


def _say(report: Report, *, as_json: bool) -> None:
    """Print the report of a run: as JSON all of it, else what was not done, and counts."""
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    tell_skipped(report.skipped)
    for each in report.people:
        if each.error is not None:
            typer.echo(f"not enrolled: {each.name}: {each.error.detail} ({each.error.code})", err=True)
        for refused in each.refused:
            typer.echo(f"refused: {refused.name}: {refused.error.detail} ({refused.error.code})", err=True)
    if report.error is not None:
        left = len(report.not_tried)
        typer.echo(
            f"the run ended early, {left} people were not tried: {report.error.detail} ({report.error.code})", err=True
        )
    counts = report.counts()
    typer.echo(
        f"{counts['enrolled']} new photos enrolled, {counts['known']} known already, of {counts['people']} people; "
        f"{counts['refused']} photos refused, {counts['failed']} people not enrolled, {counts['skipped']} files skipped",
        err=True,
    )
