"""Who a server may answer before there is a key."""

import ast
from contextlib import closing
from pathlib import Path

import pytest

from facegroup.access import secrets
from facegroup.access.registry import open_registry
from facegroup.access.types import Grant
from facegroup.errors import InvalidSettings, NoKeys, StoreNotShared
from facegroup.settings import Settings, load
from facegroup.store import open_store
from facegroup.store.audit import Event, Origin
from serve import start_rules

LOOPBACK = ["127.0.0.1", "127.0.0.2", "::1", "localhost", "LOCALHOST"]
OTHERS = ["0.0.0.0", "::", "192.168.1.20", "faces.lan", "localhost.evil.example", "127.0.0.1.evil.example", "", "1"]


def settings(folder: Path, host: str = "127.0.0.1", **access: object) -> Settings:
    return load(store=f"sqlite:///{folder}/g.db", host=host, access=access)


def checked(given: Settings, *, everywhere: bool = False) -> tuple[str, list[str]]:
    """Return the mode, and what was said."""
    said: list[str] = []
    return start_rules.checked(given, said.append, everywhere=everywhere).access.mode, said


def add_key(folder: Path) -> None:
    registry = open_registry(f"sqlite:///{folder}/g.db")
    registry.add(Grant(frozenset({"admin"})))
    registry.close()


def noted(folder: Path) -> list[Event]:
    """Return what is in the server's own audit log."""
    with closing(open_store(f"sqlite:///{folder}/g.db")) as store:
        entries = store.audit("")
    assert {each.origin for each in entries} == {Origin("server")}
    return [each.event for each in entries]


