"""Which people a face cannot be: similarities in, and counter-examples of people; out come those who are ruled out.

A person is ruled out for a face that is at least as near to one of their counter-examples as to their centroid: of the
two, what was said not to be the person explains it better. A face that was made a counter-example has cos 1 with itself, so
it never gets that name again; a person's own faces are nearer to the centroid than to a photo of somebody else. What it
costs was measured: docs/decisions/0013-counter-examples.md.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from facegroup.gallery.index.nearest import Nearest
from facegroup.types import Descriptors, Floats

Counters: TypeAlias = Mapping[str, Floats]
"""Of each person who has counter-examples, by id, these: (k, d) float32, rows of unit length."""

_ROUNDING = 1e-5  # of a product of d float32 numbers; so that a face which is both is ruled out, however it is summed


def ruled_out(probes: Descriptors, similarities: Floats, counters: Floats) -> NDArray[np.bool_]:
    """Return which of (n, d) probes cannot be one person.

    Args:
        probes: rows of unit length.
        similarities: (n,) to the person's centroid.
        counters: (k, d) the person's counter-examples; k may be 0.
    """
    return np.asarray((probes @ counters.T).max(axis=1, initial=-np.inf) >= similarities - _ROUNDING)


def excluded(found: Nearest, probes: Descriptors, counters: Counters) -> NDArray[np.bool_] | None:
    """Return (n, k) bool: which of the people nearest to each probe are ruled out; None where nobody can be."""
    guarded = [place for place, key in enumerate(found.ids) if key in counters]
    if not guarded:
        return None
    rows = [counters[found.ids[place]] for place in guarded]
    starts = np.cumsum([0, *(len(each) for each in rows[:-1])])
    nearest = np.maximum.reduceat(probes @ np.concatenate(rows).T, starts, axis=1)
    of: NDArray[Any] = np.full(len(found.ids), -1)
    of[guarded] = np.arange(len(guarded))
    which = of[found.people]
    to_counter = np.take_along_axis(nearest, np.maximum(which, 0), axis=1)
    return np.asarray((which >= 0) & (to_counter >= found.similarities - _ROUNDING))
