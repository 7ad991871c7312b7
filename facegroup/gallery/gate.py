"""Faces with their grades in, decisions out: those too poor for the policy are nobody's, and the others are matched.

A poor face is answered `poor_quality` without a candidate, and takes nobody's name from a better face of its photo.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from facegroup.pipeline import quality_policies
from facegroup.types import POOR_QUALITY, Floats, Match, Policy


def pass_on(
    graded: Floats,
    policy: Policy,
    threshold: float,
    match: Callable[[NDArray[np.intp], Floats], list[Match]],
) -> list[Match]:
    """Return a match for each of n faces.

    Args:
        graded: (n, …) float32, as `policies.grades` makes them.
        policy: that a face must meet.
        threshold: what the answers say it was.
        match: decides on those that meet it: given their rows, and the quality of each, of which the greater wins
            where two faces are equally similar to a person.
    """
    fine = quality_policies.meets(graded, policy)
    rows = np.flatnonzero(fine)
    matched = iter(match(rows, graded[rows].min(axis=1)))
    return [
        next(matched)
        if fit
        else Match(None, POOR_QUALITY, -1.0, threshold, None, reasons=quality_policies.reasons(row, policy))
        for fit, row in zip(fine.tolist(), graded, strict=True)
    ]
