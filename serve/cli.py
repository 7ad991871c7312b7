"""`facegroup …`: the library's commands, and serve and demo."""

import os
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from facegroup import cli
from facegroup.errors import FacegroupError, SetupError
from facegroup.settings import PREFIX, load

app = typer.Typer(
    name="facegroup",
    help="Face recognition for groups: photos go in, names come out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
cli.add_commands(app)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="[default: 8000]")] = None,
    network: cli.Network = None,
    store: cli.Store = None,
    gallery: cli.Gallery = None,
) -> None:
    """Run the server on this machine until Ctrl-C."""
    from facegroup.networks import projected_engine, registry, weights

    settings = load(host=host, port=port, network=network, store=store, gallery=gallery)
    cli.show_log(settings)
    # Here and not in a replica: one message, at once, and Ray is not even started.
    if settings.embedder.engine != "simulated":
        spec = registry.spec(settings.network, settings)
        weights.fetch(spec, settings)
        if spec.base:
            projected_engine.opened(spec, registry.spec(spec.base), settings)
    typer.echo(f"starting: network {settings.network}, store {_shown(settings.store)}", err=True)
    given = {"host": host, "port": port, "network": network, "store": store, "gallery": gallery}
    environment = {f"{PREFIX}{name}".upper(): str(value) for name, value in given.items() if value is not None}
    # What the command line has imported would stay as long as the server runs: 40 MB that no server needs.
    os.execve(sys.executable, [sys.executable, "-P", "-m", "serve"], {**os.environ, **environment})


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="end after the table; status 1 if an answer was wrong")] = False,
    photos: Annotated[Path | None, typer.Option(help="your own folders, one per person")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="[default: 8000, or the next that is free]")
    ] = None,
) -> None:
    """Start a server, enrol a small group over HTTP, identify other photos, and show what it answered."""
    from serve.demo import show

    raise typer.Exit(show(once=once, photos=photos, port=port))


def main() -> None:
    """Run a command; an error that facegroup knows becomes one line."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except FacegroupError as error:
        typer.echo(f"facegroup: {error.detail} ({error.code})", err=True)
        sys.exit(2 if isinstance(error, SetupError) else 1)


def _shown(store: str) -> str:
    """Return a store's address without what is secret in it: user, password and options."""
    parts = urlsplit(store)
    if parts.scheme == "sqlite":
        return store
    _, login, where = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{where if login or '@' not in store else '…'}{parts.path}"
