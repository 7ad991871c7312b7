"""A million people, 2048 numbers each and 256: compact, since in full they would take 8 GB. Needs 6 GB and some minutes."""

from benchmarks.comparing import add, compared
from benchmarks.report import Options, Report, run


def measure(options: Options) -> Report:
    """Match in a gallery of a million."""
    report = Report("a million: descriptors in, decisions out")
    report.says.append(
        "made-up people (benchmarks/crowd.py); a process each; as many threads as cores; best of 5 rounds"
    )
    people = 20_000 if options.quick else 1_000_000
    bounds = {"wall 1": 15.0, "wall 32": 15.0, "recall": 0.995, "MB": 5_000.0, "change": 100.0}
    for dimension, index in ((2048, "compact"), (256, "compact"), (256, "exact")):
        add(report, people, dimension, index, compared(people, dimension, index), bounds if index == "compact" else {})
    return report


if __name__ == "__main__":
    run(measure)
