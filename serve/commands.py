"""The commands `serve` and `demo`, and the program's entry point.

A server's start waits for all imports here, and keeps them in memory, so each command imports its own modules.
"""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from facegroup.cli import options
from facegroup.errors import FacegroupError, InvalidSettings, StageUnavailable
from facegroup.remote.addresses import without_secrets


def program(*, all_commands: bool = True) -> typer.Typer:
    """Return the command line.

    Args:
        all_commands: whether to add the library's commands, too; they take a second to import.
    """
    app = typer.Typer(
        name="facegroup",
        help="Face recognition for groups: photos go in, names come out.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.command()(serve)
    app.command()(demo)
    app.command()(node)
    app.command()(deploy)
    if all_commands:
        from facegroup.cli.app import add_commands

        add_commands(app)
    return app


def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="[default: 8000]")] = None,
    network: options.Network = None,
    store: options.Store = None,
    gallery: options.Gallery = None,
    open_to_all: Annotated[
        bool, typer.Option("--open", help="ask nobody for a key: whoever reaches the server can do everything")
    ] = False,
) -> None:
    """Run the server on this machine until Ctrl-C."""
    from deployments.logs import configure
    from facegroup.cameras import journal
    from facegroup.networks import licence, projected_engine, registry, trial, weights
    from facegroup.pipeline import detector_trial
    from facegroup.pipeline.liveness_files import FILES
    from facegroup.settings import load
    from facegroup.store import check_store
    from facegroup.store.secret_key import secret_keys
    from serve import start_rules
    from serve.launch import running, until_stopped

    access = {"mode": "open"} if open_to_all else None
    settings = load(host=host, port=port, network=network, store=store, gallery=gallery, access=access)
    configure(settings)
    settings = start_rules.checked(settings, lambda text: typer.echo(text, err=True))
    # Checked here and not in a replica: there is one message, at once, before Ray starts.
    if settings.embedder.engine != "simulated":
        spec = registry.spec(settings.network, settings)
        weights.fetch(spec, settings)
        if spec.base:
            projected_engine.opened(spec, registry.spec(spec.base, settings), settings)
        trial.run(spec, settings)
        licence.tell_once(spec, settings, lambda text: typer.echo(text, err=True))
    detector_trial.run(settings)
    weights.fetch_files(FILES[settings.liveness.model], settings.liveness.model, settings)
    check_store(settings.store, keys := secret_keys(settings))
    journal.warn_of_plain(settings.store, keys)
    typer.echo(f"starting: network {settings.network}, store {without_secrets(settings.store)}", err=True)
    # Being asked to end is not a failure, even before it is ready.
    with _another_try(), suppress(KeyboardInterrupt), running(settings) as url:
        typer.echo(f"ready: {url}  (page), {url}/docs, {url}/metrics; Ctrl-C stops it", err=True)
        until_stopped()
        typer.echo("stopping", err=True)


def node(
    head: Annotated[bool, typer.Option("--head", help="start the cluster's first node, which the others join")] = False,
    join: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="join the cluster whose head has this address")
    ] = None,
    address: Annotated[str | None, typer.Option(help="IP address by which the others reach this machine")] = None,
    cpus: Annotated[int | None, typer.Option(min=0, help="CPUs for replicas on this machine; 0 keeps them off")] = None,
) -> None:
    """Run a node of a cluster on this machine until Ctrl-C."""
    from deployments.logs import configure
    from facegroup.settings import load
    from serve.node import run

    if head == (join is not None):
        raise InvalidSettings("say either --head, or --join and the address of the head")
    settings = load()
    given = {name: value for name, value in (("address", address), ("cpus", cpus)) if value is not None}
    settings = load(node={**settings.node.model_dump(exclude_unset=True), **given})
    configure(settings)
    with _another_try(), suppress(KeyboardInterrupt):
        run(settings, join, lambda text: typer.echo(text, err=True))


def deploy(
    file: Annotated[Path, typer.Argument(help="YAML file as of `serve deploy`, such as serve/cluster.yaml")],
    seconds: Annotated[float, typer.Option(min=1, help="how long to wait until all its processes run")] = 300,
) -> None:
    """Deploy the server on a cluster of nodes, from its head, and wait until it runs."""
    from serve import ray_environment

    ray_environment.set_variables(cluster=True)  # before Ray is imported
    from serve.deploying import run

    with _another_try():
        run(file, seconds, lambda text: typer.echo(text, err=True))


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="end after the table, with status 1 if an answer was wrong")
    ] = False,
    photos: Annotated[Path | None, typer.Option(help="your own folders, one per person")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="[default: 8000, or the next that is free]")
    ] = None,
) -> None:
    """Start a server, enrol a small group over HTTP, identify other photos, and show the answers."""
    from serve.demo import show

    raise typer.Exit(show(once=once, photos=photos, port=port))


@contextmanager
def _another_try() -> Iterator[None]:
    """End with a status that tells a supervisor to start the server again, if it was not ready in time."""
    try:
        yield
    except StageUnavailable as error:
        typer.echo(f"facegroup: {error.detail} ({error.code})", err=True)
        raise typer.Exit(75) from None


def main() -> None:
    """Run a command. An error of facegroup becomes one line.

    The exit status is 0 if all was done, 1 if the answer is no or a part was not done, and 2 if an error ended the command.
    """
    try:
        program(all_commands=sys.argv[1:2] not in (["serve"], ["node"]))()
    except KeyboardInterrupt:
        sys.exit(130)
    except FacegroupError as error:
        typer.echo(f"facegroup: {error.detail} ({error.code})", err=True)
        sys.exit(2)
    except Exception:  # Python would end with 1, which means that the answer is no
        traceback.print_exc()
        sys.exit(2)
