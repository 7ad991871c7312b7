"""Draw the pictures for docs/, only with `--plots`."""

from pathlib import Path
from typing import Any

from benchmarks.phase import Phase

_OURS = ("detector", "embedder", "ingress", "gallery", "launcher")


def serving(folder: Path, phases: dict[int, Phase], memory_mb: dict[str, float]) -> None:
    """Draw speed, latency, stage times, batches, CPU time and memory, over the number of clients."""
    figure, axes = _axes(2, 3, height=6.4)
    speed, latency, times, batches, work, memory = axes
    clients = list(phases)
    speed.plot(clients, [phase.result.rate for phase in phases.values()], "o-")
    speed.set(title="images/s", ylim=(0, None))
    for part in (50, 95, 99):
        latency.plot(clients, [phase.result.percentile(part) for phase in phases.values()], "o-", label=f"p{part}")
    latency.set(title="latency, ms", yscale="log")
    latency.yaxis.set_major_formatter("{x:,.0f}")
    for stage in ("detector", "embedder"):
        times.plot(clients, [1e3 * phase.busy.get(stage, 0) for phase in phases.values()], "o-", label=stage)
    times.set(title="a batch, ms", ylim=(0, None))
    for stage, unit in (("ingress", "photos"), ("detector", "photos"), ("embedder", "faces")):
        fill = [phase.fill.get(stage, 0) for phase in phases.values()]
        batches.plot(clients, fill, "o-", label=f"{stage}: {unit}")
    batches.set(title="in a batch", ylim=(0, None))
    for each in axes[:4]:
        each.set(xlabel="clients", xscale="log")
    _ticks(clients, *axes[:4])
    shares = {str(count): phase.cpu_ms for count, phase in phases.items()}
    work.set(xlabel="clients", title="CPU time of an image, ms")
    _stacked(work, shares)
    memory.set(title="memory, MB")
    _stacked(memory, {"": memory_mb})
    for each in axes[1:4]:
        each.legend(fontsize=7)
    _write(figure, folder / "serving.svg")


def pipeline(folder: Path, systems: dict[str, tuple[float, float, float]]) -> None:
    """Draw images a second, CPU seconds an image and peak MB of each system, the fastest first."""
    figure, axes = _axes(1, 3, height=4)
    names = sorted(systems, key=lambda name: systems[name][0])
    for place, (each, title) in enumerate(
        zip(axes, ("images/s", "CPU time of an image, s", "memory, MB"), strict=True)
    ):
        bars = each.barh(names, [systems[name][place] for name in names])
        each.bar_label(bars, fmt="{:.3g}" if place < 2 else "{:,.0f}", fontsize=7, padding=2)
        each.set(title=title)
        each.margins(x=0.2)
        each.tick_params(labelsize=7, labelleft=place == 0)
    _write(figure, folder / "pipeline.svg")


def scaling(folder: Path, curves: dict[str, dict[int, float]], ideal: dict[int, float]) -> None:
    """Draw images a second over the number of replicas, measured and as many as the devices could do."""
    figure, (axes,) = _axes(1, 1, height=3.6, width=7)
    axes.plot(list(ideal), list(ideal.values()), "--", color="grey", label="what the simulated devices can do")
    for name, curve in curves.items():
        axes.plot(list(curve), list(curve.values()), "o-", label=name)
    axes.set(xlabel="detector and embedder replicas", ylabel="images/s", xscale="log", yscale="log")
    _ticks(list(ideal), axes)
    steps = [step for step in (50, 100, 200, 500, 1000, 2000, 5000) if step <= max(ideal.values())]
    axes.set_yticks(steps, [f"{step:,}" for step in steps])
    axes.legend()
    _write(figure, folder / "scaling.svg")


def _axes(rows: int, columns: int, *, height: float, width: float = 10) -> tuple[Any, list[Any]]:
    import matplotlib as mpl

    mpl.use("agg")
    mpl.rcParams["svg.hashsalt"] = "facegroup"  # the same picture is the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(rows, columns, figsize=(width, height), layout="constrained", squeeze=False)
    for each in axes.flat:
        each.grid(alpha=0.3)
    return figure, list(axes.flat)


def _stacked(axes: Any, columns: dict[str, dict[str, float]]) -> None:
    """Draw a column for each name: the processes of ours, and all others added up."""
    layers = {kind: [parts.get(kind, 0.0) for parts in columns.values()] for kind in _OURS}
    ours = [sum(heights) for heights in zip(*layers.values(), strict=True)]
    everything = [sum(parts.values()) for parts in columns.values()]
    layers["Ray, Serve, HAProxy"] = [total - mine for total, mine in zip(everything, ours, strict=True)]
    bottom = [0.0] * len(columns)
    for kind, heights in layers.items():
        axes.bar(list(columns), heights, 0.6, bottom, label=kind)
        bottom = [below + height for below, height in zip(bottom, heights, strict=True)]
    axes.margins(x=0.3)
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1), reverse=True)


def _ticks(places: list[int], *axes: Any) -> None:
    for each in axes:
        each.set_xticks(places, [str(place) for place in places])
        each.minorticks_off()


def _write(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
