"""Templates of a person: functions from the embeddings of some photos to the similarities of probes.

`studies.comparison` compares them; docs/decisions/0008-templates.md says which one finds most people at an equal rate of
false alarms.
"""

from collections.abc import Callable, Sequence

import numpy as np

from facegroup.networks.embedder import unit, unit_mean
from facegroup.types import Descriptors, Floats

Enrolled = Sequence[Floats]
"""For each person the raw embeddings of the enrolled photos, (k, d) float32."""

Template = Callable[[Enrolled, Descriptors], Floats]
"""Function from people and (p, d) probes of unit length to (p, people) similarities."""


def raw_mean(rows: Floats) -> Floats:
    """Return the mean of the raw embeddings, as in the course work; long ones weigh more."""
    return unit_mean(rows)


def mean(rows: Floats) -> Floats:
    """Return the mean of the unit descriptors divided by its norm: the spherical mean, as `store.vectors.centroid`."""
    return raw_mean(unit(rows))


def rejecting(limit: float) -> Callable[[Floats], Floats]:
    """Return a template with the mean of the unit descriptors without outliers.

    While the sample that is least similar to the mean of the others kept is below `limit`, it is dropped, but never
    half of the samples or more: if two disagree, it is not known which one is wrong.
    """

    def template(rows: Floats) -> Floats:
        kept = unit(rows)
        while len(kept) - 1 > len(rows) / 2:
            own = (kept * unit(kept.sum(axis=0) - kept)).sum(axis=1)
            if own.min() >= limit:
                break
            kept = np.delete(kept, int(own.argmin()), axis=0)
        return raw_mean(kept)

    return template


def median(rows: Floats) -> Floats:
    """Return the geometric median of the unit descriptors, by Weiszfeld: a distant sample pulls no more than a near one."""
    samples = unit(rows).astype(np.float64)
    found = samples.mean(axis=0)
    for _ in range(50):
        weights = 1 / np.maximum(np.linalg.norm(samples - found, axis=1, keepdims=True), 1e-4)
        found = (weights * samples).sum(axis=0) / weights.sum()
    return unit_mean(np.asarray(found[None], np.float32))


def frigate(rows: Floats) -> Floats:
    """Return Frigate's template (source of 2026-07): the mean without outliers, trimmed in each dimension.

    Samples below cos 0.30 to the mean are dropped, at least 70 % kept; of what is left each number is the mean without
    the 15 % greatest and least, which are none below seven samples.
    """
    every = kept = unit(rows)
    for _ in range(3):
        far = np.argsort(kept @ raw_mean(kept))
        least = int(np.ceil(0.7 * len(every)))
        going = [row for row in far[: max(0, len(kept) - least)] if kept[row] @ raw_mean(kept) < 0.30]
        if not going:
            break
        kept = np.delete(kept, going, axis=0)
    cut = int(0.15 * len(kept))
    ordered = np.sort(kept, axis=0)
    return raw_mean(ordered[cut : len(ordered) - cut])


def of_one(template: Callable[[Floats], Floats]) -> Template:
    """Return a template that compares with one descriptor per person."""

    def score(enrolled: Enrolled, probes: Descriptors) -> Floats:
        return np.asarray(probes @ np.stack([template(rows) for rows in enrolled]).T, np.float32)

    return score


def best(enrolled: Enrolled, probes: Descriptors) -> Floats:
    """Return the greatest similarity to any of a person's photos."""
    return np.stack([(probes @ unit(rows).T).max(axis=1) for rows in enrolled], axis=1)


def fused(enrolled: Enrolled, probes: Descriptors) -> Floats:
    """Return the mean of the similarities of `mean` and `best`."""
    return (of_one(mean)(enrolled, probes) + best(enrolled, probes)) / np.float32(2)


def templates(threshold: float) -> dict[str, Template]:
    """Return what is compared, for a network of this threshold; today's, the baseline, is `mean`.

    Outliers are rejected at the threshold and at 1.5 times its distance: for 0.4 that is 0.1, for 0.94 it is 0.91.
    """
    return {
        "raw mean": of_one(raw_mean),
        "mean": of_one(mean),
        "rejecting": of_one(rejecting(threshold)),
        "rejecting at 1.5": of_one(rejecting(1 - 1.5 * (1 - threshold))),
        "median": of_one(median),
        "frigate": of_one(frigate),
        "best": best,
        "mean + best": fused,
    }
