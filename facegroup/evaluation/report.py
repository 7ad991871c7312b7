"""Hold the results of an evaluation: figures for programs, tables and plots for people.

`sheet` makes an HTML page of it, `show` prints tables, and `--json` prints `Report.as_json`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from facegroup.evaluation.bootstrap import Estimate

SHOWN = 10
"""Most files of a list that the terminal shows. The JSON and the sheet have all."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose first column has the names of the rows, with an explanation."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    reading: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot as SVG, with an explanation."""

    title: str
    svg: str
    reading: str


@dataclass(frozen=True, slots=True)
class Report:
    """The results of one evaluation.

    Attributes:
        title: the subject of the measurement.
        subject: the data, as names and values.
        headline: the result in a sentence or two.
        tables: tables for people.
        plots: plots for people, only drawn for a sheet.
        listed: files and people to check, by heading.
        runs: the figures of each network and precision.
        about: fields common to all runs: the protocol and the data.
    """

    title: str
    subject: tuple[tuple[str, str], ...]
    headline: str
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...]
    listed: Mapping[str, Sequence[str]]
    runs: Sequence[Mapping[str, Any]]
    about: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the figures for JSON: those of the first run at the top level, those of all runs under `runs`."""
        return {**self.about, **self.runs[0], "runs": list(self.runs)}


def figure(found: Estimate, **more: Any) -> dict[str, Any]:
    """Return a value with its 95 % interval for JSON. Unknown numbers are None."""
    return {"value": number(found.value), "interval": [number(found.low), number(found.high)], **more}


def number(value: float, digits: int = 6) -> float | None:
    """Return a rounded number for JSON, or None if it is not finite."""
    return round(float(value), digits) if isfinite(value) else None


def side_by_side(
    title: str, runs: Sequence[tuple[str, str]], figures: Sequence[tuple[str, Sequence[str]]], reading: str
) -> Table:
    """Return a table with a column for each run, named by its network and precision, and a row for each figure."""
    rows = tuple((name, *cells) for name, cells in figures)
    return Table(title, ("", *(f"{network} {precision}" for network, precision in runs)), rows, reading)


def share(value: float, digits: int = 1) -> str:
    """Return a share as text such as 99.5 %, or a dash if it is not finite."""
    return f"{value * 100:.{digits}f} %" if isfinite(value) else "–"


def percent(found: Estimate, digits: int = 1) -> str:
    """Return a share and its interval as text."""
    if not isfinite(found.low + found.high):
        return share(found.value, digits)
    return f"{share(found.value, digits)} ({found.low * 100:.{digits}f}–{found.high * 100:.{digits}f})"


def rate(value: float) -> str:
    """Return a rate such as 0.001 as text: 0.1 %."""
    return f"{value * 100:g} %"


def show(report: Report, console: Console) -> None:
    """Print the tables, and the first of the files to check."""
    console.print(f"[bold]{escape(report.title)}[/bold]")
    for name, value in report.subject:
        console.print(f"{escape(name)}: {escape(value)}", highlight=False, soft_wrap=True)
    console.print(f"\n{escape(report.headline)}\n", highlight=False)
    for each in report.tables:
        table = RichTable(title=escape(each.title), title_justify="left", title_style="bold", box=SIMPLE_HEAD)
        for place, column in enumerate(each.columns):
            table.add_column(escape(column), justify="right" if place else "left")
        for row in each.rows:
            table.add_row(*map(escape, row))
        console.print(table)
    for heading, items in report.listed.items():
        more = f" and {len(items) - SHOWN} more (all in --json and --report)" if len(items) > SHOWN else ""
        console.print(f"[bold]{escape(heading)}[/bold]: {len(items)}", highlight=False)
        for item in items[:SHOWN]:
            console.print(f"  {escape(item)}", highlight=False, soft_wrap=True)
        if more:
            console.print(f" {more}", highlight=False)
