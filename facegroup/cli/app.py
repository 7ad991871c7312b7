"""The commands that need no server: identify, verify, people, audit, models. Each also takes `--server URL`."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from PIL import Image as pillow
from rich.table import Table

from facegroup.cli import (
    calibrate,
    cameras,
    enroll,
    evaluate,
    finetune,
    galleries,
    sighting_photos,
    sightings,
    tables,
    transfer,
    video,
)
from facegroup.cli import service as commands
from facegroup.cli.bulk import error_row, skipped_row
from facegroup.cli.options import AsJson, Face, Gallery, Network, Server, Store
from facegroup.cli.output import bar, opened, show_log, tell_skipped
from facegroup.enrolment.samples import Doubt, Enrolment, Refused
from facegroup.errors import FacegroupError, MalformedRequest
from facegroup.images import folders
from facegroup.images.files import MOST_BYTES, read
from facegroup.images.folders import shown
from facegroup.pipeline.messages import PhotoResult
from facegroup.settings import Settings, load
from facegroup.types import Image, Person, Policy
from facegroup.wire.galleries import AuditEntry
from facegroup.wire.people import Person as WiredPerson
from facegroup.wire.recognition import FaceRow

Item = TypeVar("Item")

Threshold = Annotated[float | None, typer.Option(min=-1, max=1, help="cosine similarity to exceed")]
ProbeQuality = Annotated[
    Policy | None, typer.Option(help="how good a face must be to be named, else poor_quality [default: the gallery's]")
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    for command in (identify, verify, feedback, people, audit, models):
        app.command()(command)
    enroll.add_commands(app)
    transfer.add_commands(app)
    finetune.add_commands(app)
    calibrate.add_commands(app)
    evaluate.add_commands(app)
    galleries.add_commands(app)
    cameras.add_commands(app)
    sightings.add_commands(app)
    video.add_commands(app)


def identify(
    photos: Annotated[list[Path], typer.Argument(help="photos, or folders of photos")],
    boxes: Annotated[Path | None, typer.Option(help="folder for pictures with the named boxes drawn")] = None,
    threshold: Threshold = None,
    quality: ProbeQuality = None,
    unique: Annotated[
        bool | None,
        typer.Option(help="whether a person is named at most once in a photo [default: as the gallery has it]"),
    ] = None,
    gallery: Gallery = None,
    server: Server = None,
    network: Network = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Name every face of every photo.

    Ends with status 1 if a photo could not be used, and with 2 if an error ended the run.
    """
    found = folders.photos(photos)
    settings = load(gallery=gallery, network=network, store=store)
    most = settings.limits.image_bytes if server is None else MOST_BYTES
    rows: list[dict[str, Any]] = []
    failed = 0
    ended: FacegroupError | None = None
    interrupted = False
    with opened(server, settings) as service:
        calibrate.warn(service.store.gallery(settings.gallery))
        answers = commands.identify(service, settings.gallery, found.files, threshold, quality, unique, most)
        try:
            for path, data, seen in bar(answers, "identifying", len(found.files), quiet=not as_json):
                failed += isinstance(seen, FacegroupError)
                rows.append({"photo": shown(path), **_row(seen)})
                if not as_json:
                    typer.echo("\n".join([f"===== {shown(path)} =====", *commands.lines(seen)]))
                if boxes is not None and isinstance(seen, PhotoResult):
                    _save(commands.boxes(data, seen, settings.limits), boxes / _flat(path))
        except FacegroupError as error:
            ended = error
        except KeyboardInterrupt:
            interrupted = True
    if as_json:
        counts = {"photos": len(rows), "failed": failed, "not_tried": len(found.files) - len(rows)}
        answer: dict[str, Any] = {
            "gallery": settings.gallery,
            "photos": rows,
            "skipped": [skipped_row(each) for each in found.skipped],
            "counts": {**counts, "skipped": len(found.skipped)},
            "error": error_row(ended),
            "interrupted": interrupted,
        }
        typer.echo(json.dumps(answer, ensure_ascii=False))
    tell_skipped(found.skipped)
    if interrupted:
        raise typer.Exit(130)
    if ended is not None:
        left = len(found.files) - len(rows)
        typer.echo(f"the run ended early, {left} photos were not tried: {ended.detail} ({ended.code})", err=True)
        raise typer.Exit(2)
    raise typer.Exit(int(failed > 0 or folders.unread(found.skipped)))


