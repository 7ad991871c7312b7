"""The commands `cohort add`, `cohort ls` and `cohort rm`: the strangers with whom a gallery's decision compares."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from facegroup.cli.options import AsJson, Gallery, Network, Server, Store
from facegroup.cli.output import bar, client_of, opened_store, show_log, tell_skipped
from facegroup.errors import FacegroupError
from facegroup.images import folders
from facegroup.images.files import read
from facegroup.images.folders import shown
from facegroup.settings import Settings, load
from facegroup.store.data_loss import refuse_lost
from facegroup.wire.cohort import Cohort, CohortAdded, CohortErased
from facegroup.wire.galleries import RefusedPhoto
from facegroup.wire.problem import ErrorBody

_Adds: TypeAlias = Callable[[str, Sequence[tuple[str, bytes]]], CohortAdded]

app = typer.Typer(no_args_is_help=True, help="People with whom the decision `cohort` compares: see docs/cohort.md.")


def add_commands(parent: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    parent.add_typer(app, name="cohort")


@app.command()
def add(
    photos: Annotated[
        Path,
        typer.Argument(help="photos of people who are not members, or a folder for each: its first photo is taken"),
    ],
    gallery: Gallery = None,
    server: Server = None,
    network: Network = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Add strangers to the cohort of a gallery, one photo of each. Only descriptors are kept, no photo and no name.

    Ends with status 1 if a photo could not be used.
    """
    found = folders.photos([photos])
    files = one_of_each(photos, found.files)
    settings = load(gallery=gallery, network=network, store=store)
    made: list[CohortAdded] = []
    refused: list[RefusedPhoto] = []
    with _adding(server, settings) as adds, bar("adding to the cohort", len(files)) as progress:
        for part in read(files):
            good = [(shown(path), data) for path, data in part if isinstance(data, bytes)]
            refused += [
                RefusedPhoto(name=shown(path), error=ErrorBody.of(error))
                for path, error in part
                if isinstance(error, FacegroupError)
            ]
            if good:
                made.append(adds(settings.gallery, good))
                refused += made[-1].refused
            progress.advance(len(part))
    _tell(settings.gallery, made, refused, as_json=as_json)
    tell_skipped(found.skipped)
    if refused:
        raise typer.Exit(1)


@app.command("unknowns")
def take_unknowns(server: Annotated[str, typer.Option(help="URL of the server")], gallery: Gallery = None) -> None:
    """Take the strangers whom a gallery's cameras know into its cohort, and erase those it had from before.

    Only if the server's setting cameras.unknowns_in_cohort allows it.
    """
    settings = load(gallery=gallery)
    with client_of(server, settings) as client:
        sizes = client.take_unknowns(settings.gallery)
    typer.echo(f"{sizes.gallery}: the cohort has {sizes.unknown} strangers seen by cameras, {sizes.given} given")


@app.command("ls")
def show(gallery: Gallery = None, server: Server = None, store: Store = None, as_json: AsJson = False) -> None:
    """Show how many strangers the cohort of a gallery has, and whether there are enough people to decide."""
    settings = load(gallery=gallery, store=store)
    show_log(settings)
    with opened_store(server, settings) as kept:
        found = kept.cohort(settings.gallery)
        sizes = found if isinstance(found, Cohort) else Cohort.of(kept.gallery(settings.gallery), found)
    if as_json:
        typer.echo(json.dumps(sizes.model_dump(), ensure_ascii=False))
        return
    typer.echo(
        f"{sizes.gallery}: {sizes.given} strangers given, {sizes.unknown} seen by cameras, {sizes.people} people in the "
        f"gallery; the decision is {sizes.decision}, and cohort needs {sizes.least}"
    )


@app.command("rm")
def erase(gallery: Gallery = None, server: Server = None, store: Store = None, as_json: AsJson = False) -> None:
    """Erase every stranger of the cohort of a gallery. Its members stay."""
    settings = load(gallery=gallery, store=store)
    show_log(settings)
    with opened_store(server, settings) as kept:
        done = kept.erase_cohort(settings.gallery)
        erased = done if isinstance(done, CohortErased) else CohortErased.of(done)
    if as_json:
        typer.echo(json.dumps(erased.model_dump(), ensure_ascii=False))
    else:
        typer.echo(f"erased {erased.removed} strangers of the cohort of {settings.gallery}")


def one_of_each(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return the photos in a folder, and the first photo of each folder below it.

    Several photos of one person would count as several people who resemble a face.
    """
    chosen: dict[Path, Path] = {}
    for path in files:
        inside = path.relative_to(folder).parts if folder in path.parents else (path.name,)
        chosen.setdefault(path if len(inside) == 1 else folder / inside[0], path)
    return list(chosen.values())


@contextmanager
def _adding(server: str | None, settings: Settings) -> Iterator[_Adds]:
    show_log(settings)
    if server is not None:
        with client_of(server, settings) as client:
            yield client.add_to_cohort
    else:
        from facegroup.recognizer import Recognizer

        with Recognizer(settings, "cli") as recognizer:
            refuse_lost(recognizer.store, settings.gallery)
            yield lambda gallery, photos: CohortAdded.of(gallery, recognizer.add_to_cohort(gallery, photos))


def _tell(gallery: str, made: Sequence[CohortAdded], refused: Sequence[RefusedPhoto], *, as_json: bool) -> None:
    added, known, like = (sum(getattr(each, name) for each in made) for name in ("added", "known", "like_members"))
    size = made[-1].size if made else None
    if as_json:
        rows = [{"photo": each.name, "code": each.error.code, "detail": each.error.detail} for each in refused]
        counts = {"gallery": gallery, "added": added, "known": known, "size": size, "like_members": like}
        typer.echo(json.dumps({**counts, "refused": rows}, ensure_ascii=False))
        return
    for each in refused:
        typer.echo(f"not used: {each.name}: {each.error.detail} ({each.error.code})")
    typer.echo(f"{added} strangers added, {known} known" + ("" if size is None else f"; the cohort has {size}"))
    if like:
        typer.echo(
            f"{like} of the photos look like members. A photo of a member in the cohort makes that member harder to find."
        )
