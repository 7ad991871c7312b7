"""`facegroup cohort` and `facegroup galleries --decision`, on this machine's store and through a server: the same words."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from facegroup.errors import CohortTooSmall, MalformedRequest, UnknownGallery
from facegroup.settings import load
from facegroup.store import open_store
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import both, encode, hopper, nobody
from tests.serve.test_cli import run
from tests.unit.gallery.people_at_random import enrol, middles, photos


@pytest.fixture
def address(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path / 'gallery.db'}"
    with closing(open_store(address)) as place:
        enrol(place, photos(middles(60, 0), 2, 1))
        enrol(place, photos(middles(3, 0), 2, 1), "few")
    return address


@pytest.fixture(params=["store", "server"])
def place(request: pytest.FixtureRequest, address: str) -> Iterator[list[str]]:
    """Options that say where the galleries are: the store itself, or a server on it."""
    pytest.importorskip("dlib", reason="needs the extra dlib")
    if request.param == "store":
        yield ["--store", address]
        return
    pipeline = LocalPipeline(load(network="dlib-resnet29", store=address))
    server = LocalServer(pipeline)
    yield ["--server", server.url]
    server.stop()
    pipeline.close()


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """A loose photo, a folder with two photos of one person, and a photo without a face."""
    folder = tmp_path / "strangers"
    (folder / "Grace").mkdir(parents=True)
    (folder / "Grace" / "1.png").write_bytes(encode(hopper(), "PNG"))
    (folder / "Grace" / "2.png").write_bytes(encode(hopper()[:-2], "PNG"))
    (folder / "nobody.png").write_bytes(encode(nobody(), "PNG"))
    return folder


def test_strangers_are_added_shown_and_erased(place: list[str], strangers: Path) -> None:
    network = ["--network", "dlib-resnet29"] if place[0] == "--store" else []
    done = run("cohort", "add", strangers, "--gallery", "group", "--json", *network, *place)
    assert done.exit_code == 1, done.output or done.exception
    made = json.loads(done.stdout)
    assert (made["gallery"], made["added"], made["known"], made["size"]) == ("group", 1, 0, 1)
    assert [(Path(each["photo"]).name, each["code"]) for each in made["refused"]] == [("nobody.png", "no_face")]
    again = run("cohort", "add", strangers / "Grace", "--gallery", "group", *network, *place)
    assert "known" in again.stdout
    shown = json.loads(run("cohort", "ls", "--gallery", "group", "--json", *place).stdout)
    assert (shown["given"], shown["people"], shown["decision"]) == (2, 60, "cosine")
    assert "2 strangers given" in run("cohort", "ls", "--gallery", "group", *place).stdout
    assert json.loads(run("cohort", "rm", "--gallery", "group", "--json", *place).stdout)["removed"] == 2
    assert "erased 0 strangers" in run("cohort", "rm", "--gallery", "group", *place).stdout


def test_the_decision_is_set(place: list[str]) -> None:
    refused = run("galleries", "few", "--decision", "cohort", "--threshold", "0.2", *place)
    assert isinstance(refused.exception, CohortTooSmall)
    assert "there are 3" in str(refused.exception)
    without = run("galleries", "group", "--decision", "cohort", *place)
    assert isinstance(without.exception, MalformedRequest)
    assert "Give a threshold" in str(without.exception)
    done = run("galleries", "group", "--decision", "cohort", "--threshold", "0.2", *place)
    assert done.exit_code == 0, done.output
    assert "threshold 0.2" in done.stdout
    assert "decision cohort" in done.stdout
    back = run("galleries", "group", "--decision", "cosine", *place)
    assert back.exit_code == 0, back.output
    assert "the decision is cosine, at a threshold of 0.943" in back.stderr


def test_what_is_refused(place: list[str], tmp_path: Path) -> None:
    for words in (("ls",), ("rm",)):
        assert isinstance(run("cohort", *words, "--gallery", "nowhere", *place).exception, UnknownGallery)
    assert isinstance(run("cohort", "add", tmp_path / "none", *place).exception, MalformedRequest)
    (tmp_path / "hollow").mkdir()
    assert isinstance(run("cohort", "add", tmp_path / "hollow", *place).exception, MalformedRequest)
    (tmp_path / "group.png").write_bytes(encode(both(), "PNG"))
    network = ["--network", "dlib-resnet29"] if place[0] == "--store" else []
    done = run("cohort", "add", tmp_path / "group.png", "--gallery", "group", *network, *place)
    assert done.exit_code == 1
    assert "multiple_faces" in done.stdout
