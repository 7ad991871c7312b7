"""Publish the counters of a process as Ray metrics. Ray adds deployment, replica and node."""

from collections.abc import Callable, Mapping

import numpy as np
from ray.serve import metrics

from facegroup.cameras.types import Condition
from facegroup.liveness.liveness import Liveness
from facegroup.pipeline.batcher import Fill
from facegroup.pipeline.messages import Photo

_COUNTERS = {
    "batches": "batches processed",
    "items": "items in those batches",
    "cost": "cost of those batches: faces in an embedder, elsewhere pixels as in `facegroup.pipeline.cost`",
    "shed": "items refused because the queue was full",
    "gone": "items skipped because their callers had left",
    "seconds": "seconds of work on batches; a stage near one per second is the bottleneck",
}


class Export:
    """Class that publishes the counters of a batcher each time it is called with them.

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
        """Publish the change since the last call."""
        self._waiting.set(fill.waiting)
        for name, counter in self._counters.items():
            now = float(getattr(fill, name))
            if now > self._published[name]:
                counter.inc(now - self._published[name])
                self._published[name] = now


def degraded_counter() -> Callable[[str], None]:
    """Return a function that counts, by reason, how often a gallery actor starts to answer degraded."""
    counter = metrics.Counter(
        "facegroup_gallery_degraded",
        description="times the store was found unavailable or with lost data",
        tag_keys=("reason",),
    )
    return lambda reason: counter.inc(tags={"reason": reason})


def liveness_counter() -> Callable[[Photo, Liveness], None]:
    """Return a function that counts the scored faces of a photo, by what was asked and what was found."""
    counter = metrics.Counter(
        "facegroup_liveness_faces",
        description="faces scored for liveness, by what asked (identify, verify, enrol, camera, other) and what was found",
        tag_keys=("asked", "found"),  # type: ignore[arg-type]  # Ray means any number of them
    )

    def count(photo: Photo, liveness: Liveness) -> None:
        live, small = int(liveness.live.sum()), int(np.isnan(liveness.scores).sum())
        found = {"live": live, "too_small": small, "not_live": len(liveness) - live - small}
        for name, faces in found.items():
            if faces:
                counter.inc(faces, {"asked": _asked(photo), "found": name})

    return count


def _asked(photo: Photo) -> str:
    if photo.background:
        return "camera"
    if photo.query is not None:
        return "identify" if photo.query.person_id is None else "verify"
    return "enrol" if photo.upright else "other"


_FRAMES = {
    "received": "frames received from a camera",
    "skipped": "frames that were not due, or replaced by newer ones",
    "late": "frames replaced by newer ones because the server was busy",
    "still": "frames without motion",
    "analysed": "frames that were analysed",
}


def export_cameras() -> Callable[[Mapping[str, Condition]], None]:
    """Return a function that publishes the condition of all cameras, each under its id."""

    def gauge(name: str, text: str) -> metrics.Gauge:
        return metrics.Gauge(f"facegroup_camera_{name}", description=text, tag_keys=("camera",))

    frames = {name: gauge(f"frames_{name}", text) for name, text in _FRAMES.items()}
    live = gauge("live", "1 if frames arrive and are used, else 0")
    restarts = gauge("restarts", "times that the camera's process was lost")
    shed = gauge("shed", "frames dropped because the server was too busy")
    noted = gauge("sighting_seconds", "95th percentile of the time from a frame to its event")

    published: set[str] = set()

    def publish(conditions: Mapping[str, Condition]) -> None:
        for camera in published - conditions.keys():  # removed or switched off; Ray would keep showing the last value
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
