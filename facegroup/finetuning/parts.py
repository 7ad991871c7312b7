"""A group goes in; three parts without a person in common come out: to learn from, to stop by, and to judge by."""

from dataclasses import dataclass

import numpy as np

from facegroup.errors import MalformedRequest
from facegroup.evaluation import bootstrap
from facegroup.evaluation.openset import Searches, searches, split
from facegroup.finetuning.group import Group
from facegroup.types import Descriptors

FEWEST = 6
"""People with two photos that there must be: two for each part, one of whom may have to be a stranger."""

MOST = 4000
"""People of a part's kind that are used: more would take hours, and bring little."""

PHOTOS = 20
"""Photos of one person that are used."""

_SPLITS = 5


@dataclass(frozen=True, slots=True)
class Part:
    """Some people of a group.

    Attributes:
        people: the rows of each, two or more.
        strangers: a row of each stranger.
    """

    people: tuple[tuple[int, ...], ...]
    strangers: tuple[int, ...]

    def searched(self, descriptors: Descriptors) -> list[Searches]:
        """Enrol one photo of each person and search with all others and the strangers, so many times over.

        One photo is the hardest case, and everybody with two counts.
        """
        done = []
        for seed in range(_SPLITS):
            chosen = split(self.people, 1, seed)
            enrolled = descriptors[[rows[0] for rows in chosen.enrolled]].T
            mated, nonmated = (descriptors[list(rows)] @ enrolled for rows in (chosen.probes, self.strangers))
            done.append(searches(mated, chosen.owners, nonmated))
        return done

    def tpir(self, descriptors: Descriptors, fpir: float) -> float:
        """Return the TPIR at an FPIR, the mean over the splits."""
        return bootstrap.mean_tpir(self.searched(descriptors), fpir)


@dataclass(frozen=True, slots=True)
class Parts:
    """Who is used for what. In `learn`, `strangers` only push others away."""

    learn: Part
    stop: Part
    judge: Part


def divided(group: Group, seed: int) -> Parts:
    """Divide people by the seed: half to learn from, a fifth to stop by, the rest to judge by; strangers likewise.

    Where those to stop or judge by hold fewer strangers than people, people with several photos become strangers.

    Raises:
        MalformedRequest: there are too few people with two photos.
    """
    if len(group.people) < FEWEST:
        raise MalformedRequest(
            f"there are {len(group.people)} people with two usable photos or more, and {len(group.singles)} with one; "
            f"{FEWEST} with two are needed to learn anything, and some hundred to know whether it helps"
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
