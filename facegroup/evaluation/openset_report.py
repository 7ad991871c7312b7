"""What some networks gave in open-set identification, in; a `Report` out, the networks side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from facegroup.evaluation.identification import FPIRS, Run
from facegroup.evaluation.report import Plot, Report, Table, figure, number, percent, rate, share, side_by_side


def report(
    runs: Sequence[Run], subject: Mapping[str, str], enrol: int, seed: int, not_run: Sequence[str], *, drawn: bool
) -> Report:
    """Return the report; with plots if `drawn`."""
    first = runs[0]
    best = max(runs, key=lambda run: run.tpir[1].value)
    return Report(
        "Open-set identification: are members named, and strangers not?",
        (
            *subject.items(),
            ("People", f"{len(first.roster.members):,} members, {len(first.roster.strangers):,} strangers"),
            ("Photos", f"{first.roster.photos:,}"),
            (
                "Protocol",
                f"{enrol} photos of each member enrolled, searched with all others; {first.splits} splits from seed {seed}",
            ),
        ),
        f"Where {rate(FPIRS[1])} of the searches with strangers are given a member's name, {best.network} "
        f"({best.precision}) names {share(best.tpir[1].value)} of the members' photos rightly; "
        f"in {share(best.rank_1.value)} the right member is the most similar.",
        (_table(runs), _defaults(runs)),
        tuple(_plots(runs)) if drawn else (),
        _listed(runs, not_run),
        [_json(run) for run in runs],
        {
            "protocol": "openset", **{key.lower(): value for key, value in subject.items()},
            "enrolled": enrol, "splits": first.splits, "seed": seed, "not_run": list(not_run),
        },
    )  # fmt: skip


def _table(runs: Sequence[Run]) -> Table:
    searched = sum(map(len, runs[0].roster.strangers.values()))
    return side_by_side(
        "Members named rightly (TPIR), by how many strangers are named (FPIR)",
        [(run.network, run.precision) for run in runs],
        [
            *(
                (f"TPIR at FPIR {rate(fpir)}", [percent(run.tpir[place]) for run in runs])
                for place, fpir in enumerate(FPIRS)
            ),
            ("rank 1: the right member is first", [percent(run.rank_1) for run in runs]),
            ("photos without a descriptor", [_of(len(run.roster.failed), run.roster.photos) for run in runs]),
            ("members not enrolled in some split", [str(len(run.unenrolled)) for run in runs]),
        ],
        "TPIR is the share of the members' photos that are answered with the right name; what it misses to 100 % is FNIR, "
        "and photos without a descriptor are among what is missed. "
        f"Of {searched:,} searches with strangers an FPIR of {rate(FPIRS[0])} lets {int(FPIRS[0] * searched + 1e-9)} be "
        "named: the fewer that are, the less the figure rests on.",
    )


def _defaults(runs: Sequence[Run]) -> Table:
    return side_by_side(
        "Thresholds",
        [(run.network, run.precision) for run in runs],
        [
            *(
                (f"for FPIR {rate(fpir)}", [f"{run.thresholds[place]:.3f}" for run in runs])
                for place, fpir in enumerate(FPIRS)
            ),
            ("the network's own", [f"{run.at_default[0]:.3f}" for run in runs]),
            ("strangers named there (FPIR)", [percent(run.at_default[1]) for run in runs]),
            ("members named rightly there (TPIR)", [percent(run.at_default[2]) for run in runs]),
        ],
        "A threshold is the similarity that must be exceeded for a name; these are means over the splits. The last rows "
        "say what the threshold that the network comes with does to these people.",
    )


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole:,} ({share(part / whole, 2)})"


def _plots(runs: Sequence[Run]) -> list[Plot]:
    from facegroup.evaluation import plots

    return [
        Plot(
            "DET curve",
            plots.det({f"{run.network} {run.precision}": plots.Line(*run.curve) for run in runs}),
            "The nearer a curve is to the bottom left, the better: fewer strangers named, fewer members missed. The band "
            "holds 95 % of what other people of the same kind would give.",
        ),
        *(
            Plot(
                f"Similarities of {run.network}, {run.precision}",
                plots.histograms(
                    run.genuine, run.impostor, run.thresholds[1],
                    ("members, to themselves", "strangers, to the nearest member"), f"scores{place}",
                ),
                "The less the two hills overlap, the easier is the choice of a threshold. The line is the threshold for an "
                f"FPIR of {rate(FPIRS[1])}; the first split is shown.",
            )
            for place, run in enumerate(runs)
            if run.network not in {each.network for each in runs[:place]}
        ),
    ]  # fmt: skip


def _listed(runs: Sequence[Run], not_run: Sequence[str]) -> dict[str, Sequence[str]]:
    listed: dict[str, Sequence[str]] = {**runs[0].roster.left_out}
    for run in runs:
        of = f"{run.network} {run.precision}"
        if run.roster.failed:
            listed[f"Failures to acquire, {of}"] = [f"{file} ({code})" for file, code in run.roster.failed.items()]
        if run.unenrolled:
            listed[f"Failures to enrol, {of}"] = [
                f"{name} (in {count} of {run.splits} splits)" for name, count in sorted(run.unenrolled.items())
            ]
    if not_run:
        listed["Not run"] = not_run
    return listed


def _json(run: Run) -> dict[str, Any]:
    threshold, fpir, tpir = run.at_default
    missed = run.roster.failed
    fpirs, fnirs, low, high = run.curve
    return {
        "network": run.network,
        "precision": run.precision,
        "tpir_at_fpir": {
            str(fpir): figure(found, threshold=number(limit))
            for fpir, found, limit in zip(FPIRS, run.tpir, run.thresholds, strict=True)
        },
        "rank_1": figure(run.rank_1),
        "at_default_threshold": {"threshold": threshold, "fpir": figure(fpir), "tpir": figure(tpir)},
        "det": [
            {"fpir": number(a), "fnir": number(b), "interval": [number(c), number(d)]}
            for a, b, c, d in zip(fpirs, fnirs, low, high, strict=True)
        ],
        "counts": {
            "members": len(run.roster.members),
            "strangers": len(run.roster.strangers),
            "photos": run.roster.photos,
            "nonmated_searches": sum(map(len, run.roster.strangers.values())),
            "failures_to_acquire": len(missed),
            "failures_to_enrol": len(run.unenrolled),
        },
        "failures_to_acquire": [{"file": file, "code": code} for file, code in missed.items()],
        "failures_to_enrol": [{"person": name, "splits": count} for name, count in sorted(run.unenrolled.items())],
        "left_out": {heading: list(items) for heading, items in run.roster.left_out.items()},
    }
