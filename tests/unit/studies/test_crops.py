"""What cutting out, mirroring and precision cost or bring: the command, on real photos."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from facegroup.errors import MalformedRequest
from facegroup.networks.embedder import Embedder
from facegroup.networks.registry import spec
from facegroup.settings import load
from facegroup.types import Crops, Floats
from studies import crops
from tests.photos import encode, hopper, nobody


def test_what_is_compared_begins_with_what_the_program_does() -> None:
    found = crops.ways(spec("retail-0095"))
    assert next(iter(found.values())) == spec("retail-0095")
    assert [(way.crop, way.margin, way.framed) for way in found.values()] == [
        ("five_point", 0.0, False),
        ("box", 0.0, False),
        ("box", 0.3, False),
        ("box", 0.3, True),
    ]


class LeftHalf:
    """Says how bright the left and the right half of a crop are."""

    name, device = "left half", "cpu"

    def run(self, given: Crops) -> Floats:
        halves = np.split(given.astype(np.float32), 2, axis=2)
        return np.stack([half.mean(axis=(1, 2, 3)) for half in halves], axis=1) + 1

    def warm(self) -> None:
        """There is nothing to warm."""


def test_a_mirrored_descriptor_is_the_mean_of_both() -> None:
    embedder = Embedder(spec("retail-0095"), LeftHalf())
    given = np.zeros((1, 4, 4, 3), np.uint8)
    given[:, :, :2] = 200
    rows = embedder.embed(given)
    assert rows[0] == pytest.approx([1, 1 / 201], abs=1e-4)
    assert crops.averaged(embedder, given, rows)[0] == pytest.approx([0.5**0.5] * 2)


def test_the_command_measures_real_photos(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGROUP_MODEL_DIR", str(shared / "models"))
    folder = tmp_path / "people"
    folder.mkdir()
    wanted = {"several": 4, "one": 12}
    for person in sorted((shared / "faces" / "lfw_deepfunneled").iterdir()):
        count = len(list(person.glob("*.jpg")))
        kind = "several" if count == 6 else "one" if count == 1 else ""
        if wanted.get(kind):
            wanted[kind] -= 1
            (folder / person.name).symlink_to(person)
    (folder / "AAA").mkdir()
    (folder / "AAA" / "faceless.jpg").write_bytes(encode(nobody()))
    (folder / "AAB").mkdir()
    (folder / "AAB" / "broken.jpg").write_bytes(b"broken")
    written = tmp_path / "table.json"
    monkeypatch.setattr(sys, "argv", ["x", str(folder), "--network", "retail-0095", "--json", str(written)])
    crops.main()
    read = json.loads(written.read_text())
    assert (read["people"], read["strangers"], read["without_a_face"]) == (4, 12, 2)
    rows = {(row["crop"], row["mirrored"], row["fpir"]): row for row in read["rows"]}
    assert len(rows) == len(read["rows"]) == 4 * 2 * 2
    own = rows["five_point, its own", False, 0.1]
    assert own["gain"] == {"value": 0, "low": 0, "high": 0}
    assert own["tpir"]["value"] >= 0.9
    assert rows["box", False, 0.1]["tpir"]["value"] < own["tpir"]["value"], "the network was trained on aligned faces"


def test_too_few_people(tmp_path: Path) -> None:
    (tmp_path / "Grace").mkdir()
    (tmp_path / "Grace" / "1.jpg").write_bytes(encode(hopper()))
    with pytest.raises(MalformedRequest, match="0 people with 6 usable photos, 1 strangers"):
        crops.cut(tmp_path, load(network="dlib-resnet29"), spec("dlib-resnet29"), 6, 10)
