"""What only a server can be: away, back, protected, forgetful."""

import logging
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
import redis

from facegroup.errors import StoreInvalid, StoreUnavailable
from facegroup.store.redis.server import RedisServer
from facegroup.store.redis.store import RedisStore
from facegroup.types import Gallery
from tests.conftest import RedisProcess
from tests.unit.store.samples import NETWORK, D, sample

GROUP = Gallery("group", NETWORK, D, 0.4)


@contextmanager
def impostor(answer: Callable[[list[bytes]], bytes]) -> Iterator[tuple[str, list[list[bytes]]]]:
    """Play a server on one connection after the other; give its address, and the commands that it got."""
    got: list[list[bytes]] = []
    done = threading.Event()

    def serve(listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            if done.is_set():
                connection.close()
                return
            with connection, connection.makefile("rb") as lines:
                while header := lines.readline():
                    words = [lines.read(int(lines.readline()[1:]) + 2)[:-2] for _ in range(int(header[1:]))]
                    got.append(words)
                    connection.sendall(answer(words))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"redis://127.0.0.1:{listener.getsockname()[1]}", got
        finally:
            done.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


def test_a_server_that_goes_and_comes_back(process: Callable[..., RedisProcess]) -> None:
    server = process()
    with closing(RedisStore(server.url)) as store:
        store.create_gallery(GROUP)
        server.kill()
        for ask in (store.ping, store.galleries, lambda: store.create_person("group", "Ann")):
            with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{server.port}") as caught:
                ask()
            assert caught.value.status == 503
        server.start()
        assert store.gallery("group").version == 0
        assert store.create_person("group", "Ann").name == "Ann"


def test_a_store_may_be_opened_before_its_server(process: Callable[..., RedisProcess]) -> None:
    server = process()
    server.kill()
    with closing(RedisStore(server.url)) as store:
        with pytest.raises(StoreUnavailable):
            store.create_gallery(GROUP)
        server.start()
        assert store.create_gallery(GROUP).version == 0


def test_a_server_that_does_not_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}"
        with closing(RedisStore(address, timeout=0.1)) as store, pytest.raises(StoreUnavailable):
            store.ping()


def test_the_password_opens_and_is_never_told(
    process: Callable[..., RedisProcess], caplog: pytest.LogCaptureFixture
) -> None:
    server = process("--requirepass", "s3cret/%")
    with closing(RedisStore(f"redis://:s3cret%2F%25@127.0.0.1:{server.port}/0")) as store:
        assert store.create_gallery(GROUP).name == "group"
    wrong = f"redis://:wr0ng@127.0.0.1:{server.port}/0"
    with closing(RedisStore(wrong)) as store, pytest.raises(StoreUnavailable) as caught:
        store.ping()
    assert "wr0ng" not in f"{caught.value!r} {caught.value.__cause__!r} {caplog.text}"


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cret@host:port/0",
        "redis://:s3cret/@host:6379/0",
        "redis://:s3cret@[::1/0",
        "redis://:s3cret@host:99999999/0",
        "redis://:s3cret@host?health_check_interval=s3cret",
        "redis://:s3cret@host?no_such_option=1",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StoreInvalid) as caught:
        RedisStore(url)
    assert "s3cret" not in f"{caught.value!r}"
    assert caught.value.__suppress_context__


def test_a_galleries_keys_share_one_slot_and_hold_no_names(redis_url: str) -> None:
    with closing(RedisStore(redis_url)) as store, redis.Redis.from_url(redis_url) as client:
        store.create_gallery(Gallery("{a}b", NETWORK, D, 0.4))
        store.create_person("{a}b", "Ann", person_id="ann")
        store.add_samples("{a}b", "ann", [sample(1)], NETWORK)
        found = {key.decode() for key in client.scan_iter()}
        tags = {key[key.index("{") : key.index("}")] for key in found - {"facegroup:galleries"}}
        assert len(tags) == 1
        assert len(found) == 1 + 10
        data = client.hget(next(key for key in found if key.endswith(":samples")), f"ann:{sample(1).id}")
        assert isinstance(data, bytes)
        assert data[8:] == sample(1).descriptor.astype("<f4").tobytes()
        store.delete_gallery("{a}b")
        audit, born, chain = sorted(key.decode() for key in client.scan_iter() if key != b"facegroup:audits")
        assert chain.endswith(":chain")
        assert client.zrange("facegroup:audits", 0, -1) == [b"{a}b"]
        assert audit.endswith(":audit")
        assert born.endswith(":born")
        assert client.get(born) == b"3"


def test_erased_photos_leave_the_server(redis_url: str) -> None:
    with closing(RedisStore(redis_url)) as store, redis.Redis.from_url(redis_url) as client:
        store.create_gallery(GROUP)
        store.create_person("group", "Ann", person_id="ann")
        store.add_samples("group", "ann", [sample(1), sample(2)], NETWORK)
        store.delete_sample("group", "ann", sample(1).id)
        store.update_gallery("group", keep_crops=False)
        kinds = {key.decode().rpartition(":")[2]: client.hlen(key) for key in client.keys("*:samples")}
        assert (kinds, client.keys("*:crops")) == ({"samples": 1}, [])
        store.delete_person("group", "ann")
        left = {key.decode().rpartition(":")[2] for key in client.scan_iter()}
        assert left == {"galleries", "gallery", "changes", "audit", "chain"}


@pytest.mark.parametrize(
    ("options", "warned"),
    [((), False), (("--appendfsync", "everysec"), True), (("--appendonly", "no"), True)],
    ids=["always", "everysec", "no file"],
)
def test_a_server_that_may_forget_is_warned_of_once(
    process: Callable[..., RedisProcess], options: tuple[str, ...], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server = process(*options)
    with caplog.at_level(logging.WARNING), closing(RedisStore(server.url)) as store:
        store.create_gallery(GROUP)
        store.create_person("group", "Ann")
    with redis.Redis(port=server.port) as client:
        waits = isinstance(client.info("commandstats").get("cmdstat_waitaof"), dict)
    can_wait = waits and "no" not in options
    assert [record.levelname for record in caplog.records] == (["WARNING"] if warned and not can_wait else [])


@pytest.mark.parametrize("synced", [1, 0])
def test_a_write_waits_for_the_disk_where_the_server_can(synced: int, caplog: pytest.LogCaptureFixture) -> None:
    def answer(words: list[bytes]) -> bytes:
        return {b"PING": b"+PONG\r\n", b"WAITAOF": b"*2\r\n:%d\r\n:0\r\n" % synced}.get(words[0], b"+OK\r\n")

    with impostor(answer) as (url, got), closing(RedisServer(url, 2.0)) as server:
        if synced:
            assert server.write(("SET", "a", 1), ("SET", "b", 2)) == [True, True]
        else:
            with pytest.raises(StoreUnavailable, match="not on disk"):
                server.write(("SET", "a", 1))
        assert [words[0] for words in got][-2:] == [b"SET", b"WAITAOF"]
        assert got[-1][1:3] == [b"1", b"0"]
        assert server.read(("PING",))
        assert got[-1] == [b"PING"]
    assert caplog.records == []


def test_others_who_are_always_faster_are_given_up_on(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(RedisStore(redis_url, patience=0.05)) as store:
        store.create_gallery(GROUP)
        store.create_person("group", "Ann", person_id="ann")
        monkeypatch.setattr(store._steps, "write", lambda *_: None)
        with pytest.raises(StoreUnavailable, match="Too many"):
            store.update_person("group", "ann", name="Bo")
