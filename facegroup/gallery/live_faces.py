"""Let only live faces be named or accepted, where the gallery's policy or the query asks for that."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import LivenessUnavailable
from facegroup.liveness.liveness import reasons
from facegroup.pipeline.messages import Query
from facegroup.types import NOT_LIVE, Floats, LivenessPolicy, Match

Decide: TypeAlias = Callable[[NDArray[np.intp], Floats | None], list[Match]]
"""Decides on some faces: given their rows, and the quality of each where it is known."""


def live_above(query: Query, policy: LivenessPolicy, scores: Floats | None, threshold: float | None) -> float | None:
    """Return the score that the faces of a query must exceed to be live; None: they need not be.

    Args:
        query: the query, which may override the policy.
        policy: of the gallery.
        scores: how live the faces are; None: nothing is known of them, as of descriptors that a caller brings.
        threshold: of the server; None: it does not tell whether a face is live.

    Raises:
        LivenessUnavailable: they must be, and nobody can tell. Nothing passes unchecked.
    """
    if not (policy in ("probe", "both") if query.liveness is None else query.liveness):
        return None
    if threshold is None:
        raise LivenessUnavailable.of(query.gallery)
    if scores is None:
        raise LivenessUnavailable(
            f"Gallery {query.gallery} or the request requires live faces, and descriptors have no liveness score. "
            "Send photos, or liveness=false."
        )
    return threshold


def match_live(match: Decide, scores: Floats, threshold: float, similarity: float) -> Decide:
    """Return a function that decides as `match` does, on live faces only; every other one is `NOT_LIVE`.

    Such a face has no candidate, and takes nobody's name from another face of its photo.

    Args:
        match: decides on live faces.
        scores: (n,) float32: how live each of all faces is, NaN if it has no score.
        threshold: a score must exceed this.
        similarity: what the answers say that a similarity must exceed.
    """

    def decide(rows: NDArray[np.intp], quality: Floats | None) -> list[Match]:
        live = scores[rows] > threshold
        matched = iter(match(rows[live], None if quality is None else quality[live]))
        return [
            next(matched) if fit else Match(None, NOT_LIVE, -1.0, similarity, None, reasons=reasons(score))
            for fit, score in zip(live.tolist(), scores[rows].tolist(), strict=True)
        ]

    return decide


def verify_live(matches: Sequence[Match], scores: Floats, threshold: float) -> list[Match]:
    """Return verifications in which only a live face is accepted. The similarity of another one stays in its answer."""
    return [
        match if score > threshold else replace(match, person_id=None, name=NOT_LIVE, reasons=reasons(score))
        for match, score in zip(matches, scores.tolist(), strict=True)
    ]
