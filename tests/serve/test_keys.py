"""Keys over HTTP and on the command line: made once, shown never again, and never more than their maker has."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from facegroup.access import secrets
from facegroup.access.types import SCOPES
from facegroup.client import Client
from facegroup.errors import FacegroupError, Forbidden, MalformedRequest, Unauthorised
from facegroup.settings import load
from serve.api import build_api
from serve.commands import program
from tests.local_server import LocalServer
from tests.serve.driver import Api
from tests.serve.keyed import Keyed, Nothing, bearer

KEYS = "/v1/keys"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    made = Keyed(load(store=f"sqlite:///{tmp_path_factory.mktemp('keys')}/g.db", network="retail-0095"))
    yield made
    made.close()


@pytest.fixture
def admin(keyed: Keyed) -> str:
    return keyed.key("admin")


def make(keyed: Keyed, by: str, **body: Any) -> dict[str, Any]:
    answer = keyed.api("POST", KEYS, json=body, headers=bearer(by))
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_key_is_shown_once(keyed: Keyed, admin: str) -> None:
    made = make(
        keyed, admin, scopes=["identify"], galleries=["Köln"], note="the door", expires_at="2040-01-31T12:00:00Z"
    )
    assert secrets.read(made["key"]) is not None
    shown = keyed.api("GET", f"{KEYS}/{made['id']}", headers=bearer(admin)).json()
    assert "key" not in shown
    assert shown == {name: value for name, value in made.items() if name != "key"}
    assert (shown["state"], shown["galleries"], shown["cameras"], shown["note"]) == (
        "active",
        ["Köln"],
        None,
        "the door",
    )
    assert shown["created_by"] == f"key {keyed.id_of(admin)}"
    listed = keyed.api("GET", KEYS, headers=bearer(admin))
    assert shown in listed.json()["keys"]
    assert made["key"] not in listed.text
    assert "hash" not in listed.text
    assert keyed.api("GET", "/v1/galleries/Köln", headers=bearer(made["key"])).status_code == 503


def test_a_revoked_key_is_refused_and_stays_in_the_list(keyed: Keyed, admin: str) -> None:
    made = make(keyed, admin, scopes=["identify"])
    gone = keyed.api("DELETE", f"{KEYS}/{made['id']}", headers=bearer(admin)).json()
    assert gone["state"] == "revoked"
    assert keyed.api("DELETE", f"{KEYS}/{made['id']}", headers=bearer(admin)).json() == gone
    assert keyed.api("GET", "/v1/galleries", headers=bearer(made["key"])).status_code == 401
    assert keyed.api.refused("POST", f"{KEYS}/{made['id']}/rotate", headers=bearer(admin)) == (409, "key_ended")


def test_rotation(keyed: Keyed, admin: str) -> None:
    made = make(keyed, admin, scopes=["identify"])
    new = keyed.api("POST", f"{KEYS}/{made['id']}/rotate?grace_seconds=60", headers=bearer(admin)).json()
    assert new["id"] == made["id"]
    assert new["key"] != made["key"]
    assert abs(new["old_until"] - time.time() - 60) < 5
    for key in (made["key"], new["key"]):
        assert keyed.api("GET", "/v1/galleries", headers=bearer(key)).status_code == 503
    assert (
        keyed.api("POST", f"{KEYS}/{made['id']}/rotate?grace_seconds=0", headers=bearer(admin)).json()["old_until"]
        is None
    )
    assert keyed.api("GET", "/v1/galleries", headers=bearer(new["key"])).status_code == 401
    for grace in ("-1", "nan", "inf", "1e9", "x"):
        path = f"{KEYS}/{made['id']}/rotate?grace_seconds={grace}"
        assert keyed.api.refused("POST", path, headers=bearer(admin)) == (400, "malformed_request")


def test_a_key_rotates_itself(keyed: Keyed) -> None:
    admin = keyed.key("admin")
    new = keyed.api("POST", f"{KEYS}/{keyed.id_of(admin)}/rotate?grace_seconds=0", headers=bearer(admin)).json()
    assert keyed.api("GET", KEYS, headers=bearer(admin)).status_code == 401
    assert keyed.api("GET", KEYS, headers=bearer(new["key"])).status_code == 200


def test_the_last_admin_key(tmp_path: Path) -> None:
    keyed = Keyed(load(store=f"sqlite:///{tmp_path}/g.db", network="retail-0095"))
    admin = keyed.key("admin")
    path = f"{KEYS}/{keyed.id_of(admin)}"
    assert keyed.api.refused("DELETE", path, headers=bearer(admin)) == (409, "last_admin_key")
    assert keyed.api("DELETE", f"{path}?force=true", headers=bearer(admin)).status_code == 200
    assert keyed.api("GET", KEYS, headers=bearer(admin)).status_code == 401
    keyed.close()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scopes": []},
        {"scopes": ["root"]},
        {"scopes": "admin"},
        {"scopes": ["identify"], "galleries": []},
        {"scopes": ["identify"], "galleries": ["a/b"]},
        {"scopes": ["identify"], "galleries": ["x"] * 101},
        {"scopes": ["identify"], "galleries": "choir"},
        {"scopes": ["identify"], "cameras": ["Door"]},
        {"scopes": ["identify"], "expires_at": "soon"},
        {"scopes": ["identify"], "expires_at": -1},
        {"scopes": ["identify"], "expires_at": 1},
        {"scopes": ["identify"], "expires_at": "2020-01-31T12:00:00Z"},
        {"scopes": ["identify"], "expires_at": 1e300},
        {"scopes": ["identify"], "note": "n" * 201},
        {"scopes": ["identify"], "note": "\x1b[31m"},
        {"scopes": ["identify"], "note": "\ud800"},
        {"scopes": ["identify"], "hash": "0"},
        {"scopes": ["identify"], "key": "fg_mine"},
        [],
        None,
    ],
)
def test_bad_keys_are_refused(keyed: Keyed, admin: str, body: Any) -> None:
    before = len(keyed.registry.all())
    answer = keyed.api(
        "POST", KEYS, content=json.dumps(body), headers={"content-type": "application/json", **bearer(admin)}
    )
    assert answer.status_code in (400, 422)
    assert len(keyed.registry.all()) == before


@pytest.mark.parametrize("key", ["nobody", "x" * 64, "0"])
def test_ids_of_no_key(keyed: Keyed, admin: str, key: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
        assert keyed.api.refused(method, f"{KEYS}/{key}{path}", headers=bearer(admin)) == (404, "unknown_key")
    assert keyed.api.refused("GET", f"{KEYS}/Not%20An%20Id", headers=bearer(admin)) == (422, "invalid_name")


def test_a_limited_admin_sees_and_makes_only_what_is_within(keyed: Keyed, admin: str) -> None:
    limited = keyed.key("admin", galleries=("choir", "band"), expires_at=time.time() + 3600)
    theirs = make(keyed, limited, scopes=["identify"], galleries=["choir"], expires_at=time.time() + 60)
    wider = make(keyed, admin, scopes=["identify"])
    other = make(keyed, admin, scopes=["identify"], galleries=["band", "secret"])
    for body in (
        {"scopes": ["admin"]},
        {"scopes": ["identify"]},
        {"scopes": ["identify"], "galleries": ["secret"], "expires_at": time.time() + 60},
        {"scopes": ["identify"], "galleries": ["choir"]},
        {"scopes": ["identify"], "galleries": ["choir"], "expires_at": time.time() + 7200},
    ):
        assert keyed.api.refused("POST", KEYS, json=body, headers=bearer(limited)) == (403, "forbidden")
    listed = {each["id"] for each in keyed.api("GET", KEYS, headers=bearer(limited)).json()["keys"]}
    assert listed == {theirs["id"], keyed.id_of(limited)}
    for hidden in (wider["id"], other["id"], keyed.id_of(admin)):
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
            there = keyed.api(method, f"{KEYS}/{hidden}{path}", headers=bearer(limited)).json()
            gone = keyed.api(method, f"{KEYS}/{hidden[::-1]}{path}", headers=bearer(limited)).json()
            assert there["detail"].replace(hidden, "") == gone["detail"].replace(hidden[::-1], "")
            assert there["code"] == gone["code"] == "unknown_key"
    eternal = make(keyed, admin, scopes=["identify"], galleries=["choir"])
    assert keyed.api.refused("POST", f"{KEYS}/{eternal['id']}/rotate", headers=bearer(limited)) == (403, "forbidden")
    assert keyed.api("DELETE", f"{KEYS}/{eternal['id']}", headers=bearer(limited)).status_code == 200


def test_the_first_key_closes_an_open_server(tmp_path: Path) -> None:
    api = Api(build_api(load(store=f"sqlite:///{tmp_path}/g.db", network="retail-0095"), Nothing()))
    assert api("GET", KEYS).json() == {"keys": []}
    made = api("POST", KEYS, json={"scopes": ["admin"]}).json()
    assert made["created_by"].startswith("http ")
    assert api("GET", KEYS).status_code == 401
    assert api("GET", KEYS, headers=bearer(made["key"])).status_code == 200


# The command line and the client


@pytest.fixture(params=["store", "server"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Result]]:
    """The command `facegroup keys`, on a store or through a server."""
    settings = load(store=f"sqlite:///{tmp_path}/g.db", network="retail-0095")
    runner, where = CliRunner(), ["--store", settings.store]
    server = None
    if request.param == "server":
        server = LocalServer.of(settings, Nothing())
        where = ["--server", server.url]

    def run(*words: str) -> Result:
        return runner.invoke(program(), ["keys", *words, *where])

    yield run
    if server is not None:
        server.stop()


def test_the_command_line(keys: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    made = keys("add", "--role", "admin", "--note", "me")
    assert made.exit_code == 0, made.output
    admin = made.stdout.strip().splitlines()[-1]
    assert secrets.read(admin) is not None
    assert "never again" in made.stderr
    monkeypatch.setenv("FACEGROUP_CLIENT_KEY", admin)
    limited = json.loads(keys("add", "--scope", "identify", "--scope", "events", "--gallery", "Köln", "--json").stdout)
    assert (limited["scopes"], limited["galleries"]) == (["events", "identify"], ["Köln"])
    expiring = json.loads(keys("add", "--role", "viewer", "--expires", "2040-01-31T12:00:00Z", "--json").stdout)
    assert expiring["expires_at"] == datetime(2040, 1, 31, 12, tzinfo=UTC).timestamp()
    listed = json.loads(keys("list", "--json").stdout)["keys"]
    assert [each["id"] for each in listed][1:] == [limited["id"], expiring["id"]]
    assert limited["prefix"] in keys("list").stdout
    assert limited["key"] not in keys("list").stdout + keys("show", limited["id"]).stdout
    assert "Köln" in keys("show", limited["id"]).stdout
    rotated = keys("rotate", limited["id"], "--grace", "0").stdout.strip().splitlines()[-1]
    assert secrets.read(rotated) is not None
    assert rotated != limited["key"]
    assert "revoked" in keys("revoke", limited["id"]).stdout
    for words, code in (
        (("show", "nobody"), "unknown_key"),
        (("rotate", limited["id"]), "key_ended"),
        (("revoke", listed[0]["id"]), "last_admin_key"),
        (("add",), "malformed_request"),
        (("add", "--scope", "root"), "malformed_request"),
        (("add", "--scope", "identify", "--gallery", "a/b"), "invalid_name"),
        (("add", "--scope", "identify", "--expires", "soon"), "malformed_request"),
    ):
        refused = keys(*words).exception
        assert isinstance(refused, FacegroupError), words
        assert refused.code == code
    assert keys("revoke", listed[0]["id"], "--force").exit_code == 0


def test_a_grace_is_no_longer_than_the_page_says(keys: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    made = json.loads(keys("add", "--role", "admin", "--json").stdout)
    monkeypatch.setenv("FACEGROUP_CLIENT_KEY", made["key"])
    for grace in ("720.1", "721", "1e9", "inf", "-1", "nan", "soon"):
        assert keys("rotate", made["id"], "--grace", grace).exit_code != 0, grace
    assert json.loads(keys("show", made["id"], "--json").stdout)["rotated_at"] is None
    assert keys("rotate", made["id"], "--grace", "720").exit_code == 0


@pytest.mark.parametrize("note", ["[/x]", "[bold]me[/bold]", "[link=http://x]y", ":smile: [red", "[0m"])
def test_notes_are_shown_as_they_are(keys: Callable[..., Result], note: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = json.loads(keys("add", "--role", "admin", "--note", note, "--json").stdout)
    monkeypatch.setenv("FACEGROUP_CLIENT_KEY", made["key"])
    for words in (("list",), ("show", made["id"])):
        done = keys(*words)
        assert done.exit_code == 0, done.exception
        assert note in done.stdout


def test_a_key_that_is_made_for_a_file() -> None:
    done = CliRunner().invoke(program(), ["keys", "make"])
    assert secrets.read(done.stdout.strip()) is not None


def test_the_client_sends_its_key(tmp_path: Path) -> None:
    settings = load(store=f"sqlite:///{tmp_path}/g.db", network="retail-0095")
    keyed = Keyed(settings)
    server = LocalServer.of(keyed.settings, Nothing())
    try:
        key, other = keyed.key("admin"), secrets.make().text
        with Client(server.url, key=key) as client:
            assert len(client.call("GET", KEYS)["keys"]) == 1
        with Client(server.url, key=keyed.key("identify")) as client, pytest.raises(Forbidden):
            client.call("GET", KEYS)
        with Client(server.url) as client, pytest.raises(Unauthorised, match="Bearer"):
            client.galleries()
        with Client(server.url, key=other) as client, pytest.raises(Unauthorised) as refused:
            next(client.follow())
        assert other not in str(refused.value)
        # A user and a password are for a proxy in front.
        with Client(server.url.replace("//", "//me:secret@"), key=key) as client:
            assert client.call("GET", KEYS)
    finally:
        server.stop()
        keyed.close()


@pytest.mark.parametrize("key", ["", "two words", "fg_\n", "fg_é", "\x00", "x" * 2000])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(MalformedRequest) as refused:
        Client("http://127.0.0.1:9", key=key)
    assert not key.strip() or key not in str(refused.value)


def test_every_scope_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "access.md").read_text()
    assert all(f"`{scope}`" in text for scope in SCOPES)
