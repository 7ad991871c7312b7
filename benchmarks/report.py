"""The report of a benchmark: a table for people, and JSON of one form for programs.

`{"machine": …, "rows": [{"what", "value", "unit", "against", "ratio", "least", "met"}]}`, with null for missing values.
"""

import argparse
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console
from rich.table import Table

_VERSIONS = (
    "facegroup",
    "openvino",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "ray",
    "tensorflow",
    "keras",
    "mtcnn",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    Attributes:
        what: what was measured, and with which weights.
        value: the figure, or None if it is not available.
        unit: unit of the value.
        against: the reference and its value.
        ratio: to that, or difference from it where the bound is one.
        least: the bound, on the ratio where there is one, else on the value; which way is said in the table.
        met: whether the bound is met.
    """

    what: str
    value: float | None
    unit: str = ""
    against: str | None = None
    ratio: float | None = None
    least: float | None = None
    met: bool | None = None


@dataclass(slots=True)
class Report:
    """The rows of one benchmark.

    Attributes:
        title: title of the table.
        says: how it was measured, one line each.
    """

    title: str
    says: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def add(
        self,
        what: str,
        value: float | None,
        unit: str = "",
        *,
        against: str | None = None,
        base: float | None = None,
        least: float | None = None,
        most: float | None = None,
    ) -> None:
        """Add a figure.

        Args:
            what: was measured.
            value: the figure, or None.
            unit: of it, and of `base`.
            against: the name of what it is compared with.
            base: how much that was; the ratio is value / base. None where it could not be had: then no bound is judged.
            least: lower bound of the ratio, or of the value where it is compared with nothing.
            most: upper bound, likewise.
        """
        ratio = value / base if value is not None and base else None
        judged = value if against is None else ratio
        bound = least if least is not None else most
        met = None
        if bound is not None and judged is not None:
            met = judged >= bound if least is not None else judged <= bound
        if against is not None:
            against = f"{against}: {'not to be had' if base is None else f'{_short(base)} {unit}'}"
        row = Row(what, _round(value), unit, against, _round(ratio), bound, met)
        self.rows.append(row)
        _progress(f"{what}: {_short(row.value)} {unit}")

    def absent(self, what: str, why: str) -> None:
        """Add a row for something that cannot be measured here."""
        self.rows.append(Row(f"{what}: not to be had ({why})", None))
        _progress(self.rows[-1].what)

    def as_json(self) -> dict[str, Any]:
        """Return the content of `--json`."""
        return {"machine": machine(), "rows": [asdict(row) for row in self.rows]}

    def show(self, console: Console) -> None:
        """Print the table."""
        table = Table(title=self.title, title_justify="left", caption="\n".join(self.says), caption_justify="left")
        for name in ("what", "value", "against", "ratio", "least", "met"):
            table.add_column(name, justify="left" if name in ("what", "against") else "right")
        for row in self.rows:
            bound = "" if row.least is None else _short(row.least)
            met = "" if row.met is None else "[green]yes" if row.met else "[red]no"
            value = "–" if row.value is None else f"{_short(row.value)} {row.unit}"
            table.add_row(row.what, value, row.against or "", _short(row.ratio), bound, met)
        console.print(table)


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a benchmark on the command line.

    Attributes:
        quick: fewer rounds and photos; the figures are rougher.
        plots: folder for pictures, or None.
    """

    quick: bool = False
    plots: Path | None = None


def run(measure: Callable[[Options], Report], arguments: Sequence[str] | None = None) -> Report:
    """Run the command line of a benchmark: measure, print, write."""
    parser = argparse.ArgumentParser(description=(sys.modules[measure.__module__].__doc__ or "").strip())
    parser.add_argument("--quick", action="store_true", help="fewer rounds and photos: rougher figures, sooner")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write machine and rows here")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw this part's pictures into this folder")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)  # so that servers and workers are ended too
    start = time.monotonic()
    report = measure(Options(given.quick, given.plots))
    report.says.append(f"{described(machine())}; {time.monotonic() - start:.0f} s")
    report.show(Console(width=None if sys.stdout.isatty() else 160))
    if given.json:
        given.json.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    return report


def machine() -> dict[str, Any]:
    """Describe the machine and the libraries that decide its speed."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "memory_gb": round(memory / 1e9, 1),
        "load_at_start": _LOAD,
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: found for name in _VERSIONS if (found := _version(name))},
    }


def described(found: dict[str, Any]) -> str:
    """Return a description of a machine in one line."""
    return f"{found['cpu']}, {found['cores']} cores, load {found['load_at_start']:.1f} at the start"


def cores() -> int:
    """Return the cores available to this process."""
    return len(os.sched_getaffinity(0))


_LOAD = round(os.getloadavg()[0], 2)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _round(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.4g}")


def _short(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def _progress(line: str) -> None:
    sys.stderr.write(f"  {line}\n")
    sys.stderr.flush()
