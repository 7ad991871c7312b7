"""The command `demo`: starts a server, enrols a group over HTTP, identifies other photos, and judges the answers."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from facegroup.access.registry import open_registry
from facegroup.access.types import Grant
from facegroup.cli.service import matches
from facegroup.client import Client
from facegroup.errors import FacegroupError, SetupError
from facegroup.networks import registry, weights
from facegroup.pipeline.messages import PhotoResult
from facegroup.settings import Settings, load
from facegroup.types import NO_FACE_FOUND, NOT_IN_DATASET
from serve import start_rules
from serve.demo_photos import Group, own, packaged
from serve.launch import running, until_stopped

NETWORKS = ("vggface2-resnet50", "retail-0095", "dlib-resnet29")
"""The networks that the demo tries, in order. Other commands run the configured network, or say why they cannot."""


def show(*, once: bool, photos: Path | None, port: int | None) -> int:
    """Run the demo; return 0, or 1 if an answer was wrong.

    Args:
        once: whether to end after the table, instead of serving on until Ctrl-C.
        photos: the user's own folders, one per person; None uses photos from installed packages.
        port: to listen on; None uses the configured one, or the next free one.
    """
    groups = packaged() if photos is None else own(photos)
    with (
        _settings(port) as (settings, key),
        running(settings, quiet=True) as url,
        Client(url, key=key) as client,
    ):
        about = client.about()
        typer.echo(f"server ready: network {about['network']} on {about['engine']} ({about['device']}), {url}\n")
        table = Table("gallery", "photo", "answer", "similarity", "threshold", "right?", box=None, header_style="bold")
        wrong = sum([_judge(client, group, table) for group in groups])
        # Wide enough for whole file names where the output is not a terminal.
        Console(width=None if sys.stdout.isatty() else 110, markup=False, emoji=False).print(table)
        typer.echo("all answers are right" if not wrong else f"{wrong} answers are WRONG")
        if not once:
            typer.echo(f"\npage     {url}/\nAPI      {url}/docs\nmetrics  {url}/metrics")
            if key is not None:
                typer.echo(f"key      {key}, of this demo only")
            typer.echo("\nserving on; Ctrl-C stops it")
            until_stopped()
    return int(wrong > 0)


def _judge(client: Client, group: Group, table: Table) -> int:
    """Enrol a group, identify its probes, add a row for each face; return how many answers were wrong."""
    client.new_gallery(group.name)
    for name, photos in group.people.items():
        person = client.create_person(group.name, name)
        done = client.enrol(group.name, photos, person.id)
        typer.echo(f"{group.name}: enrolled {name} from {len(done.enrolled.added)} of {len(photos)} photos")
        for refused in done.refused:
            typer.echo(f"  refused {refused.name}: {refused.error.detail}")
    wrong = 0
    seen = client.identify([data for _, data, _ in group.probes], group.name)
    for (file, _, truth), each in zip(group.probes, seen, strict=True):
        right = truth == "" or _names(each) == [truth or NOT_IN_DATASET]
        wrong += not right
        verdict = "" if truth == "" else "yes" if right else "NO"
        for answer, similarity, threshold in _answers(each):
            table.add_row(group.name, file, answer, similarity, threshold, verdict)
    return wrong


def _names(seen: PhotoResult | FacegroupError) -> list[str]:
    return [] if isinstance(seen, FacegroupError) else [match.name for match in matches(seen)]


def _answers(seen: PhotoResult | FacegroupError) -> list[tuple[str, str, str]]:
    if isinstance(seen, FacegroupError):
        return [(f"{seen.detail} ({seen.code})", "", "")]
    found = [(match.name, f"{match.similarity:.3f}", f"{match.threshold:g}") for match in matches(seen)]
    return found or [(NO_FACE_FOUND, "", "")]


@contextmanager
def _settings(port: int | None) -> Iterator[tuple[Settings, str | None]]:
    """Give the demo a temporary store, a free port, and the first available network; and a key where others reach it."""
    given = load(port=port)
    with tempfile.TemporaryDirectory(prefix="facegroup-demo-") as folder:
        here = start_rules.is_loopback(given.host)
        chosen = load(
            access={"mode": "open" if here else "keys", "first_key": None},  # the file is another server's
            tls={"certificate": None, "key": None},  # whose names are another server's
            network=_network(given),
            store=f"sqlite:///{folder}/gallery.db",
            port=given.port if port is not None else _free(given.host, given.port),
        )
        yield chosen, None if here else _key(chosen.store)


def _key(store: str) -> str:
    """Return a key that may do everything, of a new store."""
    with closing(open_registry(store)) as registry:
        return registry.add(Grant(frozenset({"admin"})), "demo", "demo")[1].text


def _network(settings: Settings) -> str:
    """Return the network to show, and print why."""
    if "FACEGROUP_NETWORK" in os.environ:
        typer.echo(f"network: {settings.network}, as FACEGROUP_NETWORK says")
        return settings.network
    for name in NETWORKS:
        spec = registry.spec(name)
        if not registry.installed(spec):
            typer.echo(f"network {name}: not installed (extra {spec.extra})")
            continue
        try:
            weights.fetch(spec, settings)
        except SetupError as error:
            typer.echo(f"network {name}: not available here: {error.detail.partition(': ')[2].partition('. ')[0]}")
            continue
        typer.echo(f"network {name}: taken, {spec.title}")
        return name
    raise SetupError("none of the demo's networks is available: " + ", ".join(NETWORKS))


def _free(host: str, port: int) -> int:
    """Return the first free port from `port` on."""
    for candidate in range(port, min(port + 100, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
        return candidate
    raise SetupError(f"no port is free from {port} to {port + 99}")
