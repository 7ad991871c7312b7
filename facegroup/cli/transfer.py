"""The commands that move and keep galleries: export, import, migrate, backup. They work on a store, not on a server."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from facegroup.cli.options import AsJson, Store
from facegroup.cli.output import bar
from facegroup.errors import MalformedRequest, MigrationIncomplete, StoreInvalid, UnknownGallery
from facegroup.gallery.decision_change import Defaults
from facegroup.networks import registry
from facegroup.settings import Settings, load
from facegroup.store import open_store
from facegroup.store.audit import Event, Retention
from facegroup.store.data_loss import refuse_lost
from facegroup.store.secret_key import secret_keys
from facegroup.store.staging import StagingStore, migration_copy, previous_copy
from facegroup.transfer.archive_reader import Archive
from facegroup.transfer.export_import import export, take_in
from facegroup.transfer.migration import Migrated, Migration
from facegroup.transfer.reembedding import Reembedder
from facegroup.types import Gallery

Server = Annotated[
    str | None, typer.Option(help="not supported: run this command on a machine that can reach the store")
]
DropMissing = Annotated[
    bool, typer.Option("--drop-missing", help="leave out samples that have no usable crop or are damaged")
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    app.command("export")(export_gallery)
    app.command("import")(import_gallery)
    app.command()(migrate)
    app.command()(backup)


def export_gallery(
    gallery: Annotated[str, typer.Argument(help="name of the gallery")],
    file: Annotated[
        Path, typer.Argument(help="file to write; an existing file is replaced when the new one is complete")
    ],
    store: Store = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Write a gallery to one file: people, descriptors and crops, checksummed. Others may go on writing to it.

    Status 1 if somebody is damaged and so not in the file, which is whole without them.
    """
    with (
        _opened(server, load(store=store), gallery) as place,
        bar("exporting", place.gallery(gallery).people) as progress,
    ):
        done = export(place, gallery, file, progress.advance)
    answer = {name: done[name] for name in ("people", "samples", "crops", "sha256", "skipped")}
    answer["cohort"] = done.get("cohort", 0)
    _say(as_json, {"gallery": done["gallery"]["name"], "file": str(file), **answer},
         f"{done['people']} people, {done['samples']} samples, {done['crops']} crops in {file}")  # fmt: skip
    if any(done["skipped"].values()):
        _skipped(done["skipped"])
        raise typer.Exit(1)


def import_gallery(
    file: Annotated[Path, typer.Argument(help="a file that `facegroup export` wrote")],
    name: Annotated[
        str | None, typer.Option("--as", help="name of the new gallery [default: the exported name]")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="erase a gallery of this name that has people")] = False,
    store: Store = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Read a gallery from a file that was exported: all of it in one step, or nothing."""
    with _opened(server, load(store=store)) as place, Archive(file) as archive:
        refuse_lost(place, name or archive.gallery.name)
        with bar("importing", archive.manifest["people"]) as progress:
            made = take_in(place, archive, name, replaces=replace, tell=progress.advance)
    answer = {"people": made.people, "network": made.network, "threshold": made.threshold, "version": made.version}
    _say(as_json, {"gallery": made.name, **answer}, f"{made.people} people in the gallery {made.name}")


def migrate(
    gallery: Annotated[str, typer.Argument(help="name of the gallery")],
    network: Annotated[
        str | None, typer.Option(help="the new network, a name or a YAML file; see `facegroup networks`")
    ] = None,
    threshold: Annotated[float | None, typer.Option(min=-1, max=1, help="[default: the new network's own]")] = None,
    rollback: Annotated[bool, typer.Option("--rollback", help="put back what the last migration replaced")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="erase the data that a rollback needs, or an unfinished migration")
    ] = False,
    drop_missing: DropMissing = False,
    store: Store = None,
    server: Server = None,
    as_json: AsJson = False,
) -> None:
    """Move a gallery to another network by embedding its kept crops again. If it is interrupted, run it again."""
    if (network is not None) + rollback + forget != 1:
        raise MalformedRequest("Give exactly one of --network NEW, --rollback and --forget.")
    if threshold is not None and network is None:
        raise MalformedRequest("Give --threshold only with --network NEW. A rollback restores the threshold of before.")
    with _opened(server, load(store=store), gallery) as place:
        if forget:
            _forget(place, gallery, as_json)
            return
        default = None
        if rollback:
            wanted = place.gallery(previous_copy(place.gallery(gallery).name)) if _kept(place, gallery) else None
            new = wanted or place.gallery(gallery)
        else:
            spec = registry.spec(network or "", load(store=store))
            default = Defaults.of(spec).threshold if threshold is None else None
            new = Gallery(gallery, spec.name, spec.dimension, spec.threshold if threshold is None else threshold)
        settings = load(store=store, network=network or new.network)
        with bar("migrating", place.gallery(gallery).people) as progress:
            work = Migration(place, gallery, new, lambda: Reembedder(settings), progress.advance, threshold=default)
            try:
                done = (work.back if rollback else work.run)(drop_missing=drop_missing)
            except MigrationIncomplete:
                for each in work.missing:
                    typer.echo(f"{each.person_id}  {each.sample_id}  {each.why}", err=True)
                raise
    _migrated(done, as_json)


def backup(
    file: Annotated[Path, typer.Argument(help="file to write; it must not be there")],
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Copy a SQLite store, all galleries of one moment, while servers write to it. Redis has its own way: see docs."""
    from facegroup.store.sqlite.store import SqliteStore

    settings = load(store=store)
    with _opened(None, settings) as place:
        if not isinstance(place, SqliteStore):
            raise StoreInvalid("backup copies a SQLite file; for Redis see docs/gallery.md, or export each gallery")
        place.copy_to(file)
    _say(as_json, {"file": str(file), "bytes": file.stat().st_size}, f"copied to {file}")


