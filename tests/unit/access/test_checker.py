"""Who a request comes from: at once after a change, and for a minute without the store."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from facegroup.access import checker as checkers
from facegroup.access import first_key, secrets
from facegroup.access.checker import Checker, open_checker
from facegroup.access.registry import Registry, State, open_registry
from facegroup.access.secrets import Secret
from facegroup.access.types import EVERYBODY, STRANGER, Caller, Grant, Key, Scope
from facegroup.errors import AccessUnavailable, StoreUnavailable, Unauthorised
from facegroup.settings import load
from facegroup.store.rows.rows import Count, Drop
from tests.unit.access.times import Times

ADMIN = Grant(frozenset({"admin"}))


def grant(*scopes: Scope, **more: Any) -> Grant:
    return Grant(frozenset(scopes or ("identify",)), **more)


class Breaking:
    """A registry that can be away, and counts how often it is asked."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.away = False
        self.asked = 0
        self.loaded = 0

    def version(self) -> int:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("away")
        return self._registry.version()

    def state(self) -> State:
        self.loaded += 1
        return self._registry.state()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)


@pytest.fixture
def breaking(registry: Registry) -> Breaking:
    return Breaking(registry)


@pytest.fixture(params=[True, False], ids=["near", "far"])
def made(request: pytest.FixtureRequest, breaking: Breaking, times: Times) -> Iterator[Callable[..., Checker]]:
    made: list[Checker] = []

    def make(mode: Any = "keys", **more: Any) -> Checker:
        opens: Any = more.pop("opens", lambda _: breaking)
        made.append(Checker(opens, mode, near=request.param, clock=times.clock, now=times.wall, **more))
        return made[-1]

    yield make
    for each in made:
        each._registry = None
        each.close()


def who(checker: Checker, secret: Secret | str | None) -> Caller:
    return asyncio.run(checker.identify(secret.text if isinstance(secret, Secret) else secret))


def refused(checker: Checker, secret: Secret | str | None) -> str:
    with pytest.raises(Unauthorised) as error:
        who(checker, secret)
    return str(error.value)


def test_a_key_says_who_and_what_may_be_done(made: Callable[..., Checker], registry: Registry) -> None:
    key, secret = registry.add(grant("enrol", galleries=("choir",)), "the choir")
    checker = made()
    found = who(checker, secret)
    assert (found.id, found.kind, found.name, found.grant) == (key.id, "key", "the choir", key.grant)


def test_no_key_and_every_wrong_one(made: Callable[..., Checker], registry: Registry) -> None:
    _, secret = registry.add(ADMIN)
    checker = made()
    assert "Bearer" in refused(checker, None)
    wrong = secret.text[:-1] + ("A" if secret.text[-1] != "A" else "B")
    same_prefix = secret.prefix + secrets.make().text[11:]
    for text in (wrong, same_prefix, secrets.make().text, "", " ", "fg_", secret.hash, secret.prefix):
        said = refused(checker, text)
        assert not text.strip() or text not in said


def test_unknown_revoked_and_expired_keys_are_answered_alike(
    made: Callable[..., Checker], registry: Registry, times: Times
) -> None:
    revoked, one = registry.add(grant())
    _, two = registry.add(grant(expires_at=times.day + 1))
    registry.revoke(revoked.id)
    times.pass_by(1)
    checker = made()
    assert len({refused(checker, each) for each in (one, two, secrets.make())}) == 1


def test_a_change_holds_at_the_next_request(
    made: Callable[..., Checker], registry: Registry, breaking: Breaking
) -> None:
    key, secret = registry.add(grant())
    checkers = made(), made()
    for checker in checkers:
        assert who(checker, secret).id == key.id
    registry.revoke(key.id)
    for checker in checkers:
        refused(checker, secret)
    _, newer = registry.add(grant())
    for checker in checkers:
        who(checker, newer)
    loaded = breaking.loaded
    who(checkers[0], newer)
    assert breaking.loaded == loaded  # nothing changed: the version is all that is asked


