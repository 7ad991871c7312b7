"""Counters of a process → Ray's metrics, one set per kind of process; Ray adds deployment, replica and node."""

from collections.abc import Callable, Mapping

from ray.serve import metrics

from facegroup.cameras.types import Condition
from facegroup.pipeline.batcher import Fill

_COUNTERS = {
    "batches": "batches worked on",
    "items": "items in those batches",
    "cost": "cost of those batches: faces in an embedder, pixels as `facegroup.pipeline.cost` counts them elsewhere",
    "shed": "items refused because the queue was full",
    "gone": "items skipped because nobody waited for them any more",
    "seconds": "seconds of work on batches: near one each second, the stage is the slowest",
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


_FRAMES = {
    "received": "frames that a camera gave",
    "skipped": "frames that were not due, or were overtaken by newer ones",
    "late": "frames that were overtaken by newer ones since the server was busy",
    "still": "frames in which nothing moved",
    "analysed": "frames that were analysed",
}


def export_cameras() -> Callable[[Mapping[str, Condition]], None]:
    """Return what publishes the condition of all cameras, each under its id."""

    def gauge(name: str, text: str) -> metrics.Gauge:
        return metrics.Gauge(f"facegroup_camera_{name}", description=text, tag_keys=("camera",))

    frames = {name: gauge(f"frames_{name}", text) for name, text in _FRAMES.items()}
    live = gauge("live", "1 where frames come and are used, else 0")
    restarts = gauge("restarts", "times that the camera's process was lost")
    shed = gauge("shed", "frames that the server was too busy for")
    noted = gauge("sighting_seconds", "from the frame to the event that it led to: 95 % were faster")

    published: set[str] = set()

    def publish(conditions: Mapping[str, Condition]) -> None:
        for camera in published - conditions.keys():  # removed or switched off; Ray goes on showing what it has
            live.set(0, {"camera": camera})
        published.clear()
        published.update(conditions)
        for camera, condition in conditions.items():
            tags = {"camera": camera}
            for name, each in frames.items():
                each.set(getattr(condition.status.counts, name), tags)
            live.set(condition.status.state == "live", tags)
            restarts.set(condition.restarts, tags)
            shed.set(condition.shed, tags)
            if condition.noted is not None:
                noted.set(condition.noted[1], tags)

    return publish
