"""The commands on audit logs: `facegroup audit list | verify | export`."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from facegroup.cli.options import AsJson, Gallery, Network, Server, Store
from facegroup.cli.output import opened_store, show_log
from facegroup.errors import MalformedRequest
from facegroup.settings import Settings, load
from facegroup.store.audit import SERVER, Entry
from facegroup.store.audit_check import PAGE, Head, Log, Verified, anchor_of, check, verify
from facegroup.store.paging import every
from facegroup.wire.galleries import AuditEntry

app = typer.Typer(name="audit", help="Who did what, and whether the log is whole: docs/audit.md.")

OfServer = Annotated[bool, typer.Option("--server-log", help="the server's own log: keys, cameras, refusals …")]


def add_commands(into: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    into.add_typer(app)


@app.callback(invoke_without_command=True)
def audit(
    context: typer.Context,
    gallery: Gallery = None,
    server: Server = None,
    network: Network = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Show who did what to a gallery and when, oldest first: ids and counts, no names and nothing biometric."""
    if context.invoked_subcommand is None:
        show(gallery, False, server, network, store, as_json)


@app.command("list")
def show(
    gallery: Gallery = None,
    server_log: OfServer = False,
    server: Server = None,
    network: Network = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Show who did what to a gallery and when, oldest first."""
    settings = _settings(gallery, network, store)
    name = SERVER if server_log else settings.gallery
    with opened_store(server, settings) as log:
        entries = list(_entries(log, name))
    if as_json:
        rows = [AuditEntry.of(each).model_dump(exclude={"gallery"}) for each in entries]
        typer.echo(json.dumps({"gallery": name, "entries": rows}, ensure_ascii=False))
        return
    for each in entries:
        at = datetime.fromtimestamp(each.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        event = each.event
        whom = event.person_id or ("the gallery" if name else "the server")
        refused = "" if each.result == "done" else f"  {each.result}"
        typer.echo(f"{at}  {each.origin.actor}  {event.what}  {whom}  {json.dumps(event.detail)}{refused}")


@app.command("verify")
def verify_log(
    gallery: Gallery = None,
    server_log: OfServer = False,
    head: Annotated[
        list[str] | None,
        typer.Option(help="number:hash that was noted elsewhere; again for more. It must be in the log"),
    ] = None,
    file: Annotated[Path | None, typer.Option(help="check an exported file in place of the store")] = None,
    server: Server = None,
    network: Network = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Check that no entry of a log was removed, changed, inserted or moved. The status is 1 if one was."""
    settings = _settings(gallery, network, store)
    name = SERVER if server_log else settings.gallery
    heads = [Head.read(each) for each in head or ()]
    if file is not None:
        kept = list(_exported(file))
        done = check(kept, anchor_of(kept), heads, kept[0].gallery if kept else name)
    else:
        with opened_store(server, settings) as log:
            done = verify(log, name, heads)
    if as_json:
        fault = done.fault and {"entry": done.fault.entry, "number": done.fault.number, "why": done.fault.why}
        typer.echo(json.dumps({"gallery": done.gallery, **_told(done), "fault": fault}, ensure_ascii=False))
    else:
        _say(done)
    if done.fault is not None:
        raise typer.Exit(1)


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(help="file to write, one entry as JSON in each line; - for the output")],
    gallery: Gallery = None,
    server_log: OfServer = False,
    server: Server = None,
    network: Network = None,
    store: Store = None,
) -> None:
    """Write a log as lines of JSON, oldest entry first."""
    settings = _settings(gallery, network, store)
    name = SERVER if server_log else settings.gallery
    with ExitStack() as stack:
        log = stack.enter_context(opened_store(server, settings))
        count = 0
        try:
            into = None if str(file) == "-" else stack.enter_context(file.open("x", encoding="utf-8"))
            for each in _entries(log, name):
                line = AuditEntry.of(each).model_dump_json()
                typer.echo(line) if into is None else into.write(line + "\n")
                count += 1
        except OSError as error:
            raise MalformedRequest(f"{file} cannot be written: {error.strerror}") from error
    typer.echo(f"exported {count} entries", err=True)


def _settings(gallery: str | None, network: str | None, store: str | None) -> Settings:
    settings = load(gallery=gallery, network=network, store=store)
    show_log(settings)
    return settings


def _entries(log: Log, name: str) -> Iterator[Entry]:
    return every(partial(log.audit, name, limit=PAGE), lambda each: each.id)


def _exported(file: Path) -> Iterator[Entry]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield AuditEntry.model_validate_json(line).struct()
                except ValidationError as error:
                    raise MalformedRequest(f"line {number} of {file} is not an entry of an audit log") from error
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedRequest(f"{file} cannot be read: {error}") from error


def _told(done: Verified) -> dict[str, int | str]:
    return {"entries": done.entries, "older": done.older, "from": done.start.number + 1, "head": done.head}


def _say(done: Verified) -> None:
    whose = f"the gallery {done.gallery}" if done.gallery else "the server"
    if done.fault is not None:
        at = f"at entry {done.fault.entry}" if done.fault.entry else "at the end"
        typer.echo(f"The log of {whose} is not whole, {at}: {done.fault.why}.")
        return
    typer.echo(f"The log of {whose} is whole: {done.entries} entries from number {done.start.number + 1}.")
    if done.older:
        typer.echo(f"Before them are {done.older} entries of an older facegroup, which nothing proves.")
    typer.echo(f"Head: {done.head}")
