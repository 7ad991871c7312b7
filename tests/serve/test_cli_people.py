"""Mergers, expiry, crops and the audit log on the command line, on this machine's store and through a server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from facegroup.settings import load
from serve.commands import program
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import astronaut, encode, hopper

app = program()


@pytest.fixture(params=["here", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[str]]:
    """Options that say where the gallery is."""
    pytest.importorskip("dlib", reason="needs the extra dlib")
    store = f"sqlite:///{tmp_path / 'gallery.db'}"
    if request.param == "here":
        yield ["--store", store, "--network", "dlib-resnet29"]
        return
    pipeline = LocalPipeline(load(network="dlib-resnet29", store=store))
    server = LocalServer(pipeline)
    yield ["--server", server.url]
    server.stop()
    pipeline.close()


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_people_are_merged_expire_and_lose_their_crops(place: list[str], tmp_path: Path) -> None:
    for name, photo in {"Grace": hopper, "Eileen": astronaut}.items():
        (tmp_path / f"{name}.jpg").write_bytes(encode(photo()))
        assert run("enroll", str(tmp_path / f"{name}.jpg"), "--name", name, *place).exit_code == 0
    ids = {each["name"]: each["id"] for each in json.loads(run("people", "--json", *place).stdout)["people"]}
    grace, eileen = ids["Grace"], ids["Eileen"]
    assert run("people", "--merge", grace, eileen, *place).exit_code == 0
    assert run("people", "--no-keep-crops", *place).exit_code == 0
    assert run("people", "--expire", grace, "2090-01-31T12:00:00Z", *place).exit_code == 0
    for wrong in ("soon", "2090-01-31T12:00:00"):
        assert run("people", "--expire", grace, wrong, *place).exit_code != 0
    assert run("people", "--expire", grace, "never", *place).exit_code == 0
    assert "with 2 photos and 0 crops" in run("people", "--erase", grace, *place).output
    entries = json.loads(run("audit", "--json", *place).stdout)["entries"]
    told = [(each["what"], each["person_id"], each["detail"].get("expires_at")) for each in entries]
    assert told[-5:] == [
        ("merged", grace, None),
        ("changed", None, None),
        ("changed", grace, 3789547200.0),
        ("changed", grace, None),
        ("erased", grace, None),
    ]
    assert {each["actor"].split()[0] for each in entries[1:]} == ({"http"} if "--server" in place else {"cli"})
    shown = run("audit", *place).stdout
    assert len(shown.splitlines()) == len(entries)
    assert "Grace" not in shown
