"""What several commands share: opening what does the work, progress, tables, pictures, and how a run ends."""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar, Union

import typer
from PIL import Image as pillow
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from facegroup.cli.service import Service
from facegroup.errors import FacegroupError, MalformedRequest
from facegroup.images.folders import Skipped, shown
from facegroup.settings import Settings
from facegroup.store.data_loss import refuse_lost
from facegroup.types import Image

if TYPE_CHECKING:
    from facegroup.client import Client
    from facegroup.store.contract import Store

Item = TypeVar("Item")

_WIDEST = 100_000


@contextmanager
def opened(server: str | None, settings: Settings, *, stored: bool = False) -> Iterator[Service]:
    """Open a client of a server, or a recogniser on this machine.

    Args:
        server: URL; None uses the settings' store on this machine.
        settings: of the command.
        stored: whether to refuse a gallery whose store lost data.
    """
    show_log(settings)
    if server is not None:
        with client_of(server, settings) as client:
            yield client
    else:
        from facegroup.recognizer import Recognizer

        with Recognizer(settings, "cli") as recognizer:
            if stored:
                refuse_lost(recognizer.store, settings.gallery)
            yield recognizer


@contextmanager
def opened_store(server: str | None, settings: Settings) -> Iterator[Union["Client", "Store"]]:
    """Open a client of a server, or the settings' store on this machine, without a network."""
    if server is not None:
        with client_of(server, settings) as client:
            yield client
    else:
        from facegroup.store import open_store
        from facegroup.store.audit import Retention
        from facegroup.store.secret_key import secret_keys

        with closing(
            open_store(settings.store, "cli", secret_keys(settings), keep=Retention.of(settings.audit))
        ) as store:
            yield store


def client_of(server: str, settings: Settings) -> "Client":
    """Return a client of a server, with the key and the authorities of the settings."""
    from facegroup.client import Client

    key = None if settings.client_key is None else settings.client_key.get_secret_value()
    return Client(server, key=key, ca=settings.client_ca)


def show_log(settings: Settings) -> None:
    """Print what is logged, from the settings' level on, to standard error."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(message)s", stream=sys.stderr)
    if settings.log_level != "debug":
        logging.getLogger("httpx").setLevel(logging.WARNING)  # else it names every request


class Bar:
    """Class that moves a progress bar.

    Args:
        progress: what draws it.
        text: what stands before it.
        total: how much there is to do; None if nobody knows.
    """

    def __init__(self, progress: Progress, text: str, total: float | None) -> None:
        self._progress = progress
        self._task = progress.add_task(text, total=total)

    def advance(self, count: float) -> None:
        """Add what was done."""
        self._progress.advance(self._task, count)

    def reach(self, done: float) -> None:
        """Set how much was done in all."""
        self._progress.update(self._task, completed=done)

    def say(self, text: str) -> None:
        """Set what stands before the bar."""
        self._progress.update(self._task, description=text)


@contextmanager
def bar(text: str = "", total: float | None = None, *, quiet: bool = False) -> Iterator[Bar]:
    """Show a progress bar on standard error while the body runs; nothing is shown where that is no terminal.

    Args:
        text: what stands before it.
        total: how much there is to do; None if nobody knows.
        quiet: whether to show nothing.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    hidden = quiet or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
        yield Bar(progress, text, total)


def tracked(items: Iterable[Item], text: str, total: int, *, quiet: bool = False) -> Iterator[Item]:
    """Return the items one by one, and move a progress bar."""
    with bar(text, total, quiet=quiet) as shown_bar:
        for each in items:
            yield each
            shown_bar.advance(1)


def show_table(table: Table) -> None:
    """Print a table on standard output, as wide as its longest cells: an id that is cut off is useless.

    Lines that are too long for a terminal go on in its next line. Cells are shown as they are: they hold what others wrote.
    """
    console = Console(markup=False, emoji=False)
    options = console.options.update(max_width=_WIDEST)
    needed = Measurement.get(console, options, table).maximum
    console.width = max(console.width, needed)
    console.print(table, soft_wrap=True)


def save_picture(picture: Image, path: Path) -> None:
    """Write a picture to a file. Raises `MalformedRequest` if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pillow.fromarray(picture).save(path)
    except (OSError, ValueError) as error:
        raise MalformedRequest(f"{path} cannot be written: {error}") from error


def tell_skipped(skipped: Iterable[Skipped]) -> None:
    """Print on standard error which files were skipped and why, and how many."""
    listed = list(skipped)
    for each in listed:
        typer.echo(f"skipped {shown(each.path)}: {each.detail} ({each.why})", err=True)
    if listed:
        typer.echo(f"{len(listed)} files or folders skipped", err=True)


def end_run(ended: FacegroupError | None, left: str, *, interrupted: bool, failed: bool) -> NoReturn:
    """End a command that worked through many files, with the exit status of what became of them.

    Args:
        ended: what ended the run before its end; None if nothing did.
        left: what was not done, for the message about it.
        interrupted: whether Ctrl-C ended the run.
        failed: whether some of the files could not be used.
    """
    if interrupted:
        raise typer.Exit(130)
    if ended is not None:
        typer.echo(f"the run ended early, {left}: {ended.detail} ({ended.code})", err=True)
        raise typer.Exit(2)
    raise typer.Exit(int(failed))
