"""A table → the terminal, or whatever reads the output: as wide as its longest cells, for an id that is cut is none."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_WIDEST = 100_000


def show(table: Table) -> None:
    """Print a table on standard output; lines that are too long for a terminal go on in its next."""
    console = Console()
    options = console.options.update(max_width=_WIDEST)
    needed = Measurement.get(console, options, table).maximum
    Console(width=max(console.width, needed), soft_wrap=True).print(table)
