"""What several commands share: what does the work, progress, and what is told of files that were left out."""

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import typer
from rich.console import Console
from rich.progress import Progress

from facegroup.cli.service import Service
from facegroup.images.folders import Skipped, shown
from facegroup.settings import Settings
from facegroup.store.data_loss import refuse_lost

Item = TypeVar("Item")


def show_log(settings: Settings) -> None:
    """Print what is logged, from the settings' level on, to standard error."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s %(message)s", stream=sys.stderr)
    if settings.log_level != "debug":
        logging.getLogger("httpx").setLevel(logging.WARNING)  # else it names every request


@contextmanager
def opened(server: str | None, settings: Settings, *, stored: bool = False) -> Iterator[Service]:
    """Give what does it; refuse at once where the gallery's store is to be read or written, and lost data of it."""
    show_log(settings)
    if server is not None:
        from facegroup.client import Client

        with Client(server) as client:
            yield client
    else:
        from facegroup.recognizer import Recognizer

        with Recognizer(settings, "cli") as recognizer:
            if stored:
                refuse_lost(recognizer.store, settings.gallery)
            yield recognizer


def bar(items: Iterable[Item], text: str, total: int, *, quiet: bool = False) -> Iterator[Item]:
    """Return the items behind a progress bar on standard error, if somebody looks."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield from items
        return
    with Progress(console=console, transient=True) as progress:
        yield from progress.track(items, total, description=text)


def tell_skipped(skipped: Iterable[Skipped]) -> None:
    """Say on standard error which files were left out and why, and how many."""
    listed = list(skipped)
    for each in listed:
        typer.echo(f"skipped {shown(each.path)}: {each.detail} ({each.why})", err=True)
    if listed:
        typer.echo(f"{len(listed)} files or folders skipped", err=True)
