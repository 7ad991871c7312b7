"""Judge projections by open-set identification on people who were used neither for learning nor for stopping.

The figures are TPIR at an FPIR with its bootstrap interval, and the paired gain over the base, as in
`studies/comparison.py`. The deciding FPIR is the smallest one that the number of strangers can show: 1 % takes a hundred.
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
"""Least number of people and of strangers for a judgement. With fewer, the figures mean nothing."""

_DRAWINGS = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one method at one FPIR.

    Attributes:
        method: ``base``, ``triplet`` or ``softmax``.
        fpir: FPIR for which the threshold is set.
        tpir: TPIR, the mean over the splits.
        gain: TPIR minus that of the base, paired.
    """

    method: str
    fpir: float
    tpir: Estimate
    gain: Estimate


@dataclass(frozen=True, slots=True)
class Judgement:
    """The results before and after learning.

    Attributes:
        people: number of people who were enrolled and searched with.
        strangers: number of strangers who were searched with.
        deciding: the FPIR at which a gain counts.
        rows: the figures.
        threshold: threshold at which the triplets' projection has the deciding FPIR, the mean over the splits.
    """

    people: int
    strangers: int
    deciding: float
    rows: tuple[Row, ...]
    threshold: float

    @property
    def too_few(self) -> bool:
        """Whether there are too few people or strangers for a judgement."""
        return min(self.people, self.strangers) < FEWEST

    def row(self, method: str) -> Row:
        """Return the method's row at the deciding FPIR."""
        (found,) = [row for row in self.rows if (row.method, row.fpir) == (method, self.deciding)]
        return found

    @property
    def helps(self) -> bool:
        """Whether the whole interval of the triplets' gain is above 0, with enough people for a judgement."""
        return not self.too_few and self.row("triplet").gain.low > 0

    def as_dict(self) -> dict[str, Any]:
        """Return the judgement as a dictionary for JSON."""
        return {**asdict(self), "too_few": self.too_few, "helps": self.helps}


def fpir_of(strangers: int) -> float:
    """Return the FPIR that a number of strangers can show: 1 %, or 10 % with fewer than a hundred."""
    return 0.01 if strangers >= 100 else 0.1


def judged(part: Part, descriptors: Descriptors, matrices: Mapping[str, Floats]) -> Judgement:
    """Compare projections with the base on the part's people. `matrices` has ``triplet`` and may have others."""
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
