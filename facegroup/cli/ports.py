"""The command `facegroup ports`: which ports a cluster needs, which of them can be reached, and what is open here."""

import json
import os
from dataclasses import asdict
from typing import Annotated, Any

import typer

from facegroup.cli.cluster_ports import Ports, needed
from facegroup.cli.options import AsJson, Store
from facegroup.errors import MalformedRequest
from facegroup.remote.listeners import Listener, listening, reach
from facegroup.settings import load

_SAID = {
    "open": "something listens",
    "closed": "it can be reached, and nothing listens now",
    "blocked": "nobody answers: a firewall is in the way, or the machine is off",
}


def add_commands(into: typer.Typer) -> None:
    """Add the command to a Typer app."""
    into.command()(ports)


def ports(
    test: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="another machine of the cluster: can its ports be reached?")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="the server's own [default: 8000]")] = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Tell which ports must be open between the machines of a cluster, and what others can reach on this machine.

    With --test it connects to them, a few of each range, and ends with status 1 if one is blocked. Run it on each machine
    with the address of each other one: a firewall may let one way through only.
    """
    settings = load(port=port, store=store)
    wanted = needed(settings, os.environ)
    here = [each for each in listening() if each.off_loopback]
    tested = None if test is None else [_tested(each, test) for each in wanted]
    if as_json:
        told = {"ports": [asdict(each) for each in wanted], "here": [_open(each, wanted) for each in here]}
        typer.echo(json.dumps(told if tested is None else {**told, "tested": tested}, ensure_ascii=False))
    elif tested is not None:
        for each in tested:
            typer.echo(
                f"{each['ports']:>12} at {each['host']}: {each['reach']}, {_SAID[each['reach']]} ({each['why']})"
            )
    else:
        _show(wanted, here)
    raise typer.Exit(int(any(each["reach"] == "blocked" for each in tested or ())))


def _tested(wanted: Ports, address: str) -> dict[str, Any]:
    """Return whether ports can be reached; of a range, whether each of a few can."""
    host = wanted.host or address
    try:
        found = {reach(host, port) for port in wanted.some()}
    except OSError as error:
        raise MalformedRequest(f"{host} cannot be asked: {error.strerror or error}") from error
    worst = next(each for each in ("blocked", "open", "closed") if each in found)
    return {"ports": str(wanted), "host": host, "reach": worst, "why": wanted.why}


def _open(found: Listener, wanted: list[Ports]) -> dict[str, Any]:
    """Return a port that is open here, and what it is for if it is one of a cluster's."""
    is_ray = found.process.startswith(("ray", "gcs_server", "haproxy"))
    known = next((each.why for each in wanted if found.port in each and not each.host), None)
    return {**asdict(found), "why": known if is_ray or not found.pid else None}


def _show(wanted: list[Ports], here: list[Listener]) -> None:
    typer.echo("must be open on a cluster, for TCP (docs/deployment.md):")
    for each in wanted:
        typer.echo(f"{each!s:>12}  {each.listens}, for {each.connects}: {each.why}")
    typer.echo("\nother machines can reach on this one, unless a firewall is in the way:")
    for listener in here:
        known = _open(listener, wanted)["why"] or "no other machine of a cluster needs it"
        process = f"{listener.process} (pid {listener.pid})" if listener.pid else "a process of another user"
        typer.echo(f"{listener.port:>12}  at {listener.address}, {process}: {known}")
    if not here:
        typer.echo("              nothing")
