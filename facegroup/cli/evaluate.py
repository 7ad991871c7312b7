"""The commands `evaluate lfw | openset | detection | group`: measure on labelled photos, and print or write a report."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from facegroup.cli.measuring import Told, check, each, interruptible, say, wanted_of
from facegroup.errors import MalformedRequest
from facegroup.settings import Settings, load

Networks = Annotated[
    list[str] | None, typer.Option("--network", help="repeat it to compare [default: FACEGROUP_NETWORK]")
]
Precisions = Annotated[
    list[str] | None,
    typer.Option("--precision", help="fp32, bf16, fp16 or int8; repeat it to compare [default: the settings']"),
]
Heights = Annotated[
    list[int] | None,
    typer.Option(
        "--face-height",
        help="search also with photos scaled down until the face has this height in pixels; repeatable: 20, 30, 40, 50",
    ),
]
Sheet = Annotated[Path | None, typer.Option("--report", help="HTML sheet to write, in one file that needs no other")]
AsJson = Annotated[bool, typer.Option("--json", help="the report alone on standard output, for programs")]

app = typer.Typer(
    name="evaluate",
    help="Measure accuracy on labelled photos. Descriptors are kept, so an interrupted run continues where it stopped.",
    no_args_is_help=True,
)


def add_commands(parent: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    parent.add_typer(app)


@app.command()
def lfw(
    folder: Annotated[Path, typer.Argument(help="the photos: NAME/NAME_0001.jpg")],
    pairs: Annotated[Path, typer.Argument(help="LFW's pairs.txt")],
    heights: Heights = None,
    networks: Networks = None,
    precisions: Precisions = None,
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Verification by LFW's own protocol: accuracy over the folds, ROC, TAR at FAR."""
    from facegroup.evaluation import lfw as protocol
    from facegroup.evaluation import lfw_report

    with interruptible():
        check(sheet)
        _check_heights(heights)
        folds = lfw_report.folds_of(pairs)
        _folder(folder)
        total = len(protocol.photos_of(folds))

        def run(settings: Settings, told: Told) -> list[lfw_report.Run]:
            return [
                lfw_report.measure(folder, folds, settings, told=told, height=height)
                for height in (None, *(heights or ()))
            ]

        several, not_run = each(wanted_of(networks, precisions), total, run)
        runs = [one for runs in several for one in runs]
        say(lfw_report.report(folder, pairs, folds, runs, not_run, drawn=sheet is not None), sheet, as_json)


