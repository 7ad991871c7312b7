"""Measure a gallery of a million people, of 2048 and of 256 dimensions: in memory, and loaded from each store.

The compact index is used, since the exact one would take 8 GB. It needs many minutes, 6 GB, and for the stores 19 GB of disk
and 17 GB of memory. A store without enough is left out and reported.
"""

from benchmarks.comparing import add, compared
from benchmarks.gallery import loaded
from benchmarks.report import Options, Report, cores, run
from facegroup.gallery.index.plan import Plan
from facegroup.settings import Matcher


def measure(options: Options) -> Report:
    """Match in a gallery of a million; load one from each store, and enrol."""
    report = Report("a million: descriptors in, decisions out")
    report.says.append(
        "made-up people (benchmarks/crowd.py); a process each; as many threads as cores; best of 5 rounds or "
        "1.5 s of them; stores: once, the way that `auto` chooses"
    )
    people = 20_000 if options.quick else 1_000_000
    bounds = {"wall 1": 15.0, "wall 32": 15.0, "recall": 0.995, "MB": 5_000.0, "change": 100.0}
    for dimension, index in ((2048, "compact"), (256, "compact"), (256, "exact")):
        add(report, people, dimension, index, compared(people, dimension, index), bounds if index == "compact" else {})
    settings = Matcher(threads=cores(), exact_mb=10) if options.quick else Matcher(threads=cores())
    for dimension in (2048, 256):
        loaded(report, people, dimension, Plan.of(settings), most=None)
    return report


if __name__ == "__main__":
    run(measure)
