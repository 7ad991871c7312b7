"""The ways to reach a Redis, each against a real one: an ACL user, TLS, Sentinel and what a failover does."""

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from facegroup.errors import StoreInvalid, StoreUnavailable
from facegroup.store import check_store, open_store
from facegroup.store.audit import Event
from facegroup.store.contract import Store
from facegroup.store.encryption import SecretKeys
from facegroup.store.redis.store import RedisStore
from facegroup.store.staging import migration_copy
from facegroup.types import Gallery, Person
from tests.conftest import RedisProcess
from tests.unit.store.redis.conftest import StartRedis
from tests.unit.store.samples import NETWORK, D, sample
from tests.unit.store.test_audit import everything

GROUP = Gallery("group", NETWORK, D, 0.4)
PAGE = Path(__file__).parents[4] / "docs" / "gallery.md"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client_of(port: int, **options: str) -> Any:
    """Return a plain client; redis-py's has no types for `execute_command`."""
    return redis.Redis(port=port, **options)  # type: ignore[arg-type]


def test_the_user_that_the_page_tells_to_make_can_do_everything_and_nothing_else(
    process: StartRedis, caplog: pytest.LogCaptureFixture
) -> None:
    (line,) = re.findall(r"^ACL SETUSER (facegroup .*)$", PAGE.read_text(), re.MULTILINE)
    server = process()
    with closing(client_of(server.port)) as admin:
        words = line.replace(">PASSWORD", ">s3cr3t").split()
        if tuple(map(int, admin.info()["redis_version"].split(".")[:2])) < (7, 2):  # which does not know it
            words.remove("+waitaof")
        admin.execute_command("ACL", "SETUSER", *words)
        admin.execute_command("CONFIG", "SET", "requirepass", "another")
    url = f"redis://facegroup:s3cr3t@127.0.0.1:{server.port}/0"
    with closing(RedisStore(url)) as store:
        store.ping()
        store.create_gallery(GROUP)
        store.create_person("group", "Ann", person_id="ann")
        store.add_samples("group", "ann", [sample(1)], NETWORK)
        assert store.people("group", name="Ann")[0].samples == len(store.samples("group", "ann")) == 1
        assert store.centroids("group").ids == ("ann",)
        assert store.version("group") == 2
        assert len(store.galleries()) == 1
        store.delete_person("group", "ann")
        everything(store, "group")
        assert store.audit("group")
        store.create_gallery(GROUP)
        store.create_gallery(replace(GROUP, name=migration_copy("group")))
        store.put_people(migration_copy("group"), [(Person("bob", "Bob", expires_at=4e9), [sample(2)])])
        here, there = store.version("group"), store.version(migration_copy("group"))
        store.switch_gallery("group", migration_copy("group"), here, there, Event("migrated"))
        assert [page.ids for page in store.centroid_pages("group")] == [("bob",)]
        store.lose("group", store.standing("group").floor + 5)
        assert store.accept("group").lost is None
    keys = SecretKeys([b"k" * 32])
    check_store(url, keys)
    assert "NOPERM" not in caplog.text
    assert "facegroup encrypt" in caplog.text
    with closing(RedisStore(url, keys=keys)) as store:
        assert store.rows() == 3
        assert store.convert().complete
        store.clean()
        assert not store.holds_plain()
    with closing(client_of(server.port, username="facegroup", password="s3cr3t")) as client:
        for command in (("FLUSHALL",), ("GET", "somebody-elses"), ("CONFIG", "SET", "dir", "/"), ("KEYS", "*")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)
    wrong = f"redis://facegroup:wr0ng@127.0.0.1:{server.port}/0"
    with closing(RedisStore(wrong)) as store, pytest.raises(StoreUnavailable) as caught:
        store.ping()
    assert "wr0ng" not in f"{caught.value!r} {caplog.text}"
    assert "s3cr3t" not in caplog.text


