"""Real files over HTTP: every odd format and broken file of ../shared, and people named as the library names them."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facegroup.types import NOT_IN_DATASET
from tests.conftest import SHARED
from tests.serve.conftest import files
from tests.serve.driver import Api

FACES = SHARED / "faces"
DERIVED: dict[str, Any] = (
    json.loads((FACES / "derived_edge" / "expected.json").read_text()) if (FACES / "derived_edge").is_dir() else {}
)
GIGABYTE = 1 << 30
CLASSES = ["ben_afflek", "elton_john", "jerry_seinfeld", "madonna", "mindy_kaling"]


def test_photos_are_here(shared: Path) -> None:
    """Skipped where ../shared is not, as are those below, of which there are then none."""
    assert len(DERIVED) > 40
    assert {path.name for path in (shared / "faces" / "derived_edge").iterdir()} == {*DERIVED, "expected.json"}


@pytest.fixture
def lean() -> Iterator[None]:
    """Fails where one request makes the process grow by more than a gigabyte. Known of Linux only."""
    peak = Path("/proc/self/clear_refs")
    if peak.exists():
        peak.write_text("5")  # the peak begins anew, at what is held now
    before = _peak()
    yield
    assert _peak() - before < GIGABYTE


def _peak() -> int:
    status = Path("/proc/self/status")
    return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0]) if status.exists() else 0


@pytest.mark.parametrize("name", DERIVED)
@pytest.mark.usefixtures("lean")
def test_derived_files_answer_as_expected(real: Api, name: str) -> None:
    expected = DERIVED[name]
    answer = real("POST", "/v1/detect", content=(FACES / "derived_edge" / name).read_bytes())
    if "error" in expected:
        assert 400 <= answer.status_code < 500
        return
    if str(expected["faces"]).startswith("error"):
        assert (answer.status_code, answer.json()["code"]) == (422, "truncated_image")
        return
    assert answer.status_code == 200
    allowed = [int(number) for number in re.findall(r"\d+", str(expected["faces"]))]
    assert len(answer.json()["images"][0]["faces"]) in allowed


def folder(name: str) -> list[Any]:
    place = FACES / name
    return (
        [pytest.param(path, id=path.name) for path in sorted(place.rglob("*")) if path.is_file()]
        if place.is_dir()
        else []
    )


@pytest.mark.parametrize("path", [*folder("pillow_edge"), *folder("compreface/imgtools")])
@pytest.mark.usefixtures("lean")
def test_no_file_breaks_the_server(real: Api, path: Path) -> None:
    answer = real("POST", "/v1/detect", content=path.read_bytes())
    assert answer.status_code == 200 or 400 <= answer.status_code < 500


def test_files_of_one_photo_show_one_face_in_one_place(real: Api, shared: Path) -> None:
    """Every format and orientation of one photo, upright, has its face in the same place."""
    names = [name for name in DERIVED if name.startswith(("exif", "photo", "cmyk", "gray", "rgba", "progressive"))]
    assert len(names) > 15
    sent = [(name, (shared / "faces" / "derived_edge" / name).read_bytes()) for name in names]
    images = real("POST", "/v1/detect", files=files(*sent)).json()["images"]
    places = []
    for image in images:
        x, y = image["faces"][0]["landmarks"]["nose"]
        places.append((x / image["width"], y / image["height"]))
    assert places == [pytest.approx(places[0], abs=0.02)] * len(places)


@pytest.fixture(scope="module")
def celebrities(real: Api, shared: Path) -> str:
    """The path of the course work's group: five people, ten photos each."""
    gallery = "/v1/galleries/celebrities"
    assert real("PUT", gallery).status_code == 200
    for name in CLASSES:
        person = f"{gallery}/people/{name.replace('_', '-')}"
        assert real("PUT", person, json={"name": name}).status_code == 201
        train = sorted((shared / "faces" / "five_celebrity" / "train" / name).iterdir())[:10]
        sent = files(*((path.name, path.read_bytes()) for path in train))
        done = real("POST", f"{person}/photos", files=sent).json()
        assert len(done["enrolled"]) + len(done["refused"]) == 10
        assert len(done["enrolled"]) >= 8
    return gallery


def probes(shared: Path) -> dict[str, tuple[bytes, str]]:
    """Photo → whom it shows."""
    known = {path: path.parent.name for path in sorted((shared / "faces" / "five_celebrity" / "test").rglob("*.*"))}
    strangers = dict.fromkeys(sorted((shared / "faces" / "vggface2_tutorial").glob("*.jpg")), NOT_IN_DATASET)
    return {path.name: (path.read_bytes(), who) for path, who in {**known, **strangers}.items()}


def test_five_celebrities_are_named_and_strangers_are_not(real: Api, celebrities: str, shared: Path) -> None:
    asked = probes(shared)
    assert len(asked) == 10
    images = real(
        "POST", f"{celebrities}/identify", files=files(*((name, data) for name, (data, _) in asked.items()))
    ).json()["images"]
    for image in images:
        alone = real("POST", f"{celebrities}/identify", content=asked[image["name"]][0]).json()["images"][0]
        assert [face["name"] for face in image["faces"]] == [face["name"] for face in alone["faces"]]
        assert {face["name"] for face in image["faces"]} == {asked[image["name"]][1]}, image["name"]


def test_after_all_of_it_the_server_answers_rightly(real: Api, shared: Path, still_right: Callable[[], None]) -> None:
    photo = (shared / "faces" / "derived_edge" / "baseline.jpg").read_bytes()
    assert len(real("POST", "/v1/detect", content=photo).json()["images"][0]["faces"]) == 1
    still_right()
