"""What an evaluation found, as data: the figures for programs, the tables and plots for people.

`sheet` makes a page of it, `shown` a terminal's tables; `Report.as_json` is what `--json` prints.
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
"""How many of a list of files the terminal shows; the JSON and the sheet have all."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, its first column the rows' names, and how to read it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    reading: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot as SVG, and how to read it."""

    title: str
    svg: str
    reading: str


@dataclass(frozen=True, slots=True)
class Report:
    """One evaluation.

    Attributes:
        title: what was measured.
        subject: on what, as names and values.
        headline: the result in a sentence or two.
        tables: for people.
        plots: for people; drawn only where a sheet is wanted.
        listed: files and people that need a look, under a heading each.
        runs: the figures of each network and precision.
        about: what is the same for all runs: the protocol and the data.
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
        """Return the figures: those of the first run at the top, those of every run under `runs`."""
        return {**self.about, **self.runs[0], "runs": list(self.runs)}


def figure(found: Estimate, **more: Any) -> dict[str, Any]:
    """Return a figure with its 95 % interval, for JSON; what cannot be told is null."""
    return {"value": number(found.value), "interval": [number(found.low), number(found.high)], **more}


def number(value: float, digits: int = 6) -> float | None:
    """Return a number that JSON can hold."""
    return round(float(value), digits) if isfinite(value) else None


def side_by_side(
    title: str, runs: Sequence[tuple[str, str]], figures: Sequence[tuple[str, Sequence[str]]], reading: str
) -> Table:
    """Return a table with a column for each run, named by its network and precision, and a row for each figure."""
    rows = tuple((name, *cells) for name, cells in figures)
    return Table(title, ("", *(f"{network} {precision}" for network, precision in runs)), rows, reading)


def share(value: float, digits: int = 1) -> str:
    """Return a share for people: 99.5 %; a dash where there is none."""
    return f"{value * 100:.{digits}f} %" if isfinite(value) else "–"


def percent(found: Estimate, digits: int = 1) -> str:
    """Return a share and its interval for people."""
    if not isfinite(found.low + found.high):
        return share(found.value, digits)
    return f"{share(found.value, digits)} ({found.low * 100:.{digits}f}–{found.high * 100:.{digits}f})"


def rate(value: float) -> str:
    """Return a rate such as 0.001 for people: 0.1 %."""
    return f"{value * 100:g} %"


def show(report: Report, console: Console) -> None:
    """Print the tables, and the first of the files that need a look."""
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
