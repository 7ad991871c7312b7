"""The command `calibrate`: sets a gallery's threshold for an error rate, and explains it."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from facegroup.cli.bulk import photo_row, skipped_row
from facegroup.cli.options import AsJson, Server, Store
from facegroup.cli.output import bar, client_of, tell_skipped
from facegroup.enrolment.samples import Refused
from facegroup.errors import FacegroupError
from facegroup.gallery import calibration, calibrator
from facegroup.gallery.calibrator import CalibrationResult, Strangers
from facegroup.gallery.matching import Matcher
from facegroup.images import folders
from facegroup.images.files import read
from facegroup.images.folders import Skipped, shown
from facegroup.networks import registry
from facegroup.pipeline.messages import PhotoResult
from facegroup.settings import Settings, load
from facegroup.store import open_store
from facegroup.store.audit import Retention
from facegroup.store.calls import direct
from facegroup.store.secret_key import secret_keys
from facegroup.types import Calibration, Gallery

_Describe = Callable[[Sequence[bytes]], list[PhotoResult | FacegroupError]]

_WHY = {
    "decision_changed": "its decision was set since it was calibrated",
    "people_changed": "its number of people has changed by more than 20 % since it was calibrated",
    "detector_changed": "its faces are found by another detector than when it was calibrated",
    "threshold_changed": "its threshold was set by hand since it was calibrated",
}


def add_commands(app: typer.Typer) -> None:
    """Add the command to a Typer app."""
    app.command()(calibrate)


def calibrate(
    gallery: Annotated[str, typer.Argument(help="name of the gallery")],
    fpir: Annotated[
        float,
        typer.Option(
            min=calibration.LEAST_FPIR,
            max=calibration.MOST_FPIR,
            help="share of strangers that may get a member's name",
        ),
    ] = 0.01,
    strangers: Annotated[
        Path | None,
        typer.Option(help="folder of photos of strangers, best a folder per person [default: measure on members]"),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only print the threshold, and do not set it")] = False,
    server: Server = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Find the threshold at which few enough strangers get a member's name, on the enrolled photos, and set it."""
    found = None if strangers is None else folders.photos([strangers])
    files = None if found is None else found.files
    settings = load(store=store)
    refused: list[Refused] = []
    unknown: Strangers | None = None
    if server is not None:
        with client_of(server, settings) as client:
            if strangers is not None and files is not None:
                unknown, refused = _described(strangers, files, client.describe)
            done = client.calibrate(gallery, fpir, unknown, dry_run=dry_run)
    elif strangers is not None and files is not None:
        from facegroup.recognizer import Recognizer

        with Recognizer(load(store=store, network=_network(settings, gallery)), "cli") as recognizer:
            unknown, refused = _described(strangers, files, recognizer.describe)
            done = recognizer.calibrate(gallery, fpir, unknown, dry_run=dry_run)
    else:  # without the networks
        with closing(
            open_store(settings.store, "cli", secret_keys(settings), keep=Retention.of(settings.audit))
        ) as kept:
            galleries = Matcher(kept, registry.spec(kept.gallery(gallery).network, settings))
            done = calibrator.run(direct(kept), galleries.snapshot(gallery), fpir, dry_run=dry_run)
    skipped = () if found is None else found.skipped
    if as_json:
        typer.echo(json.dumps(_row(done, refused, skipped), ensure_ascii=False))
    else:
        typer.echo("\n".join(_lines(done, refused)))
    tell_skipped(skipped)


def warn(gallery: Gallery) -> None:
    """Warn on standard error if a gallery's calibration is out of date."""
    why = calibration.stale(gallery)
    if why is not None:
        typer.echo(f"the gallery {gallery.name}: {_WHY[why]}; see `facegroup calibrate` ({why})", err=True)


def _network(settings: Settings, gallery: str) -> str:
    with closing(open_store(settings.store, "cli", secret_keys(settings), keep=Retention.of(settings.audit))) as kept:
        return registry.spec(kept.gallery(gallery).network, settings).setting


def _described(folder: Path, files: Sequence[Path], describe: _Describe) -> tuple[Strangers, list[Refused]]:
    """Return the strangers in a folder; files of one folder below it are of one person."""
    seen: list[tuple[str, PhotoResult | FacegroupError]] = []
    with bar("embedding strangers", len(files)) as progress:
        for part in read(files):
            found = iter(describe([data for _, data in part if isinstance(data, bytes)]))
            seen += [(shown(path), next(found) if isinstance(data, bytes) else data) for path, data in part]
            progress.advance(len(part))
    whose = [str(path if path.parent == folder else path.parent) for path in files]
    return calibrator.strangers(seen, whose)


def _row(done: CalibrationResult, refused: Sequence[Refused], skipped: Sequence[Skipped]) -> dict[str, Any]:
    return {
        "gallery": done.gallery.name,
        "applied": done.applied,
        "threshold_before": done.before,
        "calibration": asdict(done.found),
        "searches": done.searches,
        "closest": [asdict(each) for each in done.closest],
        "refused": [photo_row(each) for each in refused],
        "skipped": [skipped_row(each) for each in skipped],
    }


def _lines(done: CalibrationResult, refused: Sequence[Refused]) -> Iterator[str]:
    found = done.found
    for each in refused:
        yield f"not used: {each.name}: {each.error.detail} ({each.error.code})"
    yield f"threshold {found.threshold} " + (
        f"(was {done.before})" if done.applied else f"would be set; it is {done.before}"
    )
    low, high = found.fpir_interval
    yield (
        f"estimated false-positive rate: {found.fpir:.2%} of strangers get a name (95 % CI {low:.2%} to {high:.2%}), "
        f"measured on {_on(found)}"
    )
    if found.tpir is None or found.tpir_interval is None:
        yield "true-positive rate: unknown, because nobody has two photos"
    else:
        low, high = found.tpir_interval
        yield (
            f"estimated true-positive rate: {found.tpir:.1%} of members' photos get the right name "
            f"(95 % CI {low:.1%} to {high:.1%})"
        )
    if found.strangers == 0 and found.sampled < found.people:
        yield f"measured with photos of {found.sampled} of the {found.people} people, drawn from those who have photos"
    for likeness in done.closest:
        like = likeness.like
        yield f"most similar: {likeness.whose} and {like.name} ({like.person_id}), {like.similarity:.3f}"


def _on(found: Calibration) -> str:
    if found.strangers:
        return f"{found.strangers} strangers"
    return f"{found.samples} photos of members"
