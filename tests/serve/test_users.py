"""Users over HTTP and on the command line: no password is ever shown, and nobody is allowed more than their maker."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from facegroup.access import passwords
from facegroup.access.users import Users
from facegroup.errors import FacegroupError, InvalidName, LastAdmin, MalformedRequest, WeakPassword
from facegroup.settings import load
from serve.commands import program
from tests.local_server import LocalServer
from tests.serve.keyed import Keyed, Nothing, bearer

USERS = "/v1/users"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    made = Keyed(load(store=f"sqlite:///{tmp_path_factory.mktemp('users')}/g.db", network="retail-0095"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def admin(keyed: Keyed) -> str:
    return keyed.key("admin")


def add(keyed: Keyed, by: str, name: str, role: str = "viewer", **more: Any) -> dict[str, Any]:
    body = {"name": name, "password": PASSWORD, "role": role, **more}
    answer = keyed.api("POST", USERS, json=body, headers=bearer(by))
    assert answer.status_code == 201, answer.text
    assert PASSWORD not in answer.text
    assert "argon2" not in answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_user_from_first_to_last(keyed: Keyed, admin: str) -> None:
    made = add(keyed, admin, "Ada", "editor", galleries=["Köln"])
    path = f"{USERS}/ada"
    assert (made["name"], made["role"], made["galleries"], made["cameras"]) == ("ada", "editor", ["Köln"], None)
    assert (made["state"], made["created_by"]) == ("active", f"key {keyed.id_of(admin)}")
    assert keyed.api("GET", path, headers=bearer(admin)).json() == made
    assert made in keyed.api("GET", USERS, headers=bearer(admin)).json()["users"]
    changed = keyed.api("PATCH", path, json={"role": "viewer", "galleries": None}, headers=bearer(admin)).json()
    assert (changed["role"], changed["galleries"]) == ("viewer", None)
    before = Users(keyed.registry).show("ada").hash
    keyed.api("PATCH", path, json={"password": PASSWORD + "!"}, headers=bearer(admin))
    after = Users(keyed.registry).show("ada").hash
    assert passwords.matches(before, PASSWORD)
    assert passwords.matches(after, PASSWORD + "!")
    disabled = keyed.api("PATCH", path, json={"disabled": True}, headers=bearer(admin)).json()
    assert disabled["state"] == "disabled"
    assert keyed.api("PATCH", path, json={"disabled": True}, headers=bearer(admin)).json() == disabled
    assert keyed.api("PATCH", path, json={}, headers=bearer(admin)).json() == disabled
    assert keyed.api.refused("POST", USERS, json=_body("ADA"), headers=bearer(admin)) == (409, "user_exists")
    assert keyed.api("DELETE", path, headers=bearer(admin)).json()["name"] == "ada"
    for method in ("GET", "PATCH", "DELETE"):
        more: dict[str, Any] = {"json": {}} if method == "PATCH" else {}
        assert keyed.api.refused(method, path, headers=bearer(admin), **more) == (404, "unknown_user")


def _body(name: str = "grace", **more: Any) -> dict[str, Any]:
    return {"name": name, "password": PASSWORD, "role": "viewer", **more}


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        _body(role="root"),
        _body(role=None),
        _body(""),
        _body("ada lovelace"),
        _body("x" * 101),
        _body(password="short"),
        _body(password="x" * 5000),
        _body(password="\ud800" * 20),
        _body(password=None),
        _body(password=12345678901234),
        _body(password="grace"),
        _body("grace.of.choir", password="Grace.Of.Choir"),
        _body(galleries=[]),
        _body(galleries=["a/b"]),
        _body(cameras=["Door"]),
        _body(hash="mine"),
        _body(disabled=True),
    ],
)
def test_bad_users_are_refused(keyed: Keyed, admin: str, body: Any) -> None:
    before = len(Users(keyed.registry).all())
    headers = {"content-type": "application/json", **bearer(admin)}
    answer = keyed.api("POST", USERS, content=json.dumps(body), headers=headers)
    assert answer.status_code in (400, 422)
    assert "12345678901234" not in answer.text
    assert len(Users(keyed.registry).all()) == before


def test_a_limited_admin_sees_and_makes_only_what_is_within(keyed: Keyed, admin: str) -> None:
    limited = keyed.key("admin", galleries=("choir", "band"))
    add(keyed, admin, "wide")
    theirs = add(keyed, limited, "theirs", "admin", galleries=["choir"])
    for galleries in (None, ["secret"]):
        body = _body("other", galleries=galleries)
        assert keyed.api.refused("POST", USERS, json=body, headers=bearer(limited)) == (403, "forbidden")
    assert keyed.api("GET", USERS, headers=bearer(limited)).json() == {"users": [theirs]}
    for method in ("GET", "PATCH", "DELETE"):
        more = {"json": {"password": PASSWORD}} if method == "PATCH" else {}
        for name in ("wide", "nobody"):
            answer = keyed.api.refused(method, f"{USERS}/{name}", headers=bearer(limited), **more)
            assert answer == (404, "unknown_user")
    body = {"galleries": None}
    assert keyed.api.refused("PATCH", f"{USERS}/theirs", json=body, headers=bearer(limited)) == (403, "forbidden")


# The command line


@pytest.fixture(params=["store", "server"])
def users(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """The command `facegroup users`, on a store or through a server."""
    settings = load(store=f"sqlite:///{tmp_path}/g.db", network="retail-0095")
    runner, where = CliRunner(), ["--store", settings.store]
    server = None
    if request.param == "server":
        server = LocalServer.of(settings, Nothing())
        where = ["--server", server.url]

    def run(*words: str, typed: str = "") -> Result:
        return runner.invoke(program(), ["users", *words, *where], input=typed)

    yield run
    if server is not None:
        server.stop()


def shown(done: Result) -> Any:
    assert done.exit_code == 0, (done.output, done.exception)
    assert PASSWORD not in done.output
    return json.loads(done.stdout)


def test_the_command_reads_the_password_from_standard_input(users: Callable[..., Result]) -> None:
    made = shown(users("add", "Ada", "--role", "viewer", "--gallery", "choir", "--json", typed=f"{PASSWORD}\n"))
    assert (made["name"], made["role"], made["galleries"]) == ("ada", "viewer", ["choir"])
    done = users("add", "grace", "--role", "viewer", typed="short\n")
    assert isinstance(done.exception, FacegroupError)


def test_the_commands_on_a_store(tmp_path: Path) -> None:
    runner, where = CliRunner(), ["--store", f"sqlite:///{tmp_path}/g.db"]

    def run(*words: str, typed: str = "") -> Result:
        return runner.invoke(program(), ["users", *words, *where], input=typed)

    first = run("add", "ada", "--role", "admin", typed=f"{PASSWORD}\r\n")
    assert "asks for a key or a sign-in" in first.stderr
    shown(run("add", "grace", "--role", "viewer", "--camera", "door", "--json", typed=PASSWORD))
    for words in (("remove", "ada"), ("disable", "ada"), ("role", "ada", "editor")):
        assert isinstance(run(*words).exception, LastAdmin)
    changed = shown(run("role", "grace", "editor", "--gallery", "choir", "--json"))
    assert (changed["role"], changed["galleries"], changed["cameras"]) == ("editor", ["choir"], ["door"])
    changed = shown(run("role", "grace", "admin", "--everywhere", "--json"))
    assert (changed["role"], changed["galleries"], changed["cameras"]) == ("admin", None, None)
    assert isinstance(run("role", "grace", "admin", "--everywhere", "--gallery", "a").exception, MalformedRequest)
    assert shown(run("disable", "ada", "--json"))["state"] == "disabled"
    assert shown(run("enable", "ada", "--json"))["state"] == "active"
    assert isinstance(run("password", "ada", typed="").exception, MalformedRequest)
    assert isinstance(run("password", "ada", typed="short").exception, WeakPassword)
    assert isinstance(run("show", "a/b").exception, InvalidName)
    assert shown(run("password", "ada", "--json", typed="another long password"))["name"] == "ada"
    assert [each["name"] for each in shown(run("list", "--json"))["users"]] == ["ada", "grace"]
    assert "disabled" not in run("list").stdout
    assert "admin" in run("show", "ada").stdout
    assert shown(run("remove", "ada", "--json"))["name"] == "ada"
