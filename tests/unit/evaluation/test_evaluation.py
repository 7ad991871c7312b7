"""A folder of people → figures: the cache, what is left out, and the two commands, on real photos."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from facegroup.errors import MalformedRequest
from facegroup.evaluation import descriptors
from facegroup.settings import Settings, load
from studies import comparison, dataset, doubting
from tests.photos import astronaut, both, encode, hopper, nobody, resized


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    return load(network="dlib-resnet29", cache_dir=tmp_path / "cache")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two people with three photos, one of whom has no face in one, and a stranger."""
    made = {
        "Eileen": [resized(astronaut(), side) for side in (512, 400, 300)],
        "Grace": [resized(hopper(), side) for side in (600, 400)] + [nobody()],
        "Both": [both()],
    }
    for name, images in made.items():
        (tmp_path / "people" / name).mkdir(parents=True)
        for number, image in enumerate(images):
            (tmp_path / "people" / name / f"{number}.jpg").write_bytes(encode(image))
    return tmp_path / "people"


def test_a_photo_is_embedded_once(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = sorted(folder.rglob("*.jpg"))
    told: list[int] = []
    rows = descriptors.embeddings(photos, settings, told.append)
    assert rows.shape == (7, 128)
    assert rows.any(axis=1).tolist() == [photo.parent.name != "Grace" or photo.stem != "2" for photo in photos]
    assert not np.allclose(np.linalg.norm(rows[1:4], axis=1), 1, atol=0.01), "the raw embedding is wanted"
    assert told[-1] == len(photos)
    (kept,) = (settings.cache_dir / "evaluation").iterdir()
    assert kept.stat().st_mode & 0o077 == 0, "others may read what is biometric"
    monkeypatch.setattr(descriptors, "open_embedder", None)
    again = descriptors.embeddings(photos[::-1], settings)
    assert again[::-1].tobytes() == rows.tobytes()


def test_a_new_photo_is_added_to_the_cache(settings: Settings, folder: Path) -> None:
    photos = sorted(folder.rglob("*.jpg"))
    first = descriptors.embeddings(photos[:2], settings)
    every = descriptors.embeddings(photos, settings)
    assert every[:2].tobytes() == first.tobytes()
    assert len(every) == len(photos)


def test_an_interruption_costs_nothing(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = sorted(folder.rglob("*.jpg"))
    (folder / "none.jpg").write_bytes(b"no photo")
    photos += [folder / "none.jpg", folder / "absent.jpg", folder]

    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        descriptors.embed(photos, settings, interrupt)
    monkeypatch.setattr(descriptors, "open_embedder", None)
    again = descriptors.embed(photos, settings)
    assert again.codes == ("", "", "", "", "", "", "no_face", "not_an_image", "absent", "unreadable")
    assert again.rows.any(axis=1).tolist() == [not code for code in again.codes]
    assert [bool(key) for key in again.hashes] == [True] * 8 + [False] * 2


def test_a_damaged_cache_is_made_anew(settings: Settings, folder: Path) -> None:
    photos = sorted(folder.rglob("*.jpg"))[:2]
    first = descriptors.embeddings(photos, settings)
    (kept,) = (settings.cache_dir / "evaluation").iterdir()
    kept.write_bytes(kept.read_bytes()[:200])
    assert descriptors.embeddings(photos, settings).tobytes() == first.tobytes()


def test_a_data_set_is_read(settings: Settings, folder: Path) -> None:
    read = dataset.read(folder, settings, least=2)
    assert [len(rows) for rows in read.people] == [3, 2]
    assert (len(read.strangers), read.missed, len(read.embeddings)) == (1, 1, 6)
    assert read.embeddings.any(axis=1).all()
    places = [place for rows in (*read.people, read.strangers) for place in rows]
    assert sorted(places) == list(range(6))


@pytest.mark.parametrize("options", [{"least": 3}, {"least": 2, "most": 2}, {"least": 2, "strangers": 0}])
def test_a_data_set_needs_two_people_and_a_stranger(settings: Settings, folder: Path, options: dict[str, int]) -> None:
    with pytest.raises(MalformedRequest, match="two are needed"):
        dataset.read(folder, settings, **options)  # type: ignore[arg-type]


@pytest.fixture
def lfw(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight people with six photos or more and forty strangers, all of LFW."""
    monkeypatch.setenv("FACEGROUP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("FACEGROUP_MODEL_DIR", str(shared / "models"))
    folder = tmp_path / "lfw"
    folder.mkdir()
    wanted = {"several": 8, "one": 40}
    for person in sorted((shared / "faces" / "lfw_deepfunneled").iterdir()):
        count = len(list(person.glob("*.jpg")))
        kind = "several" if count >= 6 else "one" if count == 1 else ""
        if wanted.get(kind):
            wanted[kind] -= 1
            (folder / person.name).symlink_to(person)
    return folder


def test_the_commands_measure_real_photos(lfw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(module: object, *words: str) -> list[dict[str, object]]:
        written = tmp_path / "table.json"
        arguments = ["x", str(lfw), "--network", "retail-0095", "--json", str(written), *words]
        monkeypatch.setattr(sys, "argv", arguments)
        module.main()  # type: ignore[attr-defined]
        read = json.loads(written.read_text())
        assert (read["people"], read["strangers"]) == (8, 40)
        rows: list[dict[str, object]] = read["rows"]
        return rows

    rows = run(comparison, "--enrol", "1", "3", "--splits", "3", "--drawings", "50")
    found = {(row["enrolled"], row["mislabelled"], row["template"], row["fpir"]): row["tpir"] for row in rows}
    assert len(found) == len(rows) == 3 * 3 * 8  # with one photo, and that one wrong, there is nothing to compare
    right, noisy = found[3, 0.0, "mean", 0.1], found[3, 1.0, "best", 0.1]
    assert isinstance(right, dict)
    assert isinstance(noisy, dict)
    assert right["low"] <= right["value"] <= right["high"]
    assert right["value"] >= 0.95
    assert noisy["value"] < right["value"], "best of samples names who is in the wrong photo"
    made = {(row["enrolled"], row["kind"], row["reach"]): row for row in run(doubting, "--enrol", "2", "--splits", "2")}
    share = {
        kind: float(made[2, kind, 1.5]["looks_like"]) + float(made[2, kind, 1.5]["unlike_own"])  # type: ignore[arg-type]
        for kind in ("own", "new", "misfiled", "stranger", "twice")
    }
    assert max(share["own"], share["new"]) <= 0.05
    assert min(share["misfiled"], share["stranger"], share["twice"]) >= 0.8