def test_both_secrets_hold_until_the_grace_ends(made: Callable[..., Checker], registry: Registry, times: Times) -> None:
    key, old = registry.add(grant())
    _, new = registry.rotate(key.id, 60)
    checker = made()
    assert who(checker, old) == who(checker, new)
    times.pass_by(59)
    who(checker, old)
    times.pass_by(1)
    refused(checker, old)
    who(checker, new)
    registry.rotate(key.id, 60)
    registry.rotate(key.id, 60)
    refused(checker, new)


def test_a_rotated_key_that_is_revoked_has_no_grace(made: Callable[..., Checker], registry: Registry) -> None:
    key, old = registry.add(grant())
    _, new = registry.rotate(key.id)
    registry.revoke(key.id)
    checker = made()
    for each in (old, new):
        refused(checker, each)


def test_expiry_to_the_second(made: Callable[..., Checker], registry: Registry, times: Times) -> None:
    _, secret = registry.add(grant(expires_at=times.day + 10))
    checker = made()
    times.pass_by(9.999)
    who(checker, secret)
    times.pass_by(0.001)
    refused(checker, secret)
    times.day -= 1000
    refused(checker, secret)  # a clock that goes back revives nothing


def test_open_until_there_is_a_key(made: Callable[..., Checker], registry: Registry) -> None:
    checker = made("auto")
    assert who(checker, None) == EVERYBODY
    assert who(checker, "nonsense") == EVERYBODY
    key, secret = registry.add(ADMIN)
    refused(checker, None)
    who(checker, secret)
    registry.revoke(key.id, force=True)
    refused(checker, None)
    refused(made("auto"), None)


def test_open_is_open_and_asks_nothing(made: Callable[..., Checker], registry: Registry, breaking: Breaking) -> None:
    registry.add(ADMIN)
    checker = made("open")
    breaking.away = True
    asked = breaking.asked
    assert who(checker, None) == EVERYBODY
    assert breaking.asked == asked


def test_without_a_registry_nothing_is_made(made: Callable[..., Checker]) -> None:
    wanted: list[bool] = []

    def opens(make: bool) -> None:
        wanted.append(make)

    assert who(made("auto", opens=opens), None) == EVERYBODY
    refused(made("keys", opens=opens), secrets.make())
    assert not any(wanted)


