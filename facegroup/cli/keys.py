"""The commands on API keys: `facegroup keys add | list | show | revoke | rotate | make`."""

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol
from urllib.parse import quote

import typer
from rich.table import Table

from facegroup.access.registry import GRACE_SECONDS, MOST_GRACE_SECONDS, Registry, find, open_registry
from facegroup.access.types import ROLES, SCOPES, Grant, RateLimits, Role
from facegroup.cli.options import AsJson, Server, Store
from facegroup.cli.output import client_of, show_log, show_table
from facegroup.cli.service import moment
from facegroup.client import Client
from facegroup.errors import MalformedRequest
from facegroup.settings import RATE, Settings, load
from facegroup.store import server_log
from facegroup.store.audit import Event
from facegroup.wire.access import Key

_RATES = ("requests_per_minute", "photos_per_minute", "bytes_per_day")

app = typer.Typer(name="keys", help="API keys, by which a server knows who asks: docs/access.md.", no_args_is_help=True)

Ident = Annotated[str, typer.Argument(help="its id, as `facegroup keys list` shows it")]


def add_commands(into: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    into.add_typer(app)


@app.command("add")
def add(
    scope: Annotated[
        list[str] | None, typer.Option(help=f"what it may do: {', '.join(SCOPES)}; again for more")
    ] = None,
    role: Annotated[Role | None, typer.Option(help="a bundle of scopes in place of --scope")] = None,
    gallery: Annotated[list[str] | None, typer.Option(help="only this gallery; again for more [default: all]")] = None,
    camera: Annotated[list[str] | None, typer.Option(help="only this camera, by id; again for more")] = None,
    expires: Annotated[str | None, typer.Option(help="a time such as 2030-01-31T12:00:00Z [default: never]")] = None,
    note: Annotated[str, typer.Option(help="what it is for")] = "",
    requests_per_minute: Annotated[int | None, typer.Option(min=1, max=RATE, help="most requests")] = None,
    photos_per_minute: Annotated[int | None, typer.Option(min=1, max=RATE, help="most photos")] = None,
    bytes_per_day: Annotated[int | None, typer.Option(min=1, max=RATE, help="most bytes of bodies")] = None,
    server: Server = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once. The first key closes a server that was open to everybody on its machine."""
    wanted = {*(scope or ()), *(ROLES[role] if role else ())}
    if not wanted:
        raise MalformedRequest("say what the key may do, with --scope or --role: facegroup keys add --role admin")
    body = {
        "scopes": sorted(wanted),
        "galleries": gallery or None,
        "cameras": camera or None,
        "expires_at": None if expires is None or expires == "never" else moment(expires),
        "note": note,
    }
    rates = zip(_RATES, (requests_per_minute, photos_per_minute, bytes_per_day), strict=True)
    body |= {name: most for name, most in rates if most is not None}
    with _opened(server, store) as keys:
        made = keys.add(body)
    _show_secret(made, as_json)


@app.command("list")
def show_all(server: Server = None, store: Store = None, as_json: AsJson = False) -> None:
    """List the keys, also those that no longer hold."""
    with _opened(server, store) as keys:
        found = keys.all()
    if as_json:
        typer.echo(json.dumps({"keys": [each.as_json() for each in found]}, ensure_ascii=False))
        return
    table = Table("id", "key", "state", "scopes", "galleries", "cameras", "expires", "last used", "note", box=None)
    for each in found:
        names = (_names(each.galleries), _names(each.cameras), _date(each.expires_at), _date(each.last_used))
        table.add_row(each.id, f"{each.prefix}…", each.state, ", ".join(each.scopes), *names, each.note)
    show_table(table)


@app.command("show")
def show(key: Ident, server: Server = None, store: Store = None, as_json: AsJson = False) -> None:
    """Show what a key may do, and when it was used last."""
    with _opened(server, store) as keys:
        _show(keys.show(key), as_json)


@app.command("revoke")
def revoke(
    key: Ident,
    force: Annotated[bool, typer.Option("--force", help="revoke even the last admin key")] = False,
    server: Server = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key. Every server of the store refuses it from the next request on."""
    with _opened(server, store) as keys:
        _show(keys.revoke(key, force=force), as_json)


@app.command("rotate")
def rotate(
    key: Ident,
    grace: Annotated[
        float,
        typer.Option(min=0, max=MOST_GRACE_SECONDS / 3600, help="hours for which the key that it replaces holds, too"),
    ] = GRACE_SECONDS / 3600,
    server: Server = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Replace a key by a new one that may do the same, and print it, this once."""
    with _opened(server, store) as keys:
        made = keys.rotate(key, grace * 3600)
    _show_secret(made, as_json)


@app.command("make")
def make() -> None:
    """Print a new key that no server knows yet, for a file of `access.first_key`."""
    from facegroup.access import secrets

    typer.echo(secrets.make().text)


class _Keys(Protocol):
    """The keys of a server, or of a store."""

    def add(self, body: dict[str, Any]) -> Key: ...
    def all(self) -> list[Key]: ...
    def show(self, key: str) -> Key: ...
    def revoke(self, key: str, *, force: bool) -> Key: ...
    def rotate(self, key: str, grace: float) -> Key: ...


class _Stored:
    """Class of the keys of a store on this machine, or that it reaches."""

    def __init__(self, registry: Registry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings

    def add(self, body: dict[str, Any]) -> Key:
        galleries, cameras = (None if body[what] is None else tuple(body[what]) for what in ("galleries", "cameras"))
        limits = RateLimits(*(body.get(name) for name in _RATES))
        grant = Grant(frozenset(body["scopes"]), galleries, cameras, body["expires_at"], limits)
        first = self._registry.version() == 0
        made = self._registry.add(grant, body["note"], "cli")
        self._note("key_made", made[0].id)
        if first:
            typer.echo("this is the first key: from now on every server of this store asks for one", err=True)
        return Key.of(made[0], time.time(), made[1])

    def all(self) -> list[Key]:
        now = time.time()
        return [Key.of(each, now) for each in self._registry.all()]

    def show(self, key: str) -> Key:
        return Key.of(find(tuple(self._registry.all()), key), time.time())

    def revoke(self, key: str, *, force: bool) -> Key:
        gone = self._registry.revoke(key, force=force)
        self._note("key_revoked", gone.id)
        return Key.of(gone, time.time())

    def rotate(self, key: str, grace: float) -> Key:
        made = self._registry.rotate(key, grace)
        self._note("key_rotated", made[0].id)
        return Key.of(made[0], time.time(), made[1])

    def _note(self, what: str, key: str) -> None:
        if fault := server_log.note(self._settings, Event(what, None, {"key": key}), "cli"):
            typer.echo(fault, err=True)


class _Served:
    """Class of the keys of a server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def add(self, body: dict[str, Any]) -> Key:
        return Key.model_validate(self._client.call("POST", "/v1/keys", json=body))

    def all(self) -> list[Key]:
        return [Key.model_validate(each) for each in self._client.call("GET", "/v1/keys")["keys"]]

    def show(self, key: str) -> Key:
        return Key.model_validate(self._client.call("GET", _at(key)))

    def revoke(self, key: str, *, force: bool) -> Key:
        return Key.model_validate(self._client.call("DELETE", _at(key), params={"force": force}))

    def rotate(self, key: str, grace: float) -> Key:
        return Key.model_validate(self._client.call("POST", f"{_at(key)}/rotate", params={"grace_seconds": grace}))


@contextmanager
def _opened(server: str | None, store: str | None) -> Iterator[_Keys]:
    settings = load(store=store)
    show_log(settings)
    if server is not None:
        with client_of(server, settings) as client:
            yield _Served(client)
    else:
        with closing(open_registry(settings.store)) as registry:
            yield _Stored(registry, settings)


def _at(key: str) -> str:
    return f"/v1/keys/{quote(key, safe='')}"


def _show_secret(made: Key, as_json: bool) -> None:
    """Print a key that was just made: the key itself on standard output, and what it is beside that."""
    if as_json:
        typer.echo(json.dumps(made.as_json(), ensure_ascii=False))
        return
    until = "" if made.expires_at is None else f", until {_date(made.expires_at)}"
    limits = [f"only {what} {', '.join(names)}" for what, names in _limits(made) if names]
    about = "; ".join([f"{', '.join(made.scopes)}{until}", *limits])
    typer.echo(f"key {made.id} ({about}), shown now and never again:", err=True)
    typer.echo(made.key)


def _show(found: Key, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    rows: Iterable[tuple[str, str]] = (
        ("id", found.id),
        ("key", f"{found.prefix}…"),
        ("state", found.state),
        ("scopes", ", ".join(found.scopes)),
        *((what, _names(names)) for what, names in _limits(found)),
        ("rates", ", ".join(f"{most} {name.replace('_', ' ')}" for name in _RATES if (most := getattr(found, name)))),
        ("made", f"{_date(found.created_at)} by {found.created_by}"),
        ("expires", _date(found.expires_at)),
        ("last used", _date(found.last_used)),
        ("revoked", _date(found.revoked_at)),
        ("rotated", _date(found.rotated_at)),
        ("old key until", _date(found.old_until)),
        ("note", found.note),
    )
    for name, value in rows:
        if value:
            typer.echo(f"{name:14} {value}")


def _limits(key: Key) -> tuple[tuple[str, list[str] | None], ...]:
    return (("galleries", key.galleries), ("cameras", key.cameras))


def _names(names: list[str] | None) -> str:
    return "all" if names is None else ", ".join(names)


def _date(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
