"""A group goes in; a learned projection and the report on it come out. Installs nothing."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from facegroup.errors import MalformedRequest
from facegroup.finetuning.group import Group
from facegroup.finetuning.judging import Judgement, fpir_of, judged
from facegroup.finetuning.learning import MARGIN, Learned, Learner, Softmax, Triplets, best, start
from facegroup.finetuning.parts import Part, divided
from facegroup.networks.embedder import unit
from facegroup.networks.spec import NetworkSpec
from facegroup.types import Floats

LARGEST, SMALLEST = 1024, 32


@dataclass(frozen=True, slots=True, eq=False)
class Finetuned:
    """What came out.

    Attributes:
        learned: by triplets.
        judgement: before and after, on people it never saw.
        report: everything that is told, for JSON.
    """

    learned: Learned
    judgement: Judgement
    report: dict[str, Any]


def dimension_of(base: NetworkSpec, wanted: int | None) -> int:
    """Return the dimension of a projection: as wanted, or a quarter of the base's and at least 256, but never more than its.

    The paper goes from 4096 to 1024. Networks of 256 and fewer give what such a layer made already: of their numbers
    none is to spare (docs/decisions/0012-fine-tuning.md).

    Raises:
        MalformedRequest: it cannot be had.
    """
    if wanted is None:
        return min(base.dimension, LARGEST, max(256, base.dimension // 4))
    most = min(base.dimension, LARGEST)
    if not SMALLEST <= wanted <= most:
        raise MalformedRequest(f"--dimension is {wanted}; for {base.name} it is {SMALLEST} to {most}")
    return wanted


def finetuned(
    group: Group, dimension: int, seed: int, told: Callable[[str, int], None] = lambda what, epoch: None
) -> Finetuned:
    """Learn a projection by triplets, and one by softmax to compare with, and judge both on people they never saw.

    Args:
        group: whom to learn from.
        dimension: k.
        seed: of the division of people, and of all that is drawn.
        told: is called with what is learned and the number of epochs that are done.

    Raises:
        MalformedRequest: there are too few people.
        EngineUnavailable: keras or its backend is not installed.
    """
    began = time.monotonic()
    parts = divided(group, seed)
    rows = group.descriptors
    known, owners = _numbered(parts.learn.people)
    everybody = [*known, *parts.learn.strangers]
    numbers = np.concatenate([owners, len(parts.learn.people) + np.arange(len(parts.learn.strangers))])
    first = start(rows[everybody], dimension)
    by_triplets = Triplets(rows[everybody], numbers, first, seed)
    learners: dict[str, Learner] = {"triplet": by_triplets, "softmax": Softmax(rows[known], owners, first, seed)}
    deciding = fpir_of(len(parts.stop.strangers))

    def tpir(matrix: Floats) -> float:
        return parts.stop.tpir(unit(rows @ matrix.T), deciding)

    learned = {}
    for name, learner in learners.items():
        learned[name] = best(learner, tpir, lambda epoch, name=name: told(name, epoch))  # type: ignore[misc]
    judgement = judged(parts.judge, rows, {name: each.matrix for name, each in learned.items()})
    report = {
        "base": group.network,
        "dimension": dimension,
        "seed": seed,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {name: version(name) for name in ("facegroup", "keras", "numpy")} | {"backend": _backend()},
        "group": group.counts.as_dict(),
        "used": {name: _size(getattr(parts, name)) for name in ("learn", "stop", "judge")},
        "margin": {"share": MARGIN, "alpha": by_triplets.margin},
        "learning": {
            name: {"best_epoch": each.best, "epochs": [asdict(epoch) for epoch in each.epochs]}
            for name, each in learned.items()
        },
        "judgement": judgement.as_dict(),
        "seconds": round(time.monotonic() - began, 1),
    }
    return Finetuned(learned["triplet"], judgement, report)


def _numbered(people: tuple[tuple[int, ...], ...]) -> tuple[list[int], Any]:
    """Return all rows of some people, and the number of the person in each."""
    return [row for rows in people for row in rows], np.repeat(np.arange(len(people)), [len(rows) for rows in people])


def _size(part: Part) -> dict[str, int]:
    photos = sum(map(len, part.people))
    return {"people": len(part.people), "photos": photos, "strangers": len(part.strangers)}


def _backend() -> str:
    import keras

    return str(keras.backend.backend())
