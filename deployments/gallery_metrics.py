"""Tells which galleries a process holds, as metrics."""

from collections.abc import Iterable, Sequence

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from facegroup.gallery.snapshot import Snapshot

_MOST = 50
"""Galleries that are told one by one, the largest. Each has two series of each gallery process."""


def families(held: Sequence[Snapshot], damaged: int) -> Iterable[Metric]:
    """Return the metrics of the galleries that are held in memory, and of damaged values in the store."""
    people = GaugeMetricFamily("facegroup_gallery_people", "People of a gallery.", labels=["gallery"])
    version = GaugeMetricFamily(
        "facegroup_gallery_version", "Version of a gallery that this process matched last.", labels=["gallery"]
    )
    for each in sorted(held, key=len, reverse=True)[:_MOST]:
        people.add_metric([each.gallery], len(each))
        version.add_metric([each.gallery], each.version)
    galleries = GaugeMetricFamily("facegroup_galleries_held", "Galleries in this process's memory.", len(held))
    broken = GaugeMetricFamily("facegroup_gallery_damaged", "Damaged values that are skipped.", damaged)
    return [people, version, galleries, broken]
