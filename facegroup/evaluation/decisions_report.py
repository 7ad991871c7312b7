"""Make the tables and the JSON of both decisions, side by side."""

import math
from collections.abc import Sequence
from typing import Any

from facegroup.evaluation.commonness import TENTHS
from facegroup.evaluation.decision_rates import DecisionRates
from facegroup.evaluation.decisions import OVERALL
from facegroup.evaluation.identification import FPIRS
from facegroup.evaluation.report import Table, number, rate, share

Named = tuple[str, tuple[DecisionRates, ...]]
"""A network with its precision, and the rates of its decisions."""


def tables(runs: Sequence[Named]) -> tuple[Table, ...]:
    """Return a table of tenths, and one of groups if there are any; none without runs."""
    if not runs:
        return ()
    columns = [(f"{name}, {each.decision}", each) for name, both in runs for each in both if each.refused is None]
    refused = [f"{name}, cohort: {each.refused}." for name, both in runs for each in both if each.refused is not None]
    head = ("", *(name for name, _ in columns))
    rows = [
        (f"TPIR at FPIR {rate(fpir)}", *(share(each.tpir[place]) for _, each in columns))
        for place, fpir in enumerate(FPIRS)
    ]
    if any(each.tenths for _, each in columns):
        tenths = [each.tenths or (math.nan,) * TENTHS for _, each in columns]
        rows += [(f"tenth {number + 1}", *(share(each[number], 2) for each in tenths)) for number in range(TENTHS)]
        rows.append(("the worst tenth", *(share(max(each), 2) for each in tenths)))
    found = [
        Table(
            f"Strangers named (FPIR) by tenths of commonness, at an overall FPIR of {rate(OVERALL)}",
            head,
            tuple(rows),
            " ".join(
                [
                    "The first tenth are the strangers whose faces resemble the fewest other strangers, the last those who "
                    "resemble most. With the same threshold for all, a stranger of the last tenth is named more often. The "
                    "decision `cohort` evens this out (docs/cohort.md).",
                    *refused,
                ]
            ),
        )
    ]
    groups = columns[0][1].groups if columns else {}
    if groups:
        rows = [
            (
                f"{group} ({groups[group].strangers} strangers, {groups[group].members} members)",
                *(f"{share(each.groups[group].fpir, 2)} · {share(each.groups[group].tpir)}" for _, each in columns),
            )
            for group in groups
        ]
        reading = "FPIR of the group's strangers · TPIR of its members. A dash: the group has none."
        found.append(Table(f"By groups, at an overall FPIR of {rate(OVERALL)}", head, tuple(rows), reading))
    return tuple(found)


def as_json(both: Sequence[DecisionRates]) -> dict[str, Any]:
    """Return the rates of each decision for JSON."""
    return {
        each.decision: {
            "cohort": each.cohort,
            "refused": each.refused,
            "tpir_at_fpir": {str(fpir): number(found) for fpir, found in zip(FPIRS, each.tpir, strict=False)},
            "fpir_by_tenths": [number(found) for found in each.tenths],
            "groups": {
                name: {
                    "fpir": number(found.fpir),
                    "tpir": number(found.tpir),
                    "strangers": found.strangers,
                    "members": found.members,
                }
                for name, found in each.groups.items()
            },
        }
        for each in both
    }
