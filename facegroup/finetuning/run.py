"""Learn a projection for a group and report whether it helps, without installing it."""

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
    """The result of fine-tuning.

    Attributes:
        learned: the projection learned by triplets.
        judgement: the results before and after, on unseen people.
        report: the complete report for JSON.
    """

    learned: Learned
    judgement: Judgement
    report: dict[str, Any]


def dimension_of(base: NetworkSpec, wanted: int | None) -> int:
    """Return the dimension of a projection: as wanted, or a quarter of the base's, at least 256 and at most the base's.

    The paper projects from 4096 to 1024. The outputs of networks with 256 dimensions or fewer come from such a layer
    already, so none can be spared (docs/decisions/0012-fine-tuning.md).

    Raises:
        MalformedRequest: the wanted dimension is out of range.
    """
    if wanted is None:
        return min(base.dimension, LARGEST, max(256, base.dimension // 4))
    most = min(base.dimension, LARGEST)
    if not SMALLEST <= wanted <= most:
        raise MalformedRequest(f"--dimension is {wanted}, but for {base.name} it must be {SMALLEST} to {most}.")
    return wanted


def finetuned(
    group: Group, dimension: int, seed: int, told: Callable[[str, int], None] = lambda what, epoch: None
) -> Finetuned:
    """Learn a projection by triplets, and one by softmax for comparison, and judge both on unseen people.

    Args:
        group: the group to learn from.
        dimension: dimension k of the projection.
        seed: random seed, also for the division of people.
        told: called with the method and the number of epochs done.

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
