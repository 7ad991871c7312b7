"""Compare networks on one's own people: who is named, at what cost, and whether common faces pay for it.

The searches are those of `identification`, the tenths those of `decisions`. The processor time is that of the network alone,
on drawn faces, since it does not depend on what a crop shows.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facegroup.evaluation import decisions, identification
from facegroup.evaluation.decision_rates import DecisionRates
from facegroup.evaluation.identification import FPIRS
from facegroup.evaluation.openset_data import OpenSetData
from facegroup.evaluation.report import Plot, Report, Table, figure, number, percent, rate, share, side_by_side
from facegroup.networks import drawn_faces
from facegroup.networks.embedder import open_embedder
from facegroup.networks.spec import NetworkSpec
from facegroup.settings import Settings

_DECIDING = 1  # of FPIRS: 1 %
_ROUNDS = 3
_COPIES = 4  # of the drawn faces, in one batch


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """The results of one network.

    Attributes:
        spec: the network.
        run: its rates.
        cosine: its FPIR by tenths of commonness.
        milliseconds: processor time of a face in the network.
    """

    spec: NetworkSpec
    run: identification.Run
    cosine: DecisionRates
    milliseconds: float


def measure(data: OpenSetData, settings: Settings, enrol: int, splits: int, seed: int) -> Compared:
    """Return the results of the network of the settings.

    Args:
        data: members and strangers, embedded by that network.
        settings: settings with the network.
        enrol: number of photos to enrol of each member.
        splits: number of splits.
        seed: seed of the first split.
    """
    embedder = open_embedder(settings)
    spec = embedder.spec
    crops = np.concatenate([drawn_faces.faces(spec.size)] * _COPIES)
    embedder.engine.run(crops)
    seconds = []
    for _ in range(_ROUNDS):
        before = time.process_time()
        embedder.engine.run(crops)
        seconds.append(time.process_time() - before)
    named = (spec.name, settings.embedder.precision)
    run = identification.measure(data, named, spec.threshold, enrol, splits, seed)
    cosine = decisions.compare(data, enrol, splits, seed)[0]
    return Compared(spec, run, cosine, 1000 * min(seconds) / len(crops))


def report(
    found: Sequence[Compared], subject: Mapping[str, str], enrol: int, seed: int, not_run: Sequence[str], *, drawn: bool
) -> Report:
    """Return the report, with its plot if `drawn`."""
    first = found[0].run
    best = max(found, key=lambda each: each.run.tpir[_DECIDING].value)
    return Report(
        "Which network serves these people best?",
        (
            *subject.items(),
            ("People", f"{len(first.data.members):,} members, {len(first.data.strangers):,} strangers"),
            ("Photos", f"{first.data.photos:,}"),
            (
                "Protocol",
                f"{enrol} photos of each member enrolled, searched with all others; {first.splits} splits from seed {seed}",
            ),
        ),
        f"When {rate(FPIRS[_DECIDING])} of the searches with strangers return a member's name, {best.spec.name} names "
        f"{share(best.run.tpir[_DECIDING].value)} of the members' photos correctly, for {best.milliseconds:.1f} ms of one "
        "processor a face.",
        (_table(found),),
        (_plot(found),) if drawn else (),
        {"Not run": not_run} if not_run else {},
        [_json(each) for each in found],
        {
            "protocol": "networks", **{key.lower(): value for key, value in subject.items()},
            "enrolled": enrol, "splits": first.splits, "seed": seed, "not_run": list(not_run),
        },
    )  # fmt: skip


def _table(found: Sequence[Compared]) -> Table:
    rows = [
        (f"TPIR at FPIR {rate(fpir)}", [percent(each.run.tpir[place]) for each in found])
        for place, fpir in enumerate(FPIRS)
    ]
    rows += [
        (f"threshold for FPIR {rate(FPIRS[_DECIDING])}", [f"{each.run.thresholds[_DECIDING]:.3f}" for each in found]),
        ("CPU ms a face", [f"{each.milliseconds:.2f}" for each in found]),
        ("numbers in a descriptor", [str(each.spec.dimension) for each in found]),
        ("photos without a descriptor", [str(len(each.run.data.failed)) for each in found]),
    ]
    if all(each.cosine.tenths for each in found):
        rows += [
            (f"FPIR of tenth {tenth + 1}", [share(each.cosine.tenths[tenth], 2) for each in found])
            for tenth in range(len(found[0].cosine.tenths))
        ]
        rows.append(("the worst tenth", [share(max(each.cosine.tenths), 2) for each in found]))
    return side_by_side(
        "Members named correctly (TPIR), strangers named (FPIR) by tenths of commonness, and time",
        [(each.spec.name, each.run.precision) for each in found],
        rows,
        "The tenths are at an overall FPIR of 1 %. The first are the strangers whose faces resemble the fewest others. With "
        f"fewer than {decisions.LEAST_STRANGERS} strangers there are none. The time is processor time of the network alone, "
        "summed over its threads. Of two networks whose intervals overlap, neither is shown to be better.",
    )


def _plot(found: Sequence[Compared]) -> Plot:
    from facegroup.evaluation import plots

    curves = {}
    for each in found:
        tpir = share(each.run.tpir[_DECIDING].value)
        curves[f"{each.spec.name}: {tpir}, {each.milliseconds:.1f} ms"] = plots.Line(*each.run.curve)
    return Plot(
        "DET curves",
        plots.det(curves),
        f"The nearer a curve is to the bottom left, the better. Beside each name: TPIR at FPIR {rate(FPIRS[_DECIDING])}, "
        "and CPU ms a face. The band is the 95 % interval for other people of the same kind.",
    )


def _json(each: Compared) -> dict[str, Any]:
    return {
        "network": each.spec.name,
        "precision": each.run.precision,
        "tpir_at_fpir": {
            str(fpir): figure(found, threshold=number(limit))
            for fpir, found, limit in zip(FPIRS, each.run.tpir, each.run.thresholds, strict=True)
        },
        "fpir_by_tenths": [number(rate_) for rate_ in each.cosine.tenths],
        "cpu_ms": number(each.milliseconds),
        "dimension": each.spec.dimension,
        "licence": each.spec.licence,
        "failures_to_acquire": [{"file": file, "code": code} for file, code in each.run.data.failed.items()],
    }
