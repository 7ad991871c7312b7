"""The registry on each store: what is kept of a key, and what a change may and may not do."""

import math
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from facegroup.access import registry as registries
from facegroup.access import secrets
from facegroup.access.registry import PLACE, Registry, open_registry
from facegroup.access.types import Caller, Grant, Key, RateLimits, Scope
from facegroup.errors import Forbidden, KeyEnded, LastAdminKey, MalformedRequest, TooManyKeys, UnknownKey
from facegroup.store.rows import may_be_there, open_rows
from facegroup.store.rows.rows import Put, Span
from tests.unit.access.times import Times

ADMIN = Grant(frozenset({"admin"}))


def grant(*scopes: Scope, **more: Any) -> Grant:
    return Grant(frozenset(scopes or ("identify",)), **more)


def caller(given: Grant) -> Caller:
    return Caller("maker", "key", "", given)


def test_a_key_is_kept_as_it_was_made(registry: Registry, times: Times, url: str) -> None:
    assert registry.version() == 0
    wanted = grant(
        "enrol", galleries=("chœur",), cameras=("door",), expires_at=times.day + 9, limits=RateLimits(3, 4, 5)
    )
    key, secret = registry.add(wanted, "the door", "cli")
    again = open_registry(url)
    assert again.all() == [key]
    assert (key.grant, key.note, key.created_by, key.created_at) == (wanted, "the door", "cli", times.day)
    assert (key.prefix, key.hash) == (secret.prefix, secret.hash)
    again.close()


def test_a_key_that_would_never_hold_is_not_made(registry: Registry, times: Times) -> None:
    for past in (1.0, times.day - 1, times.day):
        with pytest.raises(MalformedRequest, match="in the past"):
            registry.add(grant(expires_at=past))
    registry.add(grant(expires_at=times.day + 0.001))


def test_nothing_stored_is_the_key(registry: Registry, tmp_path: Path) -> None:
    _, secret = registry.add(ADMIN)
    rows = registry._rows.page("keys", Span(10))
    assert all(secret.text.encode() not in row.value and secret.text[12:].encode() not in row.value for row in rows)
    for file in tmp_path.iterdir():
        assert secret.text[12:].encode() not in file.read_bytes()


def test_every_change_raises_the_version(registry: Registry) -> None:
    versions = [registry.version()]
    key, _ = registry.add(ADMIN)
    versions.append(registry.version())
    registry.add(ADMIN)
    versions.append(registry.version())
    registry.rotate(key.id)
    versions.append(registry.version())
    registry.revoke(key.id)
    versions.append(registry.version())
    assert versions == sorted(set(versions))
    registry.touch({key.id: 5.0})
    assert registry.version() == versions[-1]


def test_a_store_that_lost_its_keys_does_not_come_back_to_a_known_version(
    registry: Registry, times: Times, redis_url: str
) -> None:
    rows = open_rows(redis_url, PLACE)
    one = Registry(rows, times.wall)
    one.add(ADMIN)
    before = one.version()
    rows._server.write(("FLUSHALL",))  # type: ignore[attr-defined]
    assert one.version() == 0
    times.pass_by(1)
    one.add(ADMIN)
    assert one.version() != before
    one.close()


def test_last_use_is_shown(registry: Registry) -> None:
    key, _ = registry.add(ADMIN)
    assert registry.all()[0].last_used is None
    registry.touch({key.id: 1234.0})
    assert registry.all()[0].last_used == 1234.0


def test_a_revoked_key_stays_in_the_list(registry: Registry, times: Times) -> None:
    key, _ = registry.add(grant())
    registry.rotate(key.id)
    times.pass_by(5)
    gone = registry.revoke(key.id)
    assert gone.revoked_at == times.day
    assert not gone.old_hash
    times.pass_by(5)
    assert registry.revoke(key.id) == gone
    assert [each.revoked_at for each in registry.all()] == [gone.revoked_at]


@pytest.mark.parametrize("key_id", ["", "nobody", "x" * 1000, "\x00", "a' OR 1=1", "\udcff"])
def test_ids_of_no_key(registry: Registry, key_id: str) -> None:
    for change in (registry.revoke, registry.rotate):
        with pytest.raises(UnknownKey):
            change(key_id)


def test_the_last_admin_key_is_kept_from_accidents(registry: Registry, times: Times) -> None:
    one, _ = registry.add(ADMIN)
    registry.add(grant("admin", galleries=("choir",)))  # cannot make keys for everything
    ended, _ = registry.add(grant("admin", expires_at=times.day + 1))
    times.pass_by(1)
    registry.revoke(ended.id)
    with pytest.raises(LastAdminKey, match="keys add"):
        registry.revoke(one.id)
    two, _ = registry.add(ADMIN)
    registry.revoke(one.id)
    with pytest.raises(LastAdminKey):
        registry.revoke(two.id)
    assert registry.revoke(two.id, force=True).revoked_at is not None


def test_two_who_revoke_at_once_leave_one_admin_key(registry: Registry, url: str) -> None:
    keys = [registry.add(ADMIN)[0] for _ in range(2)]

    def revoke(key: Key) -> str:
        other = open_registry(url)
        try:
            other.revoke(key.id)
        except LastAdminKey:
            return "kept"
        finally:
            other.close()
        return "revoked"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(revoke, keys)) == ["kept", "revoked"]


