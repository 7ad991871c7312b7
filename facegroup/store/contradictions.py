"""Which photos and counter-examples one person can have together."""

from collections.abc import Sequence

import numpy as np

from facegroup.errors import Contradiction, TooManyCounterExamples
from facegroup.types import Sample

MOST_COUNTERS = 100
"""How many counter-examples a person may have: every gallery process holds them, and compares with them."""

SAME_FACE = 0.999
"""From which cosine on two descriptors are of one face in one photo, encoded anew at most."""


def check_faces(added: Sequence[Sample], kept: Sequence[Sample]) -> None:
    """Check what a person would have after samples are `added` to those `kept`.

    Raises:
        Contradiction: a face that is added as the one is, or would be, the other; told by its descriptor, since the same
            face of the same photo has another id as a counter-example, and a photo can be sent in another file.
        TooManyCounterExamples: there would be too many.
    """
    new = [sample for sample in added if sample.counter]
    if new:
        check_count(len(new) + sum(sample.counter for sample in kept))
    if (new and contradicted(new, kept)) or contradicted([s for s in added if not s.counter], [*kept, *new]):
        raise Contradiction(
            "This face can't be both a photo of the person and a counter-example. Delete one of them first."
        )


def check_count(counters: int) -> None:
    """Raise `TooManyCounterExamples` where a person would have more than are kept of one."""
    if counters > MOST_COUNTERS:
        raise TooManyCounterExamples(f"A person can have at most {MOST_COUNTERS} counter-examples. Delete some first.")


def contradicted(samples: Sequence[Sample], kept: Sequence[Sample]) -> list[Sample]:
    """Return the samples whose face is kept as the other kind: as a counter-example, or as what one would contradict."""
    found = []
    for sample in samples:
        others = [each.descriptor for each in kept if each.counter is not sample.counter]
        if others and float((np.stack(others) @ sample.descriptor).max()) >= SAME_FACE:
            found.append(sample)
    return found
