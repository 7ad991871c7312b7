"""The commands `identify`, `verify` and `feedback`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from facegroup.cli import calibrate, sighting_photos
from facegroup.cli import service as commands
from facegroup.cli.bulk import error_row, photo_row, skipped_row
from facegroup.cli.options import AsJson, Face, Gallery, Network, Server, Store
from facegroup.cli.output import end_run, opened, save_picture, tell_skipped, tracked
from facegroup.enrolment.samples import Doubt, Enrolment, Refused
from facegroup.errors import FacegroupError, MalformedRequest
from facegroup.images import folders
from facegroup.images.files import MOST_BYTES, read
from facegroup.images.folders import shown
from facegroup.pipeline.messages import PhotoResult
from facegroup.settings import load
from facegroup.types import Policy
from facegroup.wire.recognition import FaceLiveness, FaceRow

Threshold = Annotated[float | None, typer.Option(min=-1, max=1, help="cosine similarity to exceed")]
Liveness = Annotated[
    bool | None, typer.Option(help="whether a face must be live, else it is not_live [default: as the gallery has it]")
]
ProbeQuality = Annotated[
    Policy | None, typer.Option(help="how good a face must be to be named, else poor_quality [default: the gallery's]")
]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    for command in (identify, verify, feedback):
        app.command()(command)


def identify(
    photos: Annotated[list[Path], typer.Argument(help="photos, or folders of photos")],
    boxes: Annotated[Path | None, typer.Option(help="folder for pictures with the named boxes drawn")] = None,
    threshold: Threshold = None,
    quality: ProbeQuality = None,
    unique: Annotated[
        bool | None,
        typer.Option(help="whether a person is named at most once in a photo [default: as the gallery has it]"),
    ] = None,
    liveness: Liveness = None,
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
        answers = commands.identify(service, settings.gallery, found.files, threshold, quality, unique, most, liveness)
        try:
            for path, data, seen in tracked(answers, "identifying", len(found.files), quiet=not as_json):
                failed += isinstance(seen, FacegroupError)
                rows.append({"photo": shown(path), **_row(seen)})
                if not as_json:
                    typer.echo("\n".join([f"===== {shown(path)} =====", *commands.lines(seen)]))
                if boxes is not None and isinstance(seen, PhotoResult):
                    save_picture(commands.boxes(data, seen, settings.limits), boxes / _flat(path))
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
    not_tried = f"{len(found.files) - len(rows)} photos were not tried"
    end_run(ended, not_tried, interrupted=interrupted, failed=failed > 0 or folders.unread(found.skipped))


def verify(
    photos: Annotated[list[Path], typer.Argument(help="two photos; or one, with --person")],
    person: Annotated[str | None, typer.Option(help="id of the person to compare with")] = None,
    face: Face = None,
    other_face: Annotated[str | None, typer.Option(help="which face of the second photo")] = None,
    threshold: Threshold = None,
    liveness: Liveness = None,
    gallery: Gallery = None,
    server: Server = None,
    network: Network = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Compare two photos, or a photo and a person. Ends with status 1 if they do not show the same person."""
    which = commands.face_choice(face), commands.face_choice(other_face, "--other-face")
    wanted = 2 if person is None else 1
    if len(photos) != wanted:
        raise MalformedRequest(f"verify takes {'two photos' if wanted == 2 else 'one photo, with --person'}")
    if person is not None and other_face is not None:
        raise MalformedRequest("--other-face needs a second photo; leave it out with --person")
    settings = load(gallery=gallery, network=network, store=store)
    data = [_only(path, settings.limits.image_bytes if server is None else MOST_BYTES) for path in photos]
    with opened(server, settings) as service:
        if person is None:
            done = service.verify((data[0], data[1]), threshold, which, liveness)
        else:
            done = service.verify_person(data[0], settings.gallery, person, threshold, which[0], liveness)
    if as_json:
        answer = {
            "same": done.same,
            "similarity": done.similarity,
            "threshold": done.threshold,
            "estimated_fmr": done.estimated_fmr,
            "boxes": [each.boxes[0].astype(float).round(2).tolist() for each in done.faces],
            "reasons": list(done.reasons),
        }
        if done.score is not None:
            answer["score"] = done.score
        if done.liveness:
            answer["liveness"] = [FaceLiveness.of(each, 0).as_json() for each in done.liveness]
        typer.echo(json.dumps(answer))
    else:
        why = f" ({', '.join(done.reasons)})" if done.reasons else ""
        typer.echo(f"{'same person' if done.same else 'not the same person'}{why}")
        by_cohort = "" if done.score is None else f", score by the cohort {done.score:.3f}"
        typer.echo(f"similarity {done.similarity:.3f}{by_cohort}, threshold {done.threshold:.3f}")
        scores = [each.score(0) for each in done.liveness]
        if scores:
            typer.echo(f"liveness {', '.join('none' if each is None else f'{each:.2f}' for each in scores)}")
    raise typer.Exit(int(not done.same))


def feedback(
    person: Annotated[str, typer.Option("--not", help="id of the person that the face is not")],
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
    """Correct a wrong name: the face does not get this person's name again.

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
                    rows[kind].append(photo_row(each))
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
    failed = not kept or bool(rows["refused"]) or folders.unread(found.skipped)
    end_run(ended, f"{left} photos or sightings were not done", interrupted=interrupted, failed=failed)


def _only(path: Path, most: int) -> bytes:
    """Return the bytes of one photo; raise its error if it cannot be read."""
    ((_, data),) = next(read([path], most))
    if isinstance(data, FacegroupError):
        raise data
    return data


def _row(seen: PhotoResult | FacegroupError) -> dict[str, Any]:
    if isinstance(seen, FacegroupError):
        return {"error": error_row(seen)}
    boxes = seen.faces.boxes.astype(float).round(2).tolist()
    found = seen.liveness
    scored = [None if found is None else FaceLiveness.of(found, index) for index in range(len(boxes))]
    faces = zip(commands.matches(seen), boxes, scored, strict=True)
    return {"faces": [FaceRow.of(*each).as_json() for each in faces]}


def _flat(path: Path) -> str:
    """Return a path as one file name: photos of the same name in two folders need two."""
    return "_".join(part for part in path.with_suffix(".jpg").parts if part not in ("/", "..", "."))
