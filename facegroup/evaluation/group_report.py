"""Make the `Report` on group pictures: members named, strangers rejected, and every wrong answer."""

from collections.abc import Sequence
from math import nan, sqrt
from pathlib import Path
from typing import Any

from facegroup.evaluation.bootstrap import Estimate
from facegroup.evaluation.group import (
    BESIDE,
    BESIDE_NAMED,
    CORRECT,
    MISSED,
    NAMED,
    OUTCOMES,
    REJECTED,
    UNFOUND,
    UNFOUND_STRANGER,
    WRONG,
    Decision,
    Run,
)
from facegroup.evaluation.group_truth import Group
from facegroup.evaluation.report import Plot, Report, Table, figure, number, percent, side_by_side

MEMBERS = (CORRECT, WRONG, MISSED, UNFOUND)
STRANGERS = (NAMED, REJECTED, UNFOUND_STRANGER)


def wilson(count: int, total: int) -> Estimate:
    """Return a share with its 95 % interval (Wilson 1927), which is also valid if a few faces are all correct."""
    if not total:
        return Estimate(nan, nan, nan)
    z, part = 1.959964, count / total
    middle, half = part + z * z / (2 * total), z * sqrt(part * (1 - part) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return Estimate(part, max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale))


def report(
    path: Path, folder: Path, group: Group, runs: Sequence[Run], not_run: Sequence[str], *, drawn: bool
) -> Report:
    """Return the report, with plots if `drawn`."""
    best = max(runs, key=lambda run: run.count(CORRECT, REJECTED))
    members, strangers = best.count(*MEMBERS), best.count(*STRANGERS)
    return Report(
        "Group pictures: is everybody named correctly?",
        (
            ("Photos", f"{len(group.photos)} below {folder}"),
            ("Truth", f"{path}: {group.about}" if group.about else str(path)),
            ("People", f"{len(group.enrol)} enrolled from {sum(map(len, group.enrol.values()))} photos"),
            ("Faces", f"{members} of members, {strangers} of strangers"),
        ),
        f"{best.network} ({best.precision}, threshold {best.threshold:g}) names {best.count(CORRECT)} of {members} faces of "
        f"members correctly and {best.count(WRONG)} wrongly, and gives {best.count(NAMED)} of {strangers} strangers a name.",
        (_table(runs), _shares(runs)),
        tuple(_plots(runs)) if drawn else (),
        _listed(runs, not_run),
        [_json(run, group) for run in runs],
        {"protocol": "group", "folder": str(folder), "truth": str(path), "not_run": list(not_run)},
    )


def _table(runs: Sequence[Run]) -> Table:
    return side_by_side(
        "Every face, against the truth",
        [(run.network, run.precision) for run in runs],
        [(outcome, [str(run.count(outcome)) for run in runs]) for outcome in (*OUTCOMES, BESIDE_NAMED, BESIDE)],
        "A named stranger and a wrong name are serious errors. A missed member is answered “not in the dataset”. “No face” "
        "is a box without a face.",
    )


def _shares(runs: Sequence[Run]) -> Table:
    return side_by_side(
        "Shares",
        [(run.network, run.precision) for run in runs],
        [
            ("members named correctly (TPIR)", [percent(_tpir(run)) for run in runs]),
            ("strangers named (FPIR)", [percent(_fpir(run)) for run in runs]),
            ("threshold", [f"{run.threshold:g}" for run in runs]),
            ("people without an enrolled photo", [str(len(run.unenrolled)) for run in runs]),
        ],
        "In brackets are 95 % intervals (Wilson) for independent faces. Faces of one person are not quite independent, so "
        "the true intervals are a little wider.",
    )


def _tpir(run: Run) -> Estimate:
    return wilson(run.count(CORRECT), run.count(*MEMBERS))


def _fpir(run: Run) -> Estimate:
    return wilson(run.count(NAMED), run.count(*STRANGERS))


def _plots(runs: Sequence[Run]) -> list[Plot]:
    from facegroup.evaluation import plots

    rows = {f"{run.network} {run.precision}": {outcome: run.count(outcome) for outcome in OUTCOMES} for run in runs}
    return [
        Plot(
            "Decisions",
            plots.bars(rows, "group"),
            "Green is correct: the right name, or a rejected stranger. Orange and red are wrong names. Yellow and grey are "
            "faces without a name.",
        )
    ]


def _listed(runs: Sequence[Run], not_run: Sequence[str]) -> dict[str, Sequence[str]]:
    listed: dict[str, Sequence[str]] = {}
    for run in runs:
        of = f", {run.network} {run.precision}"
        amiss = [each for each in run.decisions if each.outcome not in (CORRECT, REJECTED, BESIDE)]
        every = {
            "Wrong answers": [_line(each) for each in amiss],
            "Enrolment photos refused": [f"{name} ({code})" for name, code in run.refused.items()],
            "Failures to enrol": run.unenrolled,
            "Photos that cannot be used; their faces count as not found": [
                f"{name} ({code})" for name, code in run.failed.items()
            ],
            "Photos that are also enrolled, and not searched with": run.known,
        }
        listed |= {heading + of: items for heading, items in every.items() if items}
    if not_run:
        listed["Not run"] = not_run
    return listed


def _line(each: Decision) -> str:
    where = f"{each.file}, face at {each.box[0]:.0f}, {each.box[1]:.0f}"
    who = "stranger" if each.person is None else each.person
    told = "" if each.named is None else f", answered {each.named}"
    score = "" if each.similarity is None else f" ({each.similarity:.3f})"
    return f"{where}: {who}, {each.outcome}{told}{score}"


def _json(run: Run, group: Group) -> dict[str, Any]:
    return {
        "network": run.network,
        "precision": run.precision,
        "threshold": run.threshold,
        "tpir": figure(_tpir(run)),
        "fpir": figure(_fpir(run)),
        "outcomes": {outcome: run.count(outcome) for outcome in (*OUTCOMES, BESIDE_NAMED, BESIDE)},
        "counts": {
            "people": len(group.enrol),
            "photos": len(group.photos),
            "members": run.count(*MEMBERS),
            "strangers": run.count(*STRANGERS),
            "failures_to_acquire": run.count(UNFOUND, UNFOUND_STRANGER),
            "failures_to_enrol": len(run.unenrolled),
        },
        "failures_to_acquire": [{"file": name, "code": code} for name, code in run.failed.items()],
        "failures_to_enrol": list(run.unenrolled),
        "refused": [{"photo": name, "code": code} for name, code in run.refused.items()],
        "also_enrolled": list(run.known),
        "decisions": [
            {
                "file": each.file,
                "box": list(each.box),
                "person": each.person,
                "outcome": each.outcome,
                "named": each.named,
                "similarity": None if each.similarity is None else number(each.similarity, 4),
            }
            for each in run.decisions
        ],
    }