def certificate(folder: Path) -> None:
    """Make an authority, and a certificate by it for 127.0.0.1."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test-authority",
        "req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=127.0.0.1",
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 -extfile ext",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)


def test_tls_is_spoken_and_the_certificate_is_looked_at(process: StartRedis, tmp_path: Path) -> None:
    certificate(tmp_path)
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-auth-clients", "no", "--requirepass", "s3cret"]
    files = ["--tls-cert-file", "cert.pem", "--tls-key-file", "key.pem", "--tls-ca-cert-file", "ca.pem"]
    process(*tls, *(str(tmp_path / each) if each.endswith(".pem") else each for each in files))
    url = f"rediss://:s3cret@127.0.0.1:{port}/0"
    with closing(open_store(f"{url}?ssl_ca_certs={tmp_path / 'ca.pem'}")) as store:
        store.create_gallery(GROUP)
        assert store.create_person("group", "Ann").name == "Ann"
    for wrong in (url, url.replace("rediss", "redis")):
        with closing(RedisStore(wrong, timeout=2)) as store, pytest.raises(StoreUnavailable) as caught:
            store.ping()
        assert "s3cret" not in repr(caught.value)
    with closing(RedisStore(f"{url}?ssl_ca_certs={tmp_path / 'none.pem'}")) as store, pytest.raises(StoreUnavailable):
        store.ping()


@pytest.fixture
def sentinel(process: StartRedis, tmp_path: Path) -> Iterator[tuple[str, RedisProcess, RedisProcess]]:
    """A Sentinel over a master and a replica: its address, and the two."""
    password = ("--requirepass", "s3cret", "--masterauth", "s3cret")
    master = process(*password)
    replica = process(*password, "--replicaof", "127.0.0.1", str(master.port))
    port = free_port()
    config = tmp_path / "sentinel.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nrequirepass guard\n"
        f"sentinel monitor mymaster 127.0.0.1 {master.port} 1\nsentinel auth-pass mymaster s3cret\n"
        "sentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 3000\n"
    )
    server = subprocess.Popen(["redis-server", str(config), "--sentinel"], stdout=subprocess.DEVNULL)
    try:
        with closing(client_of(port, password="guard")) as client:
            wait_for(lambda: len(client.execute_command("SENTINEL", "REPLICAS", "mymaster")) == 1)
        with closing(redis.Redis(port=replica.port, password="s3cret")) as client:
            wait_for(lambda: client.info("replication")["master_link_status"] == "up")
        yield f"redis+sentinel://:s3cret@127.0.0.1:{port}/mymaster/0?sentinel_password=guard", master, replica
    finally:
        server.kill()
        server.wait()


def wait_for(holds: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if holds():
                return
        except (redis.RedisError, StoreUnavailable):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_writes_go_on_after_a_failover_and_what_the_replica_had_is_there(
    sentinel: tuple[str, RedisProcess, RedisProcess],
) -> None:
    url, master, replica = sentinel

    def enrolled(store: Store, number: int) -> bool:
        return bool(store.add_samples("group", "ann", [sample(number)], NETWORK).version)

    with closing(RedisStore(f"{url}&replicas=1", timeout=2)) as waiting, closing(RedisStore(url, timeout=2)) as store:
        wait_for(lambda: waiting.create_gallery(GROUP).name == "group")
        waiting.create_person("group", "Ann", person_id="ann")
        for number in range(20):  # each acknowledged by the replica
            assert enrolled(waiting, number)
        master.kill()
        with pytest.raises(StoreUnavailable):
            store.ping()
        wait_for(lambda: enrolled(store, 20))
        assert store.person("group", "ann").samples == 21
        assert store.centroids("group").ids == ("ann",)
        # No replica is left, and a write that waits for one says that it is not safe.
        with pytest.raises(StoreUnavailable, match="not 1 replicas"):
            enrolled(waiting, 21)
    with closing(redis.Redis(port=replica.port, password="s3cret")) as client:
        assert client.info("replication")["role"] == "master"


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://:s3cret@host:26379",
        "redis+sentinel://:s3cret@host:26379/",
        "redis+sentinel://:s3cret@host:port/mymaster",
        "redis+sentinel://:s3cret@/mymaster",
        "redis+sentinel://:s3cret@host,/mymaster",
        "redis+sentinel://:s3cret@host/mymaster/x",
        "redis+sentinel://:s3cret@host/mymaster?no_such_option=1",
        "redis+sentinel://:s3cret@host/mymaster?sentinel_no=1",
        "redis://:s3cret@host?replicas=s3cret",
        "redis://:s3cret@host?replicas=-1",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(StoreInvalid) as caught:
        RedisStore(url)
    assert "s3cret" not in f"{caught.value!r}"
    assert caught.value.__suppress_context__


def test_sentinels_that_do_not_answer_are_an_error_of_each_method() -> None:
    url = f"redis+sentinel://:s3cret@127.0.0.1:{free_port()},127.0.0.1:{free_port()}/mymaster"
    with closing(RedisStore(url, timeout=1)) as store, pytest.raises(StoreUnavailable) as caught:
        store.ping()
    assert "mymaster" in caught.value.detail
    assert "s3cret" not in repr(caught.value)
