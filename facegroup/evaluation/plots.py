"""Draw curves and histograms as SVG that can be embedded in a page, without references to the outside."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

Numbers = NDArray[np.floating[Any]]

COLOURS = ("#1f6fb5", "#d1631d", "#2e8b57", "#8e44ad", "#b03a48", "#607080", "#a58a00", "#0f8b8d")
_LOOK = {
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#8a94a0",
    "axes.grid": True,
    "grid.color": "#e3e8ee",
    "axes.axisbelow": True,
    "legend.frameon": False,
}


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A curve: x and y, and optionally the band of its interval."""

    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None


def roc(curves: Mapping[str, Line]) -> str:
    """Return a ROC plot, with false accepts on a logarithmic axis."""
    with mpl.rc_context(_LOOK):
        figure, axes = _axes("false accept rate (FAR)", "true accept rate (TAR)")
        least = 1.0
        for colour, (name, line) in zip(_colours(curves), curves.items(), strict=True):
            shown = line.x > 0
            least = min(least, line.x[shown].min(initial=1))
            _draw(axes, Line(line.x[shown], line.y[shown]), name, colour, step=True)
        axes.set_xscale("log")
        axes.set_xlim(min(least, 1e-2), 1)
        missed = 1 - min(float(line.y[line.x > 0].min(initial=1)) for line in curves.values())
        axes.set_ylim(1 - max(1.4 * missed, 0.01), 1 + max(0.04 * missed, 0.0005))
        _percent(axes, "xy")
        axes.legend(loc="lower right")
        return _svg(figure, "roc")


def det(curves: Mapping[str, Line]) -> str:
    """Return a DET plot (ISO/IEC 19795-1): false positives against false negatives, both on logarithmic axes."""
    with mpl.rc_context(_LOOK):
        figure, axes = _axes("false-positive identification rate (FPIR)", "false-negative identification rate (FNIR)")
        floor = 1e-3
        for colour, (name, line) in zip(_colours(curves), curves.items(), strict=True):
            bounded = [None if each is None else np.maximum(each, floor) for each in (line.y, line.low, line.high)]
            _draw(axes, Line(line.x, bounded[0], bounded[1], bounded[2]), name, colour)  # type: ignore[arg-type]
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(floor, 1)
        _percent(axes, "xy")
        axes.legend(loc="upper right")
        return _svg(figure, "det")


def recall_precision(curves: Mapping[str, Line], key: str) -> str:
    """Return a plot of precision over recall."""
    with mpl.rc_context(_LOOK):
        figure, axes = _axes("recall: share of the faces found", "precision: share of the boxes that are right")
        for colour, (name, line) in zip(_colours(curves), curves.items(), strict=True):
            _draw(axes, line, name, colour, step=True)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        _percent(axes, "xy")
        axes.legend(loc="lower left")
        return _svg(figure, key)


def histograms(genuine: Numbers, impostor: Numbers, threshold: float | None, names: tuple[str, str], key: str) -> str:
    """Return histograms of the scores of two kinds of comparison, with the threshold."""
    with mpl.rc_context(_LOOK):
        figure, axes = _axes("similarity (cos θ)", "share of the comparisons")
        both = np.concatenate([genuine, impostor, np.zeros(0 if len(genuine) + len(impostor) else 1)])
        edges = np.linspace(both.min(), both.max(), 61) if np.ptp(both) > 0 else np.linspace(-1, 1, 61)
        for scores, name, colour in ((impostor, names[1], COLOURS[1]), (genuine, names[0], COLOURS[0])):
            weights = np.full(len(scores), 1 / max(1, len(scores)))
            axes.hist(scores, edges, weights=weights, color=colour, alpha=0.55, label=f"{name} ({len(scores):,})")
        if threshold is not None and np.isfinite(threshold):
            axes.axvline(threshold, color="#1c2430", linestyle="--", linewidth=1.2, label=f"{threshold:.3f}")
        _percent(axes, "y")
        figure.legend(loc="outside upper left", ncols=2, handlelength=1.2, columnspacing=1.2)
        return _svg(figure, key)


def bars(rows: Mapping[str, Mapping[str, int]], key: str) -> str:
    """Return a stacked bar for each row with the counts of its outcomes."""
    with mpl.rc_context(_LOOK):
        figure = Figure((9.0, 1.1 + 0.5 * len(rows)), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        axes.grid(axis="y", visible=False)
        left = np.zeros(len(rows))
        labels = list(rows)[::-1]
        shades = ("#2e8b57", "#8fc7a6", "#e0b64c", "#d1631d", "#a3182c", "#9aa5b1", "#607080")
        for shade, outcome in zip(shades, next(iter(rows.values())), strict=False):
            counts = np.array([rows[label][outcome] for label in labels])
            axes.barh(labels, counts, left=left, color=shade, label=outcome)
            for place, (count, start) in enumerate(zip(counts.tolist(), left.tolist(), strict=True)):
                if count:
                    axes.text(start + count / 2, place, str(count), ha="center", va="center", fontsize=9)
            left += counts
        axes.set_xlabel("faces")
        figure.legend(loc="outside upper center", ncols=4, fontsize=9)
        return _svg(figure, key)


def _axes(x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure((5.2, 3.9), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _draw(axes: Any, line: Line, name: str, colour: str, *, step: bool = False) -> None:
    style = {"drawstyle": "steps-post"} if step else {}
    axes.plot(line.x, line.y, color=colour, label=name, linewidth=1.8, **style)
    if line.low is not None and line.high is not None:
        axes.fill_between(line.x, line.low, line.high, color=colour, alpha=0.15, linewidth=0)


def _colours(curves: Mapping[str, Line]) -> Sequence[str]:
    return [COLOURS[place % len(COLOURS)] for place in range(len(curves))]


def _percent(axes: Any, which: str) -> None:
    for axis, letter in ((axes.xaxis, "x"), (axes.yaxis, "y")):
        if letter in which:
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:g} %"))
            axis.set_minor_formatter(NullFormatter())


def _svg(figure: Figure, key: str) -> str:
    """Return the figure as SVG without document type, metadata and XML namespaces."""
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": key}):  # so that ids are unique in the page
        figure.savefig(file, format="svg", metadata={"Date": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r'(<svg[^>]*?)\swidth="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?)\sheight="[^"]*"', r"\1", svg, count=1)
    # Ids are shared by the whole page, so each gets the plot's key.
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{key}-\1"', svg)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", svg)