def test_the_old_secret_holds_for_its_grace(registry: Registry, times: Times) -> None:
    key, old = registry.add(grant("identify", expires_at=times.day + 1000))
    new, secret = registry.rotate(key.id, 60)
    assert (new.id, new.grant, new.created_at) == (key.id, key.grant, key.created_at)
    assert (new.prefix, new.hash) == (secret.prefix, secret.hash)
    assert (new.old_prefix, new.old_hash, new.old_until) == (old.prefix, old.hash, times.day + 60)
    newest, _ = registry.rotate(key.id, -5)
    assert (newest.old_hash, newest.old_until) == (secret.hash, times.day)
    assert registry.rotate(key.id, 1e300)[0].old_until <= times.day + registries.MOST_GRACE_SECONDS


def test_a_key_that_does_not_hold_is_not_rotated(registry: Registry, times: Times) -> None:
    revoked, _ = registry.add(grant())
    registry.revoke(revoked.id)
    expired, _ = registry.add(grant(expires_at=times.day + 5))
    times.pass_by(5)
    for key in (revoked, expired):
        with pytest.raises(KeyEnded):
            registry.rotate(key.id)


@pytest.mark.parametrize(
    ("maker", "wanted"),
    [
        (grant("enrol"), grant("manage")),
        (grant("enrol"), ADMIN),
        (grant("admin", galleries=("choir",)), ADMIN),
        (grant("admin", galleries=("choir",)), grant("identify", galleries=("choir", "other"))),
        (grant("admin", cameras=("door",)), grant("cameras")),
        (grant("admin", expires_at=1_900_000_000.0), grant("identify")),
        (grant("admin", expires_at=1_900_000_000.0), grant("identify", expires_at=1_900_000_001.0)),
        (grant("admin", limits=RateLimits(photos=1)), grant("identify")),
    ],
)
def test_nobody_makes_or_rotates_a_key_that_may_more(registry: Registry, maker: Grant, wanted: Grant) -> None:
    with pytest.raises(Forbidden):
        registry.add(wanted, maker=caller(maker))
    assert registry.all() == []
    key, _ = registry.add(wanted)
    with pytest.raises(Forbidden):
        registry.rotate(key.id, maker=caller(maker))
    assert registry.all() == [key]


def test_no_two_keys_have_a_prefix_in_common(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = secrets.make(), secrets.make(), secrets.make()
    made = iter([first, first, second, second, first, third])
    monkeypatch.setattr(registries, "make", lambda: next(made))
    assert registry.add(grant())[1] == first
    key, secret = registry.add(grant())
    assert secret == second
    assert registry.rotate(key.id)[1] == third


def test_too_many_keys(registry: Registry, times: Times, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "MOST", 3)
    keys = [registry.add(grant())[0] for _ in range(3)]
    with pytest.raises(TooManyKeys):
        registry.add(grant())
    registry.revoke(keys[1].id)
    new, _ = registry.add(grant())
    assert {each.id for each in registry.all()} == {keys[0].id, keys[2].id, new.id}


def test_a_first_key_is_only_the_first(registry: Registry) -> None:
    secret = secrets.make()
    key = registry.add_first(secret, "first")
    assert key is not None
    assert (key.hash, key.grant) == (secret.hash, ADMIN)
    assert registry.add_first(secrets.make()) is None
    registry.revoke(key.id, force=True)
    assert registry.add_first(secrets.make()) is None


def test_the_secret_of_urls_is_made_once(registry: Registry, url: str) -> None:
    registry.add(ADMIN)
    assert registry.state().url_secret == b""
    other = open_registry(url)
    assert len(registry.url_secret()) == 32
    assert other.url_secret() == registry.url_secret() == registry.state().url_secret
    other.close()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"{",
        b"null",
        b'{"id": "k"}',
        b'{"id": 5, "prefix": [], "hash": {}, "grant": "admin"}',
        b"[" * 100_000,
        b'{"id":"k","prefix":"fg_aaaaaaaa","hash":"00","grant":{"scopes":["root"]}}',
        b'{"id":"other","prefix":"fg_aaaaaaaa","hash":"00","grant":{"scopes":["admin"]}}',
    ],
)
def test_a_damaged_record_does_not_hold_and_harms_no_other(registry: Registry, value: bytes) -> None:
    key, _ = registry.add(ADMIN)
    registry._rows.apply([Put("keys", "k", 1.0, value)])
    assert registry.all() == [key]
    with pytest.raises(UnknownKey):
        registry.revoke("k")


def test_the_file_is_beside_the_galleries_and_private(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/gallery.db"
    assert not may_be_there(url, PLACE)
    opened = open_registry(url)
    opened.add(ADMIN)
    opened.close()
    file = tmp_path / "gallery.access.db"
    assert file.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(file) as db:
        assert db.execute("PRAGMA application_id").fetchone() == (PLACE.application,)


@pytest.mark.parametrize("grace", [math.nan, -1.0, -math.inf, math.inf, 1e300])
def test_a_rotation_with_any_grace_leaves_a_key(registry: Registry, times: Times, grace: float) -> None:
    key, _ = registry.add(Grant(frozenset({"identify"})))
    registry.rotate(key.id, grace)
    (found,) = registry.all()
    assert found.old_until == times.day + (30 * 86_400 if grace > 0 else 0)
