"""A store that is away or hangs: one question finds out, nobody else waits, and nothing is written half."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from facegroup.errors import StoreUnavailable
from facegroup.gallery.matching import Matcher
from facegroup.pipeline.messages import PhotoMatches
from facegroup.store import open_store
from facegroup.store.availability import Availability
from facegroup.store.contract import Store
from facegroup.store.guard import GuardedStore
from tests.conftest import RedisProcess
from tests.unit.gallery.test_matching import PEOPLE, SPEC, clock, fill, names
from tests.unit.store.test_data_loss import ASKED


@pytest.fixture
def process(tmp_path: Path) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path)
    process.start()
    yield process
    process.kill()


def test_while_one_asks_the_others_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch)[0] += 100
    pings, back = 0, threading.Event()

    def ping() -> None:
        nonlocal pings
        pings += 1
        back.wait()

    observed: list[None] = []
    availability = Availability(ping, lambda: observed.append(None))
    availability.check()
    availability.noticed(StoreUnavailable("it hangs"))
    monkeypatch.setattr(availability, "_until", 0.0)
    for _ in range(20):
        with pytest.raises(StoreUnavailable):
            availability.check()
    assert (pings, len(observed)) == (1, 1)
    asking = availability._asking
    assert asking is not None
    back.set()
    asking.join()
    availability.check()
    assert pings == 1


def test_questions_that_never_stop_do_not_put_off_the_next_try(
    process: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = clock(monkeypatch)
    store = open_store(process.url)
    fill(store)
    galleries = Matcher(store, SPEC)
    galleries.match(PEOPLE[[0]], ASKED)
    process.kill()
    galleries.match(PEOPLE[[0]], ASKED)
    process.start()
    degraded = []
    for _ in range(12):
        now[0] += 0.1
        (answer,) = galleries.match(PEOPLE[[0]], ASKED)
        assert isinstance(answer, PhotoMatches)
        degraded.append(answer.degraded)
        if galleries.availability._asking is not None:
            galleries.availability._asking.join()
    assert (degraded[0], degraded[-1]) == (True, False)
    store.close()


def test_a_redis_that_hangs_is_away(process: RedisProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(process.url)
    fill(store)
    galleries = Matcher(store, SPEC)
    guarded = GuardedStore(store, galleries.availability, galleries.losses)
    (before,) = galleries.match(PEOPLE[[0]], ASKED)
    assert isinstance(before, PhotoMatches)
    assert process._process is not None
    os.kill(process._process.pid, signal.SIGSTOP)
    try:
        for _ in range(3):
            (held,) = galleries.match(PEOPLE[[0]], ASKED)
            assert isinstance(held, PhotoMatches)
            assert (names(held), held.reason) == (["group 0"], "store_unavailable")
        with pytest.raises(StoreUnavailable) as refused:
            guarded.call(Store.create_person, "group", "Late", None, "late")
        assert refused.value.retry_after >= 1
    finally:
        os.kill(process._process.pid, signal.SIGCONT)
    monkeypatch.setattr(galleries.availability, "_until", 0.0)
    while (asking := galleries.availability._asking) is not None:
        asking.join()
    galleries.availability.confirm()
    (after,) = galleries.match(PEOPLE[[0]], ASKED)
    assert isinstance(after, PhotoMatches)
    assert (after.degraded, after.version) == (False, before.version)
    assert [each.id for each in store.people("group")] == ["p0", "p1", "p2"]
    store.close()


def test_a_write_that_fails_for_itself_does_not_make_the_store_away(
    process: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(process.url)
    fill(store)
    galleries = Matcher(store, SPEC)
    guarded = GuardedStore(store, galleries.availability, galleries.losses)

    def crowded(*_: object, **__: object) -> None:
        raise StoreUnavailable("too many others change person p0 at once")

    monkeypatch.setattr(store, "update_person", crowded)
    with pytest.raises(StoreUnavailable, match="too many"):
        guarded.call(Store.update_person, "group", "p0", name="Bo")
    galleries.availability.check()
    process.kill()
    with pytest.raises(StoreUnavailable, match="cannot be used now"):
        guarded.call(Store.gallery, "group")
    with pytest.raises(StoreUnavailable, match="does not answer"):
        guarded.call(Store.gallery, "group")
    store.close()
