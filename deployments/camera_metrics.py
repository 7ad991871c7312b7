"""Tells how all cameras are, as metrics, each under its id."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import fields

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from facegroup.cameras.types import Condition, Counts

_OUTCOMES = tuple(each.name for each in fields(Counts) if each.name != "opened")


def families(conditions: Mapping[str, Condition]) -> Iterable[Metric]:
    """Return the metrics of cameras by their ids."""

    def gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"facegroup_camera_{name}", text, labels=["camera", *labels])

    def counter(name: str, text: str, *labels: str) -> CounterMetricFamily:
        return CounterMetricFamily(f"facegroup_camera_{name}", text, labels=["camera", *labels])

    state = gauge("state", "1 under the state of the camera.", "state", "reason")
    frames = counter("frames", "Frames by what became of them; `late` and `damaged` are also `skipped`.", "frames")
    rate = gauge("source_fps", "Frames a second that the source sends.")
    age = gauge("newest_frame_age_seconds", "Time since the newest frame came.")
    restarts = counter("restarts", "Times that the camera's process was lost.")
    shed = counter("shed", "Frames dropped because the server was too busy.")
    noted = gauge("sighting_seconds", "95th percentile of the time from a frame to its event.")
    for camera, condition in conditions.items():
        status = condition.status
        state.add_metric([camera, status.state, status.reason or ""], 1)
        for name in _OUTCOMES:
            frames.add_metric([camera, name], getattr(status.counts, name))
        rate.add_metric([camera], status.source_fps)
        if status.frame_at is not None:
            age.add_metric([camera], max(0.0, time.time() - status.frame_at))
        restarts.add_metric([camera], condition.restarts)
        shed.add_metric([camera], condition.shed)
        if condition.noted is not None:
            noted.add_metric([camera], condition.noted[1])
    return [state, frames, rate, age, restarts, shed, noted]
