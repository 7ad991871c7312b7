"""What the commands share that measure networks on labelled photos: which ones, each in turn, and what is said of them."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import typer
from rich.console import Console

from facegroup.cli.output import bar
from facegroup.errors import EngineUnavailable, InvalidSettings, MalformedRequest, SetupError, WeightsMissing
from facegroup.evaluation.report import Report, show
from facegroup.settings import Settings, load

Run = TypeVar("Run")
Told = Callable[[int], None]


def wanted_of(networks: Sequence[str] | None, precisions: Sequence[str] | None) -> list[tuple[str, Settings]]:
    """Return the settings of each network in each precision, once, with a name."""
    from facegroup.networks import registry

    wanted = {}
    for network in networks or (None,):
        for precision in precisions or (None,):
            embedder = None if precision is None else {"precision": precision}
            settings = load(network=network, embedder=embedder)
            wanted[f"{registry.spec(settings.network, settings).name} {settings.embedder.precision}"] = settings
    return list(wanted.items())


def each(
    wanted: Sequence[tuple[str, Settings]], total: int, measure: Callable[[Settings, Told], Run]
) -> tuple[list[Run], list[str]]:
    """Measure each; the report lists what this machine cannot run. If nothing runs, raise the first error."""
    runs, not_run = [], []
    first: SetupError | None = None
    for name, settings in wanted:
        try:
            with bar(name, total) as progress:
                runs.append(measure(settings, progress.reach))
        except (EngineUnavailable, WeightsMissing, InvalidSettings) as error:
            first = first or error
            not_run.append(f"{name}: {error.detail} ({error.code})")
    if first is not None and not runs:
        raise first
    return runs, not_run


@contextmanager
def interruptible() -> Iterator[None]:
    """End with one line when Ctrl-C is pressed."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("facegroup: interrupted; descriptors are kept, and the same command continues from there", err=True)
        raise typer.Exit(130) from None


def check(sheet: Path | None) -> None:
    """Refuse a sheet that cannot be written before minutes are spent on it."""
    if sheet is not None and sheet.is_dir():
        raise MalformedRequest(f"{sheet} is a folder; --report needs the name of a file")


def say(report: Report, sheet: Path | None, as_json: bool) -> None:
    """Print a report, or write it as JSON, and write its sheet."""
    if sheet is not None:
        from facegroup.evaluation.sheet import write

        write(report, sheet)
    if as_json:
        typer.echo(json.dumps(report.as_json(), ensure_ascii=False))
    else:
        show(report, Console())
    if sheet is not None:
        typer.echo(f"the sheet is {sheet}", err=True)
