"""The commands on users: `facegroup users add | list | show | password | role | disable | enable | remove`."""

import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol
from urllib.parse import quote

import typer
from rich.table import Table

from facegroup.access import passwords
from facegroup.access.people import user_name
from facegroup.access.registry import Registry, open_registry
from facegroup.access.types import Role
from facegroup.access.users import Users
from facegroup.cli.options import AsJson, Server, Store
from facegroup.cli.output import client_of, show_log, show_table
from facegroup.client import Client
from facegroup.errors import MalformedRequest
from facegroup.settings import Settings, load
from facegroup.store import server_log
from facegroup.store.audit import Event
from facegroup.wire.users import User

app = typer.Typer(name="users", help="People who sign in on the page: docs/access.md.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="by which the user signs in")]
Galleries = Annotated[list[str] | None, typer.Option("--gallery", help="only this gallery; again for more")]
Cameras = Annotated[list[str] | None, typer.Option("--camera", help="only this camera, by id; again for more")]


def add_commands(into: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    into.add_typer(app)


@app.command("add")
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="viewer, editor or admin")],
    gallery: Galleries = None,
    camera: Cameras = None,
    server: Server = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Add a user. The password is asked for, or read from standard input."""
    known = user_name(name)
    body = {"name": known, "role": role, "galleries": gallery or None, "cameras": camera or None}
    with _opened(server, store) as users:
        _show(users.add({**body, "password": _password(known)}), as_json)


@app.command("list")
def show_all(server: Server = None, store: Store = None, as_json: AsJson = False) -> None:
    """List the users."""
    with _opened(server, store) as users:
        found = users.all()
    if as_json:
        typer.echo(json.dumps({"users": [each.as_json() for each in found]}, ensure_ascii=False))
        return
    table = Table("name", "role", "state", "galleries", "cameras", "last used", box=None)
    for each in found:
        names = (_names(each.galleries), _names(each.cameras))
        table.add_row(each.name, each.role, each.state, *names, _date(each.last_used))
    show_table(table)


@app.command("show")
def show(name: Name, server: Server = None, store: Store = None, as_json: AsJson = False) -> None:
    """Show a user."""
    with _opened(server, store) as users:
        _show(users.show(name), as_json)


@app.command("password")
def password(name: Name, server: Server = None, store: Store = None, as_json: AsJson = False) -> None:
    """Set a user's password, which is asked for or read from standard input, and end their sessions."""
    with _opened(server, store) as users:
        _show(users.change(name, {"password": _password(user_name(name))}), as_json)


