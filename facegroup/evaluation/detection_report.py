"""Make the `Report` on detection: average precision and recall, in total and by height of the face."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from facegroup.evaluation.detection import LEAST, LEAST_SCORE, SIZES, Run, Truth
from facegroup.evaluation.report import Plot, Report, Table, figure, number, percent, rate, share, side_by_side

_NAMES = {"mtcnn": "MTCNN", "yunet": "YuNet"}


def report(
    folder: Path,
    path: Path,
    truth: Mapping[str, Truth],
    runs: Sequence[Run],
    not_run: Sequence[str],
    *,
    drawn: bool,
) -> Report:
    """Return the report, with plots if `drawn`."""
    faces = sum(len(each.boxes) for each in truth.values())
    ignored = sum(len(each.ignored) for each in truth.values())
    first = runs[0]
    large = next((name for name in reversed(SIZES) if first.by_size[name][0]), "")
    return Report(
        "Detection: are the faces found?",
        (
            ("Photos", f"{folder}: {len(truth):,}"),
            ("Boxes", f"{path}: {faces:,} faces, and {ignored:,} boxes that do not count"),
            (
                "Protocol",
                f"average precision (PASCAL VOC 2010): a box is correct from an intersection over union of {LEAST:g}; "
                f"confidence from {LEAST_SCORE:g}, in answers from {', '.join(sorted({f'{run.least:g}' for run in runs}))}",
            ),
        ),
        f"{_NAMES.get(first.detector, first.detector)} ({first.precision}) finds {share(first.recall.value)} of the "
        f"{faces:,} faces, and "
        f"{share(first.correct.value)} of its boxes are faces. It finds {share(first.by_size[large][2])} of the faces of "
        f"{large}.",
        (_table(runs), _sizes(runs)),
        tuple(_plots(runs)) if drawn else (),
        _listed(runs, not_run),
        [_json(run, truth) for run in runs],
        {
            "protocol": "detection",
            "folder": str(folder),
            "truth": str(path),
            "overlap": LEAST,
            "not_run": list(not_run),
        },
    )


def _table(runs: Sequence[Run]) -> Table:
    first = runs[0]
    return side_by_side(
        "All faces",
        [(run.detector, run.precision) for run in runs],
        [
            ("average precision", [percent(run.ap) for run in runs]),
            ("recall", [percent(run.recall) for run in runs]),
            ("precision", [percent(run.correct) for run in runs]),
            (f"recall at precision {rate(first.at)}", [percent(run.recall_at) for run in runs]),
            ("the same, faces of 20 px and more", [share(run.larger_at) for run in runs]),
            ("confidence there", [f"{run.confidence_at:.3f}" for run in runs]),
            ("photos that failed", [str(len(run.failed)) for run in runs]),
        ],
        "Recall is the share of faces that are found. Precision is the share of boxes that are faces. Both are those of "
        "answers. Average precision summarises them over all confidences. Recall at a precision is what the best confidence "
        "for it finds. Intervals are from photos drawn with replacement.",
    )


def _sizes(runs: Sequence[Run]) -> Table:
    figures = []
    for name in SIZES:
        figures.append((f"{name}: average precision", [percent(run.by_size[name][1]) for run in runs]))
        figures.append((f"{name}: recall", [share(run.by_size[name][2]) for run in runs]))
    faces = ", ".join(f"{runs[0].by_size[name][0]:,} of {name}" for name in SIZES)
    return side_by_side(
        "By height of the face",
        [(run.detector, run.precision) for run in runs],
        figures,
        f"Heights are those of the true boxes, in pixels of the stored photo: {faces}. Small faces are missed most.",
    )


def _plots(runs: Sequence[Run]) -> list[Plot]:
    from facegroup.evaluation import plots

    every = {f"{run.precision}, AP {share(run.ap.value)}": plots.Line(*run.outcomes.curve()) for run in runs}
    first = runs[0]
    sizes = {
        f"{name}, AP {share(first.by_size[name][1].value)}": plots.Line(*done.curve())
        for name, done in first.sized.items()
        if first.by_size[name][0]
    }
    return [
        Plot(
            "Precision and recall",
            plots.recall_precision(every, "every"),
            "From left to right, less certain boxes are accepted: more faces are found, and more boxes are wrong. Boxes "
            f"are counted from a confidence of {LEAST_SCORE:g} on.",
        ),
        Plot(
            f"By height of the face, {first.precision}",
            plots.recall_precision(sizes, "sized"),
            "The further right a curve ends, the more faces of this height are found. Faces below "
            "`detector.min_face_size` are not searched for.",
        ),
    ]


def _listed(runs: Sequence[Run], not_run: Sequence[str]) -> dict[str, Sequence[str]]:
    listed: dict[str, Sequence[str]] = {}
    if runs[0].failed:
        listed["Photos that cannot be used; their faces count as missed"] = [
            f"{name} ({code})" for name, code in runs[0].failed.items()
        ]
    if not_run:
        listed["Not run"] = not_run
    return listed


def _json(run: Run, truth: Mapping[str, Truth]) -> dict[str, Any]:
    return {
        "detector": run.detector,
        "precision": run.precision,
        "average_precision": figure(run.ap),
        "recall": figure(run.recall),
        "correct": figure(run.correct),
        "recall_at_precision": {
            f"{run.at:g}": figure(
                run.recall_at,
                confidence=number(run.confidence_at),
                of_20_px_and_more=number(run.larger_at),
            )
        },
        "by_size": {
            name: {"faces": count, "average_precision": figure(ap), "recall": number(recall)}
            for name, (count, ap, recall) in run.by_size.items()
        },
        "counts": {
            "photos": len(truth),
            "faces": int(run.outcomes.total.sum()),
            "ignored": sum(len(each.ignored) for each in truth.values()),
            "found": len(run.answered.right),
            "right": int(run.answered.right.sum()),
            "failures_to_acquire": len(run.failed),
        },
        "failures_to_acquire": [{"file": name, "code": code} for name, code in run.failed.items()],
    }
