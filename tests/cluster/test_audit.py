"""The audit log of a real server with two ingress processes, on both stores, as the commands show and check it."""

import json
import os
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from facegroup.client import Client
from facegroup.store.redis.keys import Keys
from tests.cluster.server import Server
from tests.cluster.test_two_servers import SIMULATED
from tests.cluster.traffic import NETWORK, photo
from tests.conftest import RedisProcess

TRIES = 24
"""Requests on new connections, so that each ingress process gets some."""


@pytest.fixture(scope="module", params=["sqlite", pytest.param("redis", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a store."""
    folder = tmp_path_factory.mktemp(str(request.param))
    if request.param == "sqlite":
        yield f"sqlite:///{folder}/gallery.db"
        return
    process = RedisProcess(folder)
    process.start()
    yield process.url
    process.kill()


@pytest.fixture(scope="module")
def server(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    server = Server(
        folder,
        FACEGROUP_STORE=store,
        FACEGROUP_NETWORK=NETWORK,
        FACEGROUP_INGRESS__REPLICAS="2",
        FACEGROUP_CAMERAS__NETWORKS='["127.0.0.0/8"]',
        FACEGROUP_ACCESS__MODE="keys",
        FACEGROUP_ACCESS__FIRST_KEY=str(folder / "admin.key"),
        **SIMULATED,
    )
    server.start()
    yield server
    server.close()


@pytest.fixture(scope="module")
def admin(server: Server) -> str:
    return Path(server.setting("FACEGROUP_ACCESS__FIRST_KEY")).read_text().strip()


def run(*words: str, key: str = "", status: int = 0) -> str:
    """Return what a command printed, which must end with a status."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FACEGROUP_")}
    command = [str(Path(sys.executable).with_name("facegroup")), *words]
    environment |= {"FACEGROUP_CLIENT_KEY": key} if key else {}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == status, (words, done.stdout, done.stderr)
    return done.stdout


def verified(*words: str, status: int = 0, key: str = "") -> Any:
    return json.loads(run("audit", "verify", "--json", *words, key=key, status=status))


def test_all_that_was_done_is_noted_and_the_chain_is_whole(server: Server, store: str, admin: str) -> None:
    with Client(server.url, key=admin) as client:
        client.call("PUT", "/v1/galleries/choir")
        client.call("POST", "/v1/galleries/choir/people", json={"name": "Ada", "id": "ada"})
        photos = [("photos", photo(11, number)) for number in range(2)]
        client.call("POST", "/v1/galleries/choir/people/ada/photos", files=photos)
        made = client.call("POST", "/v1/keys", json={"scopes": ["identify"]})
        camera = {"id": "door", "source": "rtsp://127.0.0.1:9/", "enabled": False, "gallery": "choir"}
        client.call("POST", "/v1/cameras", json=camera)
        client.call("PATCH", "/v1/cameras/door", json={"fps": 2})
        for number in range(TRIES):
            for sent in ({}, {"x-api-key": made["key"]}):
                answer = httpx.get(f"{server.url}/v1/keys/{number}", headers=sent, trust_env=False, timeout=30)
                assert answer.status_code == (403 if sent else 401)
        client.call("DELETE", f"/v1/keys/{made['id']}")
    at = ("--server", server.url)
    told = json.loads(run("audit", "list", "--gallery", "choir", "--json", *at, key=admin))["entries"]
    assert [(each["what"], each["person_id"]) for each in told] == [
        ("created", None),
        ("created", "ada"),
        ("enrolled", "ada"),
    ]
    assert {each["actor"].split()[0] for each in told} == {"key"}
    own = json.loads(run("audit", "list", "--server-log", "--json", *at, key=admin))["entries"]
    changes = ["key_made", "key_made", "camera_added", "camera_changed", "key_revoked"]
    assert [each["what"] for each in own if each["what"] != "refused"] == changes
    assert (own[0]["actor"], own[0]["detail"]["from"]) == ("server", "access.first_key")
    for whose in (("--gallery", "choir"), ("--server-log",)):
        over, here = (verified(*whose, *place, key=admin) for place in (at, ("--store", store)))
        assert over["fault"] is None
        assert here["head"] == over["head"]
        assert verified(*whose, "--head", here["head"], "--store", store)["fault"] is None


def test_a_log_and_a_persons_copy_are_exported(server: Server, store: str, admin: str, tmp_path: Path) -> None:
    log, copy = tmp_path / "choir.jsonl", tmp_path / "ada.zip"
    run("audit", "export", str(log), "--gallery", "choir", "--server", server.url, key=admin)
    assert verified("--file", str(log))["head"] == verified("--gallery", "choir", "--store", store)["head"]
    run("people", "ada", "--export", str(copy), "--gallery", "choir", "--server", server.url, key=admin)
    with zipfile.ZipFile(copy) as whole:
        assert whole.testzip() is None
        assert json.loads(whole.read("person.json"))["name"] == "Ada"
        assert len(whole.read("photos.jsonl").splitlines()) == 2
        kept = [json.loads(line)["event"]["what"] for line in whole.read("audit.jsonl").splitlines()]
    assert kept[:2] == ["created", "enrolled"]
    last = json.loads(run("audit", "list", "--gallery", "choir", "--json", "--store", store))["entries"][-1]
    assert (last["what"], last["person_id"]) == ("copied", "ada")


def test_a_server_that_ends_writes_what_it_refused(server: Server, store: str, admin: str) -> None:
    assert server.stop() == 0
    own = json.loads(run("audit", "list", "--server-log", "--json", "--store", store))["entries"]
    refused: dict[str, int] = {}
    for each in own:
        if each["what"] == "refused":
            refused[each["result"]] = refused.get(each["result"], 0) + each["detail"]["count"]
    assert refused == {"unauthorised": TRIES, "forbidden": TRIES}
    assert verified("--server-log", "--store", store)["fault"] is None
    assert admin not in json.dumps(own)


def test_an_entry_that_is_removed_by_hand_shows(store: str) -> None:
    """The last test: the log is not whole afterwards."""
    for whose, gallery in ((("--gallery", "choir"), "choir"), (("--server-log",), "")):
        entries = json.loads(run("audit", "list", *whose, "--json", "--store", store))["entries"]
        head = verified(*whose, "--store", store)["head"]
        remove(store, gallery, entries[1]["id"])
        found = verified(*whose, "--store", store, status=1)["fault"]
        assert (found["entry"], found["number"]) == (entries[2]["id"], 3)
        assert found["why"] == "entry 2 is missing before it"
        remove(store, gallery, *(each["id"] for each in entries))
        found = verified(*whose, "--store", store, "--head", head, status=1)["fault"]
        assert "missing" in found["why"]


def remove(store: str, gallery: str, *entries: str) -> None:
    """Remove entries as somebody does who has the store in hand."""
    if store.startswith("sqlite"):
        with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as db:
            db.executemany("DELETE FROM audit WHERE gallery = ? AND key = ?", [(gallery, each) for each in entries])
            db.commit()
        return
    with redis.Redis.from_url(store) as client:
        client.xdel(Keys.of(gallery).audit, *entries)