@app.command("role")
def role(
    name: Name,
    new: Annotated[Role, typer.Argument(help="viewer, editor or admin", metavar="ROLE")],
    gallery: Galleries = None,
    camera: Cameras = None,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="for all galleries and cameras")] = False,
    server: Server = None,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Change what a user may do. Their limits stay unless you give new ones, or --everywhere."""
    body: dict[str, Any] = {"role": new}
    if everywhere and (gallery or camera):
        raise MalformedRequest("give --everywhere, or --gallery and --camera, not both")
    for what, names in (("galleries", gallery), ("cameras", camera)):
        if names or everywhere:
            body[what] = names or None
    with _opened(server, store) as users:
        _show(users.change(name, body), as_json)


@app.command("disable")
def disable(name: Name, server: Server = None, store: Store = None, as_json: AsJson = False) -> None:
    """Let a user sign in no more, and end their sessions."""
    with _opened(server, store) as users:
        _show(users.change(name, {"disabled": True}), as_json)


@app.command("enable")
def enable(name: Name, server: Server = None, store: Store = None, as_json: AsJson = False) -> None:
    """Let a user who was disabled sign in again."""
    with _opened(server, store) as users:
        _show(users.change(name, {"disabled": False}), as_json)


@app.command("remove")
def remove(name: Name, server: Server = None, store: Store = None, as_json: AsJson = False) -> None:
    """Remove a user, and end their sessions."""
    with _opened(server, store) as users:
        _show(users.remove(name), as_json)


class _Users(Protocol):
    """The users of a server, or of a store."""

    def add(self, body: dict[str, Any]) -> User: ...
    def all(self) -> list[User]: ...
    def show(self, name: str) -> User: ...
    def change(self, name: str, body: dict[str, Any]) -> User: ...
    def remove(self, name: str) -> User: ...


class _Stored:
    """Class of the users of a store on this machine, or that it reaches."""

    def __init__(self, registry: Registry, settings: Settings) -> None:
        self._registry = registry
        self._settings = settings
        self._users = Users(registry)

    def add(self, body: dict[str, Any]) -> User:
        hashed, limits = self._hashed(body, body["name"]), (_tuple(body["galleries"]), _tuple(body["cameras"]))
        first = self._registry.version() == 0
        made = self._users.add(body["name"], hashed or "", body["role"], *limits, "cli")
        self._note("user_added", made.name)
        if first:
            typer.echo("from now on every server of this store asks for a key or a sign-in", err=True)
        return User.of(made)

    def all(self) -> list[User]:
        return [User.of(each) for each in self._users.all()]

    def show(self, name: str) -> User:
        return User.of(self._users.show(name))

    def change(self, name: str, body: dict[str, Any]) -> User:
        found = self._users.show(name)
        limits = tuple(
            _tuple(body[what]) if what in body else getattr(found, what) for what in ("galleries", "cameras")
        )
        changed = self._users.change(
            name,
            hashed=self._hashed(body, found.name),
            role=body.get("role"),
            limits=(limits[0], limits[1]),
            disabled=body.get("disabled"),
        )
        self._note("user_changed", changed.name, fields=sorted(body))
        return User.of(changed)

    def remove(self, name: str) -> User:
        gone = self._users.remove(name)
        self._note("user_removed", gone.name)
        return User.of(gone)

    def _note(self, what: str, user: str, **more: Any) -> None:
        if fault := server_log.note(self._settings, Event(what, None, {"user": user, **more}), "cli"):
            typer.echo(fault, err=True)

    def _hashed(self, body: dict[str, Any], name: str) -> str | None:
        return passwords.hashed(passwords.checked(body["password"], name)) if "password" in body else None


class _Served:
    """Class of the users of a server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def add(self, body: dict[str, Any]) -> User:
        return User.model_validate(self._client.call("POST", "/v1/users", json=body))

    def all(self) -> list[User]:
        return [User.model_validate(each) for each in self._client.call("GET", "/v1/users")["users"]]

    def show(self, name: str) -> User:
        return User.model_validate(self._client.call("GET", _at(name)))

    def change(self, name: str, body: dict[str, Any]) -> User:
        return User.model_validate(self._client.call("PATCH", _at(name), json=body))

    def remove(self, name: str) -> User:
        return User.model_validate(self._client.call("DELETE", _at(name)))


@contextmanager
def _opened(server: str | None, store: str | None) -> Iterator[_Users]:
    settings = load(store=store)
    show_log(settings)
    if server is not None:
        with client_of(server, settings) as client:
            yield _Served(client)
    else:
        with closing(open_registry(settings.store)) as registry:
            yield _Stored(registry, settings)


def _password(name: str) -> str:
    """Return a password that is typed twice, or the first line of standard input. It is never an argument."""
    if sys.stdin.isatty():
        typed: str = typer.prompt(f"password of {name}", hide_input=True, confirmation_prompt=True, err=True)
        return typed
    line = sys.stdin.readline(8 * passwords.LONGEST).removesuffix("\n").removesuffix("\r")
    if not line:
        raise MalformedRequest("the first line of standard input is empty; write the password there, or use a terminal")
    return line


def _at(name: str) -> str:
    return f"/v1/users/{quote(name, safe='')}"


def _show(found: User, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False))
        return
    rows = (
        ("name", found.name),
        ("role", found.role),
        ("state", found.state),
        ("galleries", _names(found.galleries)),
        ("cameras", _names(found.cameras)),
        ("added", f"{_date(found.created_at)} by {found.created_by}"),
        ("password set", _date(found.password_at)),
        ("last used", _date(found.last_used)),
        ("disabled", _date(found.disabled_at)),
    )
    for name, value in rows:
        if value:
            typer.echo(f"{name:14} {value}")


def _names(names: list[str] | None) -> str:
    return "all" if names is None else ", ".join(names)


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)


def _date(at: float | None) -> str:
    return "" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