def _skipped(skipped: dict[str, Any]) -> None:
    for each in skipped["people"]:
        typer.echo(f"skipped, damaged: {each}", err=True)
    for person, sample in skipped["samples"]:
        typer.echo(f"skipped, damaged: {person}  {sample}", err=True)
    for member in skipped.get("cohort", ()):
        typer.echo(f"skipped, damaged: {member} of the cohort", err=True)
    people, samples = len(skipped["people"]), len(skipped["samples"])
    typer.echo(f"not in the file: {people} people and {samples} samples of others, which are damaged", err=True)


def _migrated(done: Migrated, as_json: bool) -> None:
    missing = [{"person_id": each.person_id, "sample_id": each.sample_id, "why": each.why} for each in done.missing]
    answer: dict[str, Any] = {
        "gallery": done.gallery.name,
        "from": done.before,
        "network": done.gallery.network,
        "threshold": done.gallery.threshold,
        "version": done.gallery.version,
        "embedded": done.embedded,
        "missing": missing,
        "cohort_left": done.cohort_left,
    }
    for each in missing:
        typer.echo(f"left behind: {each['person_id']}  {each['sample_id']}  {each['why']}", err=True)
    if done.cohort_left:
        typer.echo(f"left behind: {done.cohort_left} people of the cohort. Add their photos again.", err=True)
    text = f"{done.gallery.name} is of {done.gallery.network} now, threshold {done.gallery.threshold}; "
    _say(as_json, answer, text + f"{done.embedded} samples were embedded, {len(missing)} left behind")


def _kept(store: StagingStore, gallery: str) -> bool:
    try:
        store.gallery(previous_copy(store.gallery(gallery).name))
    except UnknownGallery:
        return False
    return True


def _forget(store: StagingStore, gallery: str, as_json: bool) -> None:
    name = store.gallery(gallery).name
    samples = 0
    for copy in (migration_copy(name), previous_copy(name)):
        try:
            samples += store.delete_gallery(copy).samples
        except UnknownGallery:
            continue
    store.note(name, Event("forgotten", None, {"photos": samples}))
    _say(as_json, {"gallery": name, "samples": samples}, f"{samples} samples that were kept for a rollback were erased")


@contextmanager
def _opened(server: str | None, settings: Settings, gallery: str | None = None) -> Iterator[StagingStore]:
    """Give the store; refuse a `gallery` of which it lost data, as a server does."""
    if server is not None:
        raise MalformedRequest(
            "This command works on the store itself, not through a server. Run it where the store can be reached, "
            "with --store. Servers can keep running."
        )
    store = open_store(settings.store, "cli", secret_keys(settings), keep=Retention.of(settings.audit))
    try:
        if gallery is not None:
            refuse_lost(store, gallery)
        yield cast(StagingStore, store)
    finally:
        store.close()


def _say(as_json: bool, answer: dict[str, Any], text: str) -> None:
    typer.echo(json.dumps(answer, ensure_ascii=False) if as_json else text)
