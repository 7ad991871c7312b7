"""The pictures of docs/: drawn only where `--plots` says so."""

from pathlib import Path
from typing import Any

from benchmarks.load import Result

_WIDE = (7, 3.6)


def serving(folder: Path, results: dict[int, Result]) -> None:
    """Draw throughput and latency over the number of clients."""
    figure, (left, right) = _axes(2)
    clients = list(results)
    left.plot(clients, [result.rate for result in results.values()], "o-")
    left.set(xlabel="clients", ylabel="images/s", xscale="log", ylim=(0, None))
    for part in (50, 95, 99):
        right.plot(clients, [result.percentile(part) for result in results.values()], "o-", label=f"p{part}")
    right.set(xlabel="clients", ylabel="ms", xscale="log", yscale="log")
    right.legend()
    _ticks(clients, left, right)
    right.yaxis.set_major_formatter("{x:,.0f}")
    _write(figure, folder / "serving.svg")


def scaling(folder: Path, curves: dict[str, dict[int, float]], ideal: dict[int, float]) -> None:
    """Draw images a second over the number of replicas, measured and as many as the devices could do."""
    figure, (axes,) = _axes(1)
    axes.plot(list(ideal), list(ideal.values()), "--", color="grey", label="what the simulated devices can do")
    for name, curve in curves.items():
        axes.plot(list(curve), list(curve.values()), "o-", label=name)
    axes.set(xlabel="detector and embedder replicas", ylabel="images/s", xscale="log", yscale="log")
    _ticks(list(ideal), axes)
    steps = [step for step in (50, 100, 200, 500, 1000, 2000, 5000) if step <= max(ideal.values())]
    axes.set_yticks(steps, [f"{step:,}" for step in steps])
    axes.legend()
    _write(figure, folder / "scaling.svg")


def _axes(count: int) -> tuple[Any, list[Any]]:
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "facegroup"  # the same picture is the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, count, figsize=_WIDE, layout="constrained", squeeze=False)
    for each in axes[0]:
        each.grid(alpha=0.3)
    return figure, list(axes[0])


def _ticks(places: list[int], *axes: Any) -> None:
    for each in axes:
        each.set_xticks(places, [str(place) for place in places])
        each.minorticks_off()


def _write(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
