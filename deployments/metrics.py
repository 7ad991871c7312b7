"""Counters of a process → Ray's metrics, one set per kind of process; Ray adds deployment, replica and node."""

from collections.abc import Callable

from ray.serve import metrics

from facegroup.batching import Fill

_COUNTERS = {
    "batches": "batches worked on",
    "items": "items in those batches",
    "cost": "cost of those batches: faces in an embedder, photos elsewhere",
    "shed": "items refused because the queue was full",
    "gone": "items skipped because nobody waited for them any more",
}


class Export:
    """Publishes what a batcher counts. Call it with the counters; it knows what it has published.

    Args:
        stage: first word of the metrics' names, after ``facegroup``.
    """

    def __init__(self, stage: str) -> None:
        self._waiting = metrics.Gauge(f"facegroup_{stage}_waiting", description="items waiting now")
        self._counters = {
            name: metrics.Counter(f"facegroup_{stage}_{name}", description=text) for name, text in _COUNTERS.items()
        }
        self._published = dict.fromkeys(_COUNTERS, 0.0)

    def __call__(self, fill: Fill) -> None:
        """Publish what has come since the last call."""
        self._waiting.set(fill.waiting)
        for name, counter in self._counters.items():
            now = float(getattr(fill, name))
            if now > self._published[name]:
                counter.inc(now - self._published[name])
                self._published[name] = now


def degraded_counter() -> Callable[[str], None]:
    """Return what counts, by reason, how often a gallery actor found that its answers are degraded."""
    counter = metrics.Counter(
        "facegroup_gallery_degraded", description="times the store was found away or gone back", tag_keys=("reason",)
    )
    return lambda reason: counter.inc(tags={"reason": reason})
