"""The rates of a decision, overall, by tenths of commonness and by groups."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from facegroup.types import DecisionRule


@dataclass(frozen=True, slots=True)
class GroupRates:
    """What a decision does with a group: FPIR of its strangers and TPIR of its members, with the counts of both.

    The rates are means over the splits, NaN where there is nobody.
    """

    fpir: float
    tpir: float
    strangers: int
    members: int


@dataclass(frozen=True, slots=True)
class DecisionRates:
    """The rates of one decision at an overall FPIR of 1 %, means over the splits.

    Attributes:
        decision: its name.
        cohort: least number of people in the cohort of a split; 0 for ``cosine``.
        tpir: TPIR at each of `identification.FPIRS`.
        tenths: FPIR of each tenth of commonness, the least common first; empty with too few people.
        groups: rates of each group.
        refused: why the decision cannot be made; the rates are empty then.
    """

    decision: DecisionRule
    cohort: int = 0
    tpir: tuple[float, ...] = ()
    tenths: tuple[float, ...] = ()
    groups: Mapping[str, GroupRates] = field(default_factory=dict)
    refused: str | None = None