def test_a_store_that_lost_every_key_opens_nothing(
    made: Callable[..., Checker], registry: Registry, breaking: Breaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret = registry.add(ADMIN)
    checker = made("auto")
    who(checker, secret)
    monkeypatch.setattr(breaking, "version", lambda: 0)
    monkeypatch.setattr(breaking, "state", lambda: State(0))
    refused(checker, None)
    refused(checker, secret)


def lose(registry: Registry) -> None:
    """Empty the tables, as a Redis does that starts without its data."""
    keys = [Drop("keys", each.id) for each in registry.all()]
    assert registry._rows.apply([Count("version", registry.version(), 0), *keys])


@pytest.mark.parametrize("mode", ["keys", "auto"])
def test_a_running_server_makes_no_first_key_for_a_store_that_lost_its_keys(
    made: Callable[..., Checker], registry: Registry, tmp_path: Path, mode: str
) -> None:
    secret = secrets.make()
    path = tmp_path / "admin.key"
    path.write_text(secret.text)
    for first in (lambda found: first_key.ensure(found, path), lambda found: found.add_first(secret)):
        checker = made(mode, first=first)
        key = who(checker, secret)
        registry.revoke(key.id, force=True)
        refused(checker, secret)
        lose(registry)
        for text in (secret, None, secrets.make()):
            refused(checker, text)
        assert registry.version() == 0


def test_a_later_process_of_an_open_server_knows_that_there_were_keys(
    made: Callable[..., Checker], registry: Registry, tmp_path: Path
) -> None:
    mark = tmp_path / "run" / "0123.keys"
    one, idle = made("auto", closed=mark), made("auto", closed=mark)
    assert who(one, None) == EVERYBODY
    assert not mark.exists()
    registry.add(ADMIN)
    refused(one, None)
    lose(registry)
    for checker in (one, idle, made("auto", closed=mark)):
        refused(checker, None)
    assert who(made("auto", closed=tmp_path / "another server"), None) == EVERYBODY


def test_a_mark_that_cannot_be_made_opens_nothing(
    made: Callable[..., Checker], registry: Registry, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").write_text("")
    checker = made("auto", closed=tmp_path / "run" / "0123.keys")
    registry.add(ADMIN)
    for _ in range(3):
        refused(checker, None)
    assert len(caplog.records) == 1


def test_only_an_open_server_that_has_a_name_has_a_mark(tmp_path: Path) -> None:
    given = load(store=f"sqlite:///{tmp_path}/g.db", cache_dir=tmp_path, instance="0123")
    assert checkers.closed_mark(given) == tmp_path / "run" / "0123.keys"
    assert checkers.closed_mark(given.model_copy(update={"instance": ""})) is None
    for mode in ("keys", "open"):
        access = given.access.model_copy(update={"mode": mode})
        assert checkers.closed_mark(given.model_copy(update={"access": access})) is None


def test_known_keys_hold_for_a_minute_without_the_store(
    made: Callable[..., Checker], registry: Registry, breaking: Breaking, times: Times, caplog: pytest.LogCaptureFixture
) -> None:
    key, secret = registry.add(grant())
    checker = made()
    who(checker, secret)
    breaking.away = True
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert who(checker, secret).id == key.id
        times.pass_by(60)
        who(checker, secret)
        refused(checker, secrets.make())
        times.pass_by(0.001)
        for text in (secret, None, "x"):
            with pytest.raises(AccessUnavailable) as error:
                who(checker, text)
        assert error.value.status == 503
    assert len(caplog.records) == 1
    breaking.away = False
    who(checker, secret)
    breaking.away = True
    times.pass_by(59)
    who(checker, secret)


def test_a_server_that_never_saw_its_registry_answers_nobody(made: Callable[..., Checker], breaking: Breaking) -> None:
    breaking.away = True
    for mode in ("keys", "auto"):
        with pytest.raises(AccessUnavailable):
            who(made(mode), None)
    assert asyncio.run(made("keys").tell(None)) == STRANGER


def test_a_server_without_keys_stays_open_without_its_store(
    made: Callable[..., Checker], breaking: Breaking, times: Times
) -> None:
    checker = made("auto")
    who(checker, None)
    breaking.away = True
    times.pass_by(3600)
    assert who(checker, None) == EVERYBODY


def test_open_routes_tell_strangers_from_callers(made: Callable[..., Checker], registry: Registry) -> None:
    key, secret = registry.add(grant("metrics"))
    checker = made()
    assert asyncio.run(checker.tell(secret.text)).id == key.id
    for text in (None, "x", secrets.make().text):
        assert asyncio.run(checker.tell(text)) == STRANGER


def test_a_caller_is_asked_for_again(made: Callable[..., Checker], registry: Registry) -> None:
    key, secret = registry.add(grant())
    checker = made("auto")

    async def run() -> None:
        caller = await checker.identify(secret.text)
        assert await checker.again(caller) == caller
        registry.revoke(key.id)
        with pytest.raises(Unauthorised):
            await checker.again(caller)
        with pytest.raises(Unauthorised):
            await checker.again(EVERYBODY)

    asyncio.run(run())


def test_the_last_use_is_written_once_a_minute(
    made: Callable[..., Checker], registry: Registry, times: Times, url: str
) -> None:
    key, secret = registry.add(grant())
    checker = made()
    who(checker, secret)
    assert registry.all()[0].last_used is None
    times.pass_by(checkers.TOUCH_SECONDS)
    who(checker, secret)
    checker._worker().shutdown()
    checker._thread = None
    assert registry.all()[0].last_used == times.day
    times.pass_by(1)
    who(checker, secret)
    checker.close()
    again = open_registry(url)
    assert [each.last_used for each in again.all() if each.id == key.id] == [times.day]
    again.close()


def test_many_requests_at_once_share_a_look_and_none_gets_an_older_one(registry: Registry, times: Times) -> None:
    """A look that began before a request may have seen what was before: it must not be answered by it."""
    key, secret = registry.add(grant())

    class Slow(Breaking):
        def __init__(self) -> None:
            super().__init__(registry)
            self.begun = asyncio.Event()
            self.go = asyncio.Event()

    async def run() -> None:
        slow = Slow()
        loop = asyncio.get_running_loop()
        plain = slow.version
        held: list[bool] = []

        def version() -> int:
            seen = plain()
            if not held:
                held.append(True)
                loop.call_soon_threadsafe(slow.begun.set)
                asyncio.run_coroutine_threadsafe(slow.go.wait(), loop).result()
            return seen

        slow.version = version  # type: ignore[method-assign]
        checker = Checker(lambda _: slow, "keys", near=False, clock=times.clock, now=times.wall)  # type: ignore[arg-type, return-value]
        early = asyncio.create_task(checker.identify(secret.text))
        await slow.begun.wait()
        await asyncio.to_thread(registry.revoke, key.id)
        late = [asyncio.create_task(checker.identify(secret.text)) for _ in range(50)]
        await asyncio.sleep(0)
        late[0].cancel()  # a caller who left takes nobody with them
        slow.go.set()
        await asyncio.gather(early, return_exceptions=True)
        answers = await asyncio.gather(*late, return_exceptions=True)
        assert all(isinstance(each, Unauthorised) for each in answers[1:])
        assert slow.asked <= 5
        checker._registry = None
        checker.close()

    asyncio.run(run())


def test_a_checker_of_settings(url: str) -> None:
    checker = open_checker(load(store=url, access={"mode": "keys"}))
    assert checker.mode == "keys"
    refused(checker, None)

    async def add() -> tuple[Key, Secret]:
        return (await checker.registry()).add(ADMIN)

    _, secret = asyncio.run(add())
    assert who(checker, secret).scopes == {"admin"}
    with ThreadPoolExecutor(8) as threads:
        assert len({each.id for each in threads.map(lambda _: who(checker, secret), range(64))}) == 1
    checker.close()


def test_a_store_that_hangs_holds_up_one_request_and_not_the_others(registry: Registry, times: Times) -> None:
    key, secret = registry.add(grant())
    hanging, ended = threading.Event(), threading.Event()

    class Hanging(Breaking):
        def version(self) -> int:
            if hanging.is_set():
                ended.wait(20)
                raise StoreUnavailable("it hung")
            return super().version()

    slow = Hanging(registry)
    checker = Checker(lambda _: slow, "keys", near=False, clock=times.clock, now=times.wall)  # type: ignore[arg-type, return-value]

    async def run() -> None:
        assert (await checker.identify(secret.text)).id == key.id
        slow.away = True
        await checker.identify(secret.text)
        hanging.set()
        for _ in range(200):  # none of them waits for the one that hangs
            assert (await checker.identify(secret.text)).id == key.id
            with pytest.raises(Unauthorised):
                await checker.identify(None)
        times.pass_by(61)
        with pytest.raises(AccessUnavailable):
            await checker.identify(secret.text)
        hanging.clear()
        slow.away = False
        ended.set()
        while checker._away:  # until one that asks again has an answer
            with suppress(AccessUnavailable):
                await checker.identify(secret.text)
            await asyncio.sleep(0.01)
        assert (await checker.identify(secret.text)).id == key.id
        await asyncio.to_thread(registry.revoke, key.id)
        with pytest.raises(Unauthorised):
            await checker.identify(secret.text)

    asyncio.run(asyncio.wait_for(run(), 15))
    checker._registry = None
    checker.close()