@app.command()
def openset(
    folder: Annotated[Path, typer.Argument(help="a folder per person")],
    strangers: Annotated[
        Path | None,
        typer.Option(help="photos of strangers, or a folder for each [default: people with too few photos to enrol]"),
    ] = None,
    enrol: Annotated[int, typer.Option(min=1, help="photos of each member")] = 3,
    splits: Annotated[int, typer.Option(min=1, max=1000, help="how often the photos are split anew")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="of the first split")] = 0,
    heights: Heights = None,
    groups: Annotated[
        Path | None, typer.Option("--groups", help="CSV with the columns person and group: rates of each group")
    ] = None,
    cohort: Annotated[
        Path | None,
        typer.Option(
            help="photos of more strangers, or a folder for each, for the decision `cohort` [default: members only]"
        ),
    ] = None,
    networks: Networks = None,
    precisions: Precisions = None,
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Identification among members and strangers: TPIR at FPIR, DET curve, rank 1 (ISO/IEC 19795)."""
    from facegroup.evaluation import decisions, identification, openset_data, openset_report, people_groups
    from facegroup.networks import registry

    with interruptible():
        check(sheet)
        _check_heights(heights)
        listed = openset_data.listing(folder, strangers)
        total = sum(len(photos) for photos in (*listed.people.values(), *(listed.strangers or {}).values()))
        known = {*listed.people, *(listed.strangers or {})}
        wanted = None if groups is None else people_groups.read(groups, known)
        more = () if cohort is None else openset_data.cohort_photos(cohort, known)

        def run(settings: Settings, told: Told) -> list[identification.Run]:
            read = openset_data.read(listed, settings, enrol, told)
            spec = registry.spec(settings.network, settings)
            named, own = (spec.name, settings.embedder.precision), spec.threshold
            others = openset_data.cohort(more, read, settings)
            both = decisions.compare(read, enrol, splits, seed, others, wanted)
            runs = [replace(identification.measure(read, named, own, enrol, splits, seed), decisions=both)]
            for height in heights or ():
                small = openset_data.scaled(read, settings, height, told)
                runs.append(
                    identification.measure(
                        small, named, own, enrol, splits, seed, enrolled=read.embedded.rows, height=height
                    )
                )
            return runs

        several, not_run = each(wanted_of(networks, precisions), total, run)
        runs = [one for runs in several for one in runs]
        subject = {"Folder": str(folder), **({} if strangers is None else {"Strangers": str(strangers)})}
        subject |= {} if groups is None else {"Groups": str(groups)}
        subject |= {} if cohort is None else {"Cohort": str(cohort)}
        report = openset_report.report(runs, subject, enrol, seed, not_run, drawn=sheet is not None)
        say(report, sheet, as_json)


@app.command()
def detection(
    folder: Annotated[Path, typer.Argument(help="the photos")],
    truth: Annotated[Path, typer.Argument(help='JSON: {"a.jpg": [{"box": [x, y, w, h], "invalid": 0}]}')],
    at: Annotated[
        float, typer.Option("--at-precision", min=0, max=1, help="precision at which recall is reported")
    ] = 0.946,
    precisions: Precisions = None,
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Face detection on boxes that people drew, as WIDER FACE's: average precision, by size of the face."""
    from facegroup.evaluation import detection as detecting
    from facegroup.evaluation import detection_report

    with interruptible():
        check(sheet)
        boxes = detecting.read_truth(truth)
        _folder(folder)
        settings = load()
        wanted = [load(detector={"precision": each}) for each in precisions or ()] or [settings]
        runs, not_run = each(
            [(f"{Path(one.detector.model).stem} {one.detector.precision}", one) for one in wanted],
            len(boxes),
            lambda settings, told: detecting.measure(folder, boxes, settings, told=told, at=at),
        )
        report = detection_report.report(folder, truth, boxes, runs, not_run, drawn=sheet is not None)
        say(report, sheet, as_json)


@app.command()
def group(
    truth: Annotated[
        Path, typer.Argument(metavar="GROUND_TRUTH.json", help="who is in which box: see docs/accuracy.md")
    ],
    photos: Annotated[Path, typer.Option("--photos", help="folder that the names in it are below")],
    threshold: Annotated[float | None, typer.Option(min=-1, max=1, help="[default: the network's own]")] = None,
    networks: Networks = None,
    precisions: Precisions = None,
    sheet: Sheet = None,
    as_json: AsJson = False,
) -> None:
    """Group pictures with members and strangers: compare the answer on every face with the truth."""
    from facegroup.evaluation import group as deciding
    from facegroup.evaluation import group_report, group_truth

    with interruptible():
        check(sheet)
        known = group_truth.read(truth)
        _folder(photos)
        runs, not_run = each(
            wanted_of(networks, precisions),
            len(known.photos) + sum(map(len, known.enrol.values())),
            lambda settings, told: deciding.measure(photos, known, settings, threshold, told),
        )
        say(group_report.report(truth, photos, known, runs, not_run, drawn=sheet is not None), sheet, as_json)


def _check_heights(heights: Sequence[int] | None) -> None:
    from facegroup.evaluation.small_faces import check_height

    for height in heights or ():
        check_height(height)


def _folder(path: Path) -> None:
    if not path.is_dir():
        raise MalformedRequest(f"{path} is not a folder")