@pytest.mark.parametrize("host", LOOPBACK)
def test_on_loopback_nothing_is_asked(tmp_path: Path, host: str) -> None:
    assert checked(settings(tmp_path, host)) == ("auto", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("host", OTHERS)
def test_off_loopback_there_is_no_start_without_keys(tmp_path: Path, host: str) -> None:
    with pytest.raises(NoKeys) as refused:
        checked(settings(tmp_path, host))
    assert f"facegroup keys add --role admin --store sqlite:///{tmp_path}/g.db" in str(refused.value)
    assert "--open" in str(refused.value)
    add_key(tmp_path)
    assert checked(settings(tmp_path, host)) == ("keys", [])


def test_a_cluster_listens_everywhere(tmp_path: Path) -> None:
    with pytest.raises(NoKeys, match="on all addresses"):
        checked(settings(tmp_path), everywhere=True)
    add_key(tmp_path)
    assert checked(settings(tmp_path), everywhere=True) == ("keys", [])


def test_keys_on_loopback_if_you_want(tmp_path: Path) -> None:
    with pytest.raises(NoKeys):
        checked(settings(tmp_path, mode="keys"))
    add_key(tmp_path)
    assert checked(settings(tmp_path, mode="keys")) == ("keys", [])
    assert checked(settings(tmp_path)) == ("auto", [])


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_open_says_what_it_is(tmp_path: Path, host: str) -> None:
    assert checked(settings(tmp_path, host, mode="open")) == ("open", [start_rules.OPEN])
    assert checked(settings(tmp_path, host, mode="open"), everywhere=True) == ("open", [start_rules.OPEN])
    assert noted(tmp_path) == [Event("opened"), Event("opened")]


def test_an_open_start_that_cannot_be_noted_is_said(tmp_path: Path) -> None:
    (tmp_path / "g.db").write_text("no database, whatever it is" * 100)
    _, (_, said) = checked(settings(tmp_path, mode="open"))
    assert said.startswith("the audit entry opened cannot be written: ")


def test_the_first_start_makes_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "data" / "admin.key"
    given = settings(tmp_path, "0.0.0.0", first_key=path)
    mode, (said,) = checked(given)
    assert mode == "keys"
    assert str(path) in said
    assert secrets.read(path.read_text().strip()) is not None
    assert path.read_text().strip() not in said
    with closing(open_registry(given.store)) as registry:
        (key,) = registry.all()
    assert checked(given) == ("keys", [])
    assert noted(tmp_path) == [Event("key_made", None, {"key": key.id, "from": "access.first_key"})]
    path.unlink()
    assert checked(given) == ("keys", [])
    assert not path.exists()


def test_a_first_key_that_cannot_be_made_ends_the_start(tmp_path: Path) -> None:
    path = tmp_path / "admin.key"
    path.write_text("no key")
    for host in ("0.0.0.0", "127.0.0.1"):
        with pytest.raises(InvalidSettings, match="first_key"):
            checked(settings(tmp_path, host, first_key=path))


def test_a_store_that_is_away_ends_no_start_and_admits_nobody() -> None:
    given = load(store="redis://me:hunter2@127.0.0.1:1/0", host="0.0.0.0")
    mode, (said,) = checked(given)
    assert mode == "keys"
    assert "nobody is admitted" in said
    assert "hunter2" not in said
    assert "hunter2" not in start_rules._command(given.store)


@pytest.mark.parametrize("mode", ["auto", "keys"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_first_key_that_the_store_cannot_take_yet_ends_no_start(tmp_path: Path, host: str, mode: str) -> None:
    path = tmp_path / "admin.key"
    given = load(store="redis://127.0.0.1:1/0", host=host, access={"mode": mode, "first_key": path})
    found, (said,) = checked(given)
    assert found == ("auto" if (host, mode) == ("127.0.0.1", "auto") else "keys")
    assert "nobody is admitted" in said
    assert not path.exists()


@pytest.mark.parametrize(
    ("store", "shown"),
    [
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("redis://me:hunter2@h:6379/0", "redis://h:6379/0 (with the user"),
        ("rediss://:hunter2@h:6379/3?ssl_keyfile=/etc/hunter2", "rediss://h:6379/3 (with the user"),
        ("redis+sentinel://me:hunter2@a:1,b:2/main/0", "redis+sentinel://a:1,b:2/main/0 (with the user"),
        ("redis://me:hunter2/@h/0", "'redis://…' (with the user"),
    ],
)
def test_the_command_names_a_redis_without_its_secrets(store: str, shown: str) -> None:
    command = start_rules._command(store)
    assert command.startswith(f"facegroup keys add --role admin --store {shown}")
    assert "hunter2" not in command
    assert ("(with" in command) == ("hunter2" in store)


def test_on_a_cluster_there_is_no_option_to_name(tmp_path: Path) -> None:
    with pytest.raises(NoKeys) as refused:
        checked(settings(tmp_path), everywhere=True)
    assert "access.first_key" in str(refused.value)
    assert "access.mode to open" in str(refused.value)
    assert "--open" not in str(refused.value)
    assert f"facegroup keys add --role admin --store sqlite:///{tmp_path}/g.db." in str(refused.value)


def test_a_path_of_a_store_can_be_pasted_into_a_shell() -> None:
    assert ast.literal_eval(start_rules._command("sqlite:///a b;c").rpartition("--store ")[2]) == "sqlite:///a b;c"


FILE = "sqlite:////var/lib/facegroup/gallery.db"
REDIS = "redis://redis:6379/0"


@pytest.mark.parametrize(
    ("store", "nodes", "named", "refused"),
    [
        (REDIS, 1, True, False),
        (REDIS, 3, True, False),
        ("rediss://redis:6379/0", 2, False, False),
        (FILE, 1, True, False),
        (FILE, 2, True, True),
        (FILE, 2, False, True),
        ("sqlite:///gallery.db", 3, True, True),
        (None, 1, False, False),
        (None, 1, True, True),
        (None, 2, False, True),
    ],
)
def test_several_machines_share_one_store(
    store: str | None, nodes: int, named: bool, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FACEGROUP_STORE", raising=False)
    given = load(store=store)
    if not refused:
        start_rules.check_shared(given, nodes, named=named)
        return
    with pytest.raises(StoreNotShared, match="a gallery of its own") as raised:
        start_rules.check_shared(given, nodes, named=named)
    assert raised.value.code == "store_not_shared"
    assert "redis://" in raised.value.detail


def test_a_store_in_a_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGROUP_STORE", REDIS)
    start_rules.check_shared(load(), 2)
