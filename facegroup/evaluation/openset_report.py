"""Make the `Report` on open-set identification, with the networks side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from facegroup.evaluation import decisions_report
from facegroup.evaluation.identification import FNIR_AT, FPIRS, Run
from facegroup.evaluation.report import Plot, Report, Table, figure, number, percent, rate, share, side_by_side


def report(
    runs: Sequence[Run], subject: Mapping[str, str], enrol: int, seed: int, not_run: Sequence[str], *, drawn: bool
) -> Report:
    """Return the report, with plots if `drawn`."""
    first = runs[0]
    best = max(runs, key=lambda run: run.tpir[1].value)
    return Report(
        "Open-set identification: are members named, and strangers not?",
        (
            *subject.items(),
            ("People", f"{len(first.data.members):,} members, {len(first.data.strangers):,} strangers"),
            ("Photos", f"{first.data.photos:,}"),
            (
                "Protocol",
                f"{enrol} photos of each member enrolled, searched with all others; {first.splits} splits from seed {seed}",
            ),
        ),
        f"When {rate(FPIRS[1])} of the searches with strangers return a member's name, {best.network} "
        f"({best.label}) names {share(best.tpir[1].value)} of the members' photos correctly. "
        f"In {share(best.rank_1.value)} of them, the right member is the most similar.",
        (_table(runs), _defaults(runs), *decisions_report.tables(_decided(runs))),
        tuple(_plots(runs)) if drawn else (),
        _listed(runs, not_run),
        [_json(run) for run in runs],
        {
            "protocol": "openset", **{key.lower(): value for key, value in subject.items()},
            "enrolled": enrol, "splits": first.splits, "seed": seed, "not_run": list(not_run),
        },
    )  # fmt: skip


def _table(runs: Sequence[Run]) -> Table:
    searched = sum(map(len, runs[0].data.strangers.values()))
    return side_by_side(
        "Members named correctly (TPIR), by the share of strangers named (FPIR)",
        [(run.network, run.label) for run in runs],
        [
            *(
                (f"TPIR at FPIR {rate(fpir)}", [percent(run.tpir[place]) for run in runs])
                for place, fpir in enumerate(FPIRS)
            ),
            (f"FNIR at FPIR {rate(FNIR_AT)}", [percent(run.fnir) for run in runs]),
            ("rank 1: the right member is first", [percent(run.rank_1) for run in runs]),
            ("photos without a descriptor", [_of(len(run.data.failed), run.data.photos) for run in runs]),
            ("members not enrolled in some split", [str(len(run.unenrolled)) for run in runs]),
        ],
        "TPIR is the share of the members' photos that return the right name. The rest is FNIR, and includes photos without "
        f"a descriptor. At an FPIR of {rate(FPIRS[0])}, {int(FPIRS[0] * searched + 1e-9)} of {searched:,} searches with "
        "strangers return a name. The fewer these are, the less certain is the figure.",
    )


def _defaults(runs: Sequence[Run]) -> Table:
    return side_by_side(
        "Thresholds",
        [(run.network, run.label) for run in runs],
        [
            *(
                (f"for FPIR {rate(fpir)}", [f"{run.thresholds[place]:.3f}" for run in runs])
                for place, fpir in enumerate(FPIRS)
            ),
            ("the network's own", [f"{run.at_default[0]:.3f}" for run in runs]),
            ("strangers named there (FPIR)", [percent(run.at_default[1]) for run in runs]),
            ("members named correctly there (TPIR)", [percent(run.at_default[2]) for run in runs]),
        ],
        "A face gets a name if its similarity exceeds the threshold. These are means over the splits. The last rows show "
        "the rates for these people at the network's own threshold.",
    )


def _decided(runs: Sequence[Run]) -> list[decisions_report.Named]:
    return [(f"{run.network} {run.precision}", run.decisions) for run in runs if run.decisions]


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole:,} ({share(part / whole, 2)})"


def _plots(runs: Sequence[Run]) -> list[Plot]:
    from facegroup.evaluation import plots

    return [
        Plot(
            "DET curve",
            plots.det({f"{run.network} {run.label}": plots.Line(*run.curve) for run in runs}),
            "The nearer a curve is to the bottom left, the better: fewer strangers named, fewer members missed. The band is "
            "the 95 % interval for other people of the same kind.",
        ),
        *(
            Plot(
                f"Similarities of {run.network}, {run.label}",
                plots.histograms(
                    run.genuine, run.impostor, run.thresholds[1],
                    ("members, to themselves", "strangers, to the nearest member"), f"scores{place}",
                ),
                "The less the two distributions overlap, the easier it is to choose a threshold. The line is the one for an "
                f"FPIR of {rate(FPIRS[1])}; the first split is shown.",
            )
            for place, run in enumerate(runs)
            if run.network not in {each.network for each in runs[:place]}
        ),
    ]  # fmt: skip


def _listed(runs: Sequence[Run], not_run: Sequence[str]) -> dict[str, Sequence[str]]:
    listed: dict[str, Sequence[str]] = {**runs[0].data.left_out}
    for run in runs:
        of = f"{run.network} {run.label}"
        if run.data.failed:
            listed[f"Failures to acquire, {of}"] = [f"{file} ({code})" for file, code in run.data.failed.items()]
        if run.unenrolled:
            listed[f"Failures to enrol, {of}"] = [
                f"{name} (in {count} of {run.splits} splits)" for name, count in sorted(run.unenrolled.items())
            ]
    if not_run:
        listed["Not run"] = not_run
    return listed


def _json(run: Run) -> dict[str, Any]:
    threshold, fpir, tpir = run.at_default
    missed = run.data.failed
    fpirs, fnirs, low, high = run.curve
    return {
        "network": run.network,
        "precision": run.precision,
        "tpir_at_fpir": {
            str(fpir): figure(found, threshold=number(limit))
            for fpir, found, limit in zip(FPIRS, run.tpir, run.thresholds, strict=True)
        },
        "fnir_at_fpir": {str(FNIR_AT): figure(run.fnir, threshold=number(run.fnir_threshold))},
        "face_height": run.height,
        "rank_1": figure(run.rank_1),
        "at_default_threshold": {"threshold": threshold, "fpir": figure(fpir), "tpir": figure(tpir)},
        "det": [
            {"fpir": number(a), "fnir": number(b), "interval": [number(c), number(d)]}
            for a, b, c, d in zip(fpirs, fnirs, low, high, strict=True)
        ],
        "decisions": decisions_report.as_json(run.decisions),
        "counts": {
            "members": len(run.data.members),
            "strangers": len(run.data.strangers),
            "photos": run.data.photos,
            "nonmated_searches": sum(map(len, run.data.strangers.values())),
            "failures_to_acquire": len(missed),
            "failures_to_enrol": len(run.unenrolled),
        },
        "failures_to_acquire": [{"file": file, "code": code} for file, code in missed.items()],
        "failures_to_enrol": [{"person": name, "splits": count} for name, count in sorted(run.unenrolled.items())],
        "left_out": {heading: list(items) for heading, items in run.data.left_out.items()},
    }