def verify(
    photos: Annotated[list[Path], typer.Argument(help="two photos; or one, with --person")],
    person: Annotated[str | None, typer.Option(help="id of the person to compare with")] = None,
    face: Face = None,
    other_face: Annotated[str | None, typer.Option(help="which face of the second photo")] = None,
    threshold: Threshold = None,
    gallery: Gallery = None,
    server: Server = None,
    network: Network = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Say whether two photos, or a photo and a person, are the same. Ends with status 1 if they are not."""
    which = commands.face_choice(face), commands.face_choice(other_face, "--other-face")
    wanted = 2 if person is None else 1
    if len(photos) != wanted:
        raise MalformedRequest(f"verify takes {'two photos' if wanted == 2 else 'one photo, with --person'}")
    if person is not None and other_face is not None:
        raise MalformedRequest("there is one photo with --person, and so no --other-face")
    settings = load(gallery=gallery, network=network, store=store)
    data = [_only(path, settings.limits.image_bytes if server is None else MOST_BYTES) for path in photos]
    with opened(server, settings) as service:
        if person is None:
            done = service.verify((data[0], data[1]), threshold, which)
        else:
            done = service.verify_person(data[0], settings.gallery, person, threshold, which[0])
    if as_json:
        answer = {
            "same": done.same,
            "similarity": done.similarity,
            "threshold": done.threshold,
            "estimated_fmr": done.estimated_fmr,
            "boxes": [each.boxes[0].astype(float).round(2).tolist() for each in done.faces],
        }
        typer.echo(json.dumps(answer))
    else:
        typer.echo(f"{'same person' if done.same else 'not the same person'}")
        typer.echo(f"similarity {done.similarity:.3f}, threshold {done.threshold:.3f}")
    raise typer.Exit(int(not done.same))


def feedback(
    person: Annotated[str, typer.Option("--not", help="id of the person whom the face is not")],
    photos: Annotated[list[Path] | None, typer.Argument(help="photos in which a face got a wrong name")] = None,
    sighting: Annotated[
        list[str] | None, typer.Option(help="id of a sighting that got a wrong name; repeatable")
    ] = None,
    face: Face = None,
    strict: Annotated[bool, typer.Option("--strict", help="refuse a face that may show the person after all")] = False,
    gallery: Gallery = None,
    server: Server = None,
    network: Network = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Say that a face is not a person: it does not get that name again.

    Ends with status 1 if nothing was kept or anything was refused, and with 2 if an error ended the run.
    """
    if not photos and not sighting:
        raise MalformedRequest("Name the photos, or the --sighting, in which a face got a wrong name.")
    which = commands.face_choice(face)
    found = folders.photos(photos) if photos else folders.Photos((), ())
    settings = load(gallery=gallery, network=network, store=store)
    kept = 0
    count = left = len(found.files) + len(sighting or [])
    rows: dict[str, list[dict[str, str]]] = {"refused": [], "warnings": []}
    ended: FacegroupError | None = None
    interrupted = False
    with opened(server, settings) as service:

        def answers() -> Iterator[tuple[int, list[Refused], Enrolment]]:
            for part in read(found.files):
                bad = [Refused(shown(path), data) for path, data in part if isinstance(data, FacegroupError)]
                good = [(shown(path), data) for path, data in part if isinstance(data, bytes)]
                yield len(part), bad, service.correct(settings.gallery, good, person, which, strict)
            for each in sighting or []:
                yield 1, [], sighting_photos.correct(service, settings, each, person, strict)

        try:
            for tried, bad, done in answers():
                left -= tried
                kept += len(done.photos)
                told: list[tuple[str, Refused | Doubt]] = [("refused", each) for each in [*bad, *done.refused]]
                for kind, each in [*told, *(("warnings", each) for each in done.doubts)]:
                    rows[kind].append({"photo": each.name, "code": each.error.code, "detail": each.error.detail})
        except FacegroupError as error:
            if left == count:
                raise
            ended = error
        except KeyboardInterrupt:
            interrupted = True
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "gallery": settings.gallery,
                    "person_id": person,
                    "kept": kept,
                    **rows,
                    "skipped": [skipped_row(each) for each in found.skipped],
                    "not_done": left,
                    "error": error_row(ended),
                    "interrupted": interrupted,
                },
                ensure_ascii=False,
            )
        )
    else:
        typer.echo(f"{kept} faces are not {person}")
        for kind, listed in rows.items():
            for row in listed:
                typer.echo(f"  {kind.rstrip('s')} {row['photo']}: {row['detail']} ({row['code']})")
    tell_skipped(found.skipped)
    if interrupted:
        raise typer.Exit(130)
    if ended is not None:
        typer.echo(
            f"the run ended early, {left} photos or sightings were not done: {ended.detail} ({ended.code})", err=True
        )
        raise typer.Exit(2)
    raise typer.Exit(int(not kept or bool(rows["refused"]) or folders.unread(found.skipped)))


