"""Counts what a process does, and merges what all processes count, in Prometheus' conventions.

Each process has one `Counters`. The ingress that answers `/metrics` asks all processes, so that a scrape is of the whole
server, whichever machine answers it. What other objects know, such as a batcher's queue, is read when it is asked for.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ray
import ray.serve
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from ray.serve.exceptions import RayServeException

from deployments.calls import Handle
from facegroup.pipeline.batcher import Fill

Families = list[Metric]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
"""Upper bounds of the histograms of times."""

_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_FILL = {
    "shed": "Items that were refused because the queue was full.",
    "gone": "Items that were skipped because their callers had left.",
    "cost": "Cost of the items in batches: faces in an embedder, elsewhere pixels of detection.",
    "seconds": "Seconds of work on batches. The stage whose rate is nearest to 1 is the bottleneck.",
}
_NAMES = {"seconds": "facegroup_work_seconds"}


class Counters:
    """What one process counts.

    Attributes:
        registry: where metrics are made.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector("facegroup", registry=self.registry)
        self._stages = Histogram(
            "facegroup_stage_seconds",
            "Time in a stage: of an item in a queue (`queue`), of a photo (`decode`, `align`), of a batch (`detect`, "
            "`embed`, `match`), of a call to the store (`store`).",
            ["stage"],
            registry=self.registry,
            buckets=SECONDS,
        )
        self._sizes = Histogram(
            "facegroup_batch_items", "Items in a batch.", ["queue"], registry=self.registry, buckets=_ITEMS
        )
        self._queues: dict[str, Fill] = {}
        self.registry.register(_Read(self._read_queues))

    def observe(self, stage: str, seconds: float) -> None:
        """Note how long a stage took. Any thread may call this."""
        self._stages.labels(stage).observe(seconds)

    def batches(self, queue: str) -> Callable[[Sequence[float]], None]:
        """Return the `observe` of the batcher of a queue; give its `fill` to `queue` too."""
        sizes, waits = self._sizes.labels(queue), self._stages.labels("queue")

        def observe(waited: Sequence[float]) -> None:
            sizes.observe(len(waited))
            for seconds in waited:
                waits.observe(seconds)

        return observe

    def queue(self, name: str, fill: Fill) -> None:
        """Tell what a batcher counts, under the name of its queue."""
        self._queues[name] = fill

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Return a new counter of this process."""
        return Counter(f"facegroup_{name}", text, labels, registry=self.registry)

    def info(self, **about: str) -> None:
        """Tell what runs in this process, as the labels of a gauge that is 1."""
        Gauge("facegroup_info", "What runs in this process.", list(about), registry=self.registry).labels(**about).set(
            1
        )

    def read(self, families: Callable[[], Iterable[Metric]]) -> None:
        """Read more metrics each time that they are asked for."""
        self.registry.register(_Read(families))

    def collect(self) -> Families:
        """Return all metrics of this process, each with the labels `process`, `replica` and `node`."""
        context = ray.serve.get_replica_context()
        of = {
            "process": process_name(context.deployment),
            "replica": context.replica_id.unique_id,
            "node": ray.util.get_node_ip_address(),  # type: ignore[no-untyped-call]
        }
        families = list(self.registry.collect())
        for family in families:
            family.samples = [
                each._replace(labels={**of, **each.labels})
                for each in family.samples
                if not each.name.endswith("_created")
            ]
        return families

    def _read_queues(self) -> Iterable[Metric]:
        waiting = GaugeMetricFamily("facegroup_waiting", "Items that wait now.", labels=["queue"])
        counts = {
            name: CounterMetricFamily(_NAMES.get(name, f"facegroup_{name}"), text, labels=["queue"])
            for name, text in _FILL.items()
        }
        for queue, fill in self._queues.items():
            waiting.add_metric([queue], fill.waiting)
            for name, family in counts.items():
                family.add_metric([queue], getattr(fill, name))
        return [waiting, *counts.values()]


def process_name(deployment: str) -> str:
    """Return the label `process` of a deployment: `ingress`, `detector`, `embedder`, `gallery` or `cameras`."""
    return deployment.lower().removesuffix("actor")


class _Read(Collector):
    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Read them now."""
        return self._families()


async def gathered(stages: Mapping[str, Handle], seconds: float) -> str:
    """Return the metrics of all processes in Prometheus' text format.

    Args:
        stages: the deployments by name. Each replica is asked for `metrics`.
        seconds: how long to wait. Replicas that are silent for longer are left out and counted.
    """
    asked = await asyncio.gather(*(_of(handle, seconds) for handle in stages.values()))
    there = GaugeMetricFamily("facegroup_processes", "Processes that told their metrics.", labels=["process"])
    silent = GaugeMetricFamily(
        "facegroup_silent_processes", "Processes that did not tell their metrics in time.", labels=["process"]
    )
    merged: dict[str, Metric] = {each.name: each for each in (there, silent)}
    for name, (answers, missing) in zip(stages, asked, strict=True):
        there.add_metric([process_name(name)], len(answers))
        silent.add_metric([process_name(name)], missing)
        for family in (family for families in answers for family in families):
            known = merged.setdefault(family.name, family)
            if known is not family:
                known.samples.extend(family.samples)
    return generate_latest(_Merged(merged.values())).decode()


async def _of(handle: Handle, seconds: float) -> tuple[list[Families], int]:
    """Return the answers of a deployment's replicas, and how many did not answer."""
    try:
        async with asyncio.timeout(seconds):
            # Of `results_async` one silent replica would take the answers of all others away.
            results: list[Any] = await handle.broadcast("metrics")._fetch_replica_results_async()
    except (TimeoutError, RayServeException):  # it has no replica, as the cameras' where there is no camera
        return [], 0
    done, late = await asyncio.wait([asyncio.ensure_future(each.get_async()) for each in results], timeout=seconds)
    for each in late:
        each.cancel()
    answers = [each.result() for each in done if each.exception() is None]
    return answers, len(results) - len(answers)


class _Merged(CollectorRegistry):
    def __init__(self, families: Iterable[Metric]) -> None:
        super().__init__()
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return what was gathered."""
        return self._families
