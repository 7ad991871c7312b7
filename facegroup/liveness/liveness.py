"""How live the faces of one photo are (`Liveness`), in the terms of ISO/IEC 30107-3: a face is live, or an attack."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import FaceTooSmall, NotLive
from facegroup.types import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Liveness:
    """The liveness of n faces.

    Attributes:
        scores: (n,) float32 in 0..1, the greater the more like a live face; NaN for a face too small to be scored.
        live: (n,) whether the score exceeds the threshold; a face without a score is not live.
    """

    scores: Floats
    live: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: slice | Sequence[int] | NDArray[Any]) -> Self:
        return type(self)(self.scores[index], self.live[index])

    @classmethod
    def judged(cls, scores: Floats, threshold: float) -> Self:
        """Return the liveness of faces with these scores."""
        return cls(scores, np.asarray(scores > threshold))

    @property
    def reasons(self) -> tuple[str, ...]:
        """The distinct codes of why faces are not live; empty if all are."""
        return tuple(dict.fromkeys(code for score in self.scores[~self.live].tolist() for code in reasons(score)))

    def score(self, face: int) -> float | None:
        """Return the score of one face, None if it has none."""
        score = float(self.scores[face])
        return None if np.isnan(score) else score


def reasons(score: float) -> tuple[str, ...]:
    """Return the code of why a face that is not live is not: without a score (NaN), it is too small for one."""
    return (FaceTooSmall.code if np.isnan(score) else NotLive.code,)