def people(
    sheet: Annotated[Path | None, typer.Option(help="picture to write: one row of aligned faces per person")] = None,
    rename: Annotated[tuple[str, str] | None, typer.Option(help="person id and new name")] = None,
    erase: Annotated[str | None, typer.Option(help="person id: erases every descriptor and crop")] = None,
    merge: Annotated[
        tuple[str, str] | None,
        typer.Option(help="two person ids: the first gets all photos of the second, who is erased"),
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
    """List the people of a gallery, draw their faces; rename, erase or merge them, or let them expire."""
    settings = load(gallery=gallery, network=network, store=store)
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
        found = list(commands.everybody(service, settings.gallery))
        calibrate.warn(service.store.gallery(settings.gallery))
        if sheet is not None:
            _save(commands.sheet(service, settings.gallery, found), sheet)
    _list(settings.gallery, found, as_json)


def audit(
    gallery: Gallery = None,
    server: Server = None,
    network: Network = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Show who did what to a gallery and when, oldest first: ids and counts, no names and nothing biometric."""
    settings = load(gallery=gallery, network=network, store=store)
    with _log(server, settings) as log:
        entries = list(commands.log(log, settings.gallery))
    if as_json:
        rows = [AuditEntry.of(each).model_dump(exclude={"gallery"}) for each in entries]
        typer.echo(json.dumps({"gallery": settings.gallery, "entries": rows}, ensure_ascii=False))
        return
    for each in entries:
        at = datetime.fromtimestamp(each.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        event = each.event
        whom = event.person_id or "the gallery"
        typer.echo(f"{at}  {each.origin.actor}  {event.what}  {whom}  {json.dumps(event.detail)}")


def models(as_json: AsJson = False) -> None:
    """List the networks: which are ready on this machine, what they are, and under which licence."""
    from facegroup.networks import quantization, registry, weights

    settings = load()
    cache = settings.cache_dir / "openvino"
    learned, damaged = registry.learned(settings)
    rows = [
        {
            "name": spec.name,
            "ready": weights.ready(spec, settings),
            "used": spec.name == settings.network,
            "dimension": spec.dimension,
            "threshold": spec.threshold,
            "threshold_source": spec.threshold_source,
            "engines": list(spec.engines),
            "int8": quantization.ready(spec, cache),
            "base": spec.base or None,
            "licence": spec.licence,
            "weights": [{"file": file.name, "url": file.url, "bytes": file.bytes} for file in spec.weights],
        }
        for spec in (*registry.SPECS.values(), *learned)
    ]
    for error in damaged:
        typer.echo(f"{error.detail} ({error.code})", err=True)
    if as_json:
        typer.echo(json.dumps({"models": rows}, ensure_ascii=False))
        return
    table = Table("network", "ready", "int8", "d", "threshold", "engines", "licence of the weights", box=None)
    for row in rows:
        name, engines = row["name"], ", ".join(row["engines"])  # type: ignore[arg-type]
        used = f"{name} *" if row["used"] else str(name)
        ready, int8 = ("yes" if row[key] else "no" for key in ("ready", "int8"))
        table.add_row(used, ready, int8, str(row["dimension"]), str(row["threshold"]), engines, str(row["licence"]))
    tables.show(table)
    for spec in registry.SPECS.values():
        typer.echo(f"{spec.name}: threshold {spec.threshold}: {spec.threshold_source}")
    typer.echo(f"* chosen by FACEGROUP_NETWORK. Weights are looked for in {settings.model_dir or settings.cache_dir}")


@contextmanager
def _log(server: str | None, settings: Settings) -> Iterator[commands.Log]:
    """Give what has an audit log, without the networks."""
    show_log(settings)
    if server is not None:
        from facegroup.client import Client

        with Client(server) as client:
            yield client
    else:
        from facegroup.store import open_store

        with closing(open_store(settings.store, "cli")) as kept:
            yield kept


def _only(path: Path, most: int) -> bytes:
    """Return the bytes of a photo that is named alone; raises what is wrong with it."""
    ((_, data),) = next(read([path], most))
    if isinstance(data, FacegroupError):
        raise data
    return data


def _row(seen: PhotoResult | FacegroupError) -> dict[str, Any]:
    if isinstance(seen, FacegroupError):
        return {"error": error_row(seen)}
    boxes = seen.faces.boxes.astype(float).round(2).tolist()
    faces = zip(commands.matches(seen), boxes, strict=True)
    return {"faces": [FaceRow.of(match, box).as_json() for match, box in faces]}


def _list(gallery: str, found: list[Person], as_json: bool) -> None:
    if as_json:
        rows = [WiredPerson.of(each).model_dump(include={"id", "name", "photos"}) for each in found]
        typer.echo(json.dumps({"gallery": gallery, "people": rows}, ensure_ascii=False))
        return
    for each in sorted(found, key=lambda person: person.name.casefold()):
        typer.echo(f"{each.id}  {each.name}  ({each.samples} photos)")
    typer.echo(f"{len(found)} people in the gallery {gallery}", err=True)


def _save(picture: Image, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pillow.fromarray(picture).save(path)
    except (OSError, ValueError) as error:
        raise MalformedRequest(f"{path} cannot be written: {error}") from error


def _flat(path: Path) -> str:
    """Return one file name for a path, so that photos of one name in two folders stay two pictures."""
    return "_".join(part for part in path.with_suffix(".jpg").parts if part not in ("/", "..", "."))
