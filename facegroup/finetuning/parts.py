"""Divide a group into three parts without common people: to learn from, to stop by, and to judge by."""

from dataclasses import dataclass

import numpy as np

from facegroup.errors import MalformedRequest
from facegroup.evaluation import bootstrap
from facegroup.evaluation.openset import Searches, searches, split
from facegroup.finetuning.group import Group
from facegroup.types import Descriptors

FEWEST = 6
"""Least number of people with two photos: two for each part, one of whom may be used as a stranger."""

MOST = 4000
"""Most people, and most strangers, that are used. More would take hours and improve little."""

PHOTOS = 20
"""Most photos of one person that are used."""

_SPLITS = 5


@dataclass(frozen=True, slots=True)
class Part:
    """Some people of a group.

    Attributes:
        people: the rows of each person, two or more.
        strangers: one row of each stranger.
    """

    people: tuple[tuple[int, ...], ...]
    strangers: tuple[int, ...]

    def searched(self, descriptors: Descriptors) -> list[Searches]:
        """Enrol one photo of each person and search with all others and the strangers, in several splits.

        Enrolling one photo is the hardest case, and includes everybody with two photos.
        """
        done = []
        for seed in range(_SPLITS):
            chosen = split(self.people, 1, seed)
            enrolled = descriptors[[rows[0] for rows in chosen.enrolled]].T
            mated, nonmated = (descriptors[list(rows)] @ enrolled for rows in (chosen.probes, self.strangers))
            done.append(searches(mated, chosen.owners, nonmated))
        return done

    def tpir(self, descriptors: Descriptors, fpir: float) -> float:
        """Return the mean TPIR over the splits at an FPIR."""
        return bootstrap.mean_tpir(self.searched(descriptors), fpir)


@dataclass(frozen=True, slots=True)
class Parts:
    """The three parts of a group. The strangers in `learn` only serve as negatives."""

    learn: Part
    stop: Part
    judge: Part


def divided(group: Group, seed: int) -> Parts:
    """Divide people and strangers by the seed: half to learn from, a fifth to stop by, the rest to judge by.

    If the parts to stop or judge by have fewer strangers than people, people with several photos become strangers.

    Raises:
        MalformedRequest: there are too few people with two photos.
    """
    if len(group.people) < FEWEST:
        raise MalformedRequest(
            f"There are {len(group.people)} people with two usable photos or more, and {len(group.singles)} with one. "
            f"At least {FEWEST} with two are needed to learn, and about a hundred to judge whether it helps."
        )
    draw = np.random.default_rng([seed, 0])
    people = [_some(group.people[place], draw) for place in draw.permutation(len(group.people))[:MOST]]
    singles = [group.singles[place] for place in draw.permutation(len(group.singles))[:MOST]]
    first = min(len(people) // 2, len(people) - 4)
    second = first + max(2, round(0.2 * len(people)))
    one, two = len(singles) // 2, round(0.7 * len(singles))
    return Parts(
        Part(tuple(people[:first]), tuple(singles[:one])),
        _with_strangers(people[first:second], singles[one:two]),
        _with_strangers(people[second:], singles[two:]),
    )


def _with_strangers(people: list[tuple[int, ...]], strangers: list[int]) -> Part:
    people, strangers = list(people), list(strangers)
    while len(people) > 1 and len(strangers) < len(people):
        strangers.append(people.pop()[0])
    return Part(tuple(people), tuple(strangers))


def _some(rows: tuple[int, ...], draw: np.random.Generator) -> tuple[int, ...]:
    if len(rows) <= PHOTOS:
        return rows
    return tuple(draw.choice(rows, PHOTOS, replace=False).tolist())
