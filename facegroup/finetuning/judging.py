"""Matrices go in, open-set results before and after come out, on people whom none of them was learned from or stopped by.

TPIR at an FPIR with its bootstrap interval, and the paired gain over the base, as in `evaluation/comparison.py`. What
decides is the smallest FPIR that so few strangers can show: 1 % takes a hundred of them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facegroup.evaluation import bootstrap
from facegroup.evaluation.bootstrap import Estimate, estimate
from facegroup.evaluation.openset import threshold_at
from facegroup.finetuning.parts import Part
from facegroup.networks.embedder import unit
from facegroup.types import Descriptors, Floats

FPIRS = (0.001, 0.01, 0.1)
BASE = "base"

FEWEST = 10
"""People, and strangers, to judge by; with fewer nothing is known, whatever the figures."""

_DRAWINGS = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        method: ``base``, ``triplet`` or ``softmax``.
        fpir: that the threshold is set for.
        tpir: the mean over the splits.
        gain: TPIR less that of the base, paired.
    """

    method: str
    fpir: float
    tpir: Estimate
    gain: Estimate


@dataclass(frozen=True, slots=True)
class Judgement:
    """Before and after.

    Attributes:
        people: who were enrolled and searched with.
        strangers: who were searched with.
        deciding: the FPIR at which a gain counts.
        rows: the figures.
        threshold: similarity at which the triplets' projection has the deciding FPIR, the mean over the splits.
    """

    people: int
    strangers: int
    deciding: float
    rows: tuple[Row, ...]
    threshold: float

    @property
    def too_few(self) -> bool:
        """Whether there are too few to know anything."""
        return min(self.people, self.strangers) < FEWEST

    def row(self, method: str) -> Row:
        """Return what decides."""
        (found,) = [row for row in self.rows if (row.method, row.fpir) == (method, self.deciding)]
        return found

    @property
    def helps(self) -> bool:
        """Whether the triplets' gain lies above 0 with its whole interval, and there are enough people to say so."""
        return not self.too_few and self.row("triplet").gain.low > 0

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**asdict(self), "too_few": self.too_few, "helps": self.helps}


def fpir_of(strangers: int) -> float:
    """Return the FPIR that so many strangers can show: 1 %, or 10 % where they are fewer than a hundred."""
    return 0.01 if strangers >= 100 else 0.1


def judged(part: Part, descriptors: Descriptors, matrices: Mapping[str, Floats]) -> Judgement:
    """Compare projections with the base, on the part's people; `matrices` has ``triplet`` and may have others."""
    drawn = bootstrap.draw(len(part.people), len(part.strangers), _DRAWINGS)
    after = {name: unit(descriptors @ matrix.T) for name, matrix in matrices.items()}
    done = {name: part.searched(rows) for name, rows in {BASE: descriptors, **after}.items()}
    values = {name: [bootstrap.mean_tpir(each, fpir) for fpir in FPIRS] for name, each in done.items()}
    drawings = {name: bootstrap.rates(each, FPIRS, drawn) for name, each in done.items()}
    rows = tuple(
        Row(
            *(name, fpir),
            estimate(values[name][place], drawings[name][place]),
            estimate(values[name][place] - values[BASE][place], drawings[name][place] - drawings[BASE][place]),
        )
        for name in done
        for place, fpir in enumerate(FPIRS)
    )
    deciding = fpir_of(len(part.strangers))
    threshold = float(np.mean([threshold_at(each.nonmated, deciding) for each in done["triplet"]]))
    return Judgement(len(part.people), len(part.strangers), deciding, rows, threshold)
