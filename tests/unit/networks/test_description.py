from pathlib import Path
from typing import Any

import pytest
import yaml

from facegroup.errors import InvalidSettings, UnknownNetwork
from facegroup.networks import added, registry
from facegroup.networks.crop_templates import CROP_TEMPLATES
from facegroup.settings import Settings, load

HASH = "ab" * 32


def written(folder: Path, **changes: Any) -> Path:
    about = {"files": [{"file": "net.onnx"}], "template": "arcface112", "dimension": 512, "licence": "ours"}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in {**about, **changes}.items() if value is not None}))
    return path


def said(path: Path) -> str:
    with pytest.raises(InvalidSettings) as refused:
        registry.spec(str(path))
    assert str(path) in refused.value.detail
    assert "\n" not in refused.value.detail
    return refused.value.detail


def test_the_least_that_it_must_say(tmp_path: Path) -> None:
    spec = registry.spec(str(written(tmp_path)))
    template = CROP_TEMPLATES["arcface112"]
    assert (spec.name, spec.dimension, spec.crop, spec.size, spec.licence) == ("mine", 512, "five_point", 112, "ours")
    assert (spec.points, spec.mean, spec.scale, spec.channels) == (template.points, (127.5,) * 3, (127.5,) * 3, "RGB")
    assert (spec.threshold, spec.threshold_source) == (template.threshold, template.threshold_source)
    assert spec.setting == str(tmp_path / "mine.yaml")


def test_everything_that_it_may_say(tmp_path: Path) -> None:
    path = written(
        tmp_path, name="ours.v2", title="ours", template="box224", size=160, margin=0.5, keep_aspect=False, channels="RGB",
        mean=[1, 2, 3], scale=2, threshold=0.5, threshold_source="measured", batch=1,
        files=[{"file": "net.onnx", "url": "https://example.org/net.onnx", "sha256": HASH.upper(), "bytes": 9}],
    )  # fmt: skip
    spec = registry.spec(str(path))
    assert (spec.name, spec.title, spec.crop, spec.size, spec.margin, spec.framed) == (
        "ours.v2", "ours", "box", 160, 0.5, False,
    )  # fmt: skip
    assert (spec.channels, spec.mean, spec.scale, spec.batch) == ("RGB", (1, 2, 3), (2, 2, 2), 1)
    assert (spec.threshold, spec.threshold_source) == (0.5, "measured")
    assert spec.weights[0].sha256 == HASH


def test_points_are_in_pixels_of_the_crop(tmp_path: Path) -> None:
    points = [[30, 40], [60, 40], [45, 60], [32, 75], [58, 75]]
    spec = registry.spec(str(written(tmp_path, size=100, points=points)))
    assert spec.points[0] == (0.3, 0.4)


@pytest.mark.parametrize("name", CROP_TEMPLATES)
def test_every_template_can_be_used(tmp_path: Path, name: str) -> None:
    spec = registry.spec(str(written(tmp_path, template=name)))
    assert spec.size == CROP_TEMPLATES[name].size
    assert spec.crop == ("five_point" if CROP_TEMPLATES[name].points else "box")
    assert all(0 < part < 1 for point in spec.points for part in point)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"tempalte": "arcface112"}, "tempalte: unknown key; known are name, title, files"),
        ({"files": [{"file": "net.onnx", "hash": HASH}]}, "files.0.hash: unknown key; known are file, url, sha256, bytes"),
        ({"template": "arcface"}, "template: Input should be 'arcface112'"),
        ({"template": None}, "template: Field required"),
        ({"dimension": None}, "dimension: Field required"),
        ({"licence": None}, "licence: Field required"),
        ({"licence": ""}, "licence: "),
        ({"licence": False}, "licence: "),
        ({"files": []}, "files: "),
        ({"files": "net.onnx"}, "files: "),
        ({"dimension": True}, "dimension: "),
        ({"dimension": 512.5}, "dimension: "),
        ({"dimension": "512"}, "dimension: "),
        ({"dimension": 10**9}, "dimension: "),
        ({"size": 0}, "size: "),
        ({"size": 10**6}, "size: "),
        ({"size": 128}, "size 128 is no multiple of the 112 of arcface112"),
        ({"scale": 0}, "scale: should be above 0"),
        ({"scale": [1, 0, 1]}, "scale: should be above 0"),
        ({"scale": float("nan")}, "scale"),
        ({"mean": float("inf")}, "mean"),
        ({"mean": [1, 2]}, "mean"),
        ({"mean": "127.5"}, "mean"),
        ({"channels": "GRAY"}, "channels: "),
        ({"threshold": 2}, "threshold: "),
        ({"margin": 0.3}, "margin and keep_aspect are for boxes"),
        ({"template": "box224", "margin": -1}, "margin: "),
        ({"template": "box224", "points": [[1, 1]] * 5}, "points are for templates that align by five points"),
        ({"points": [[1, 1]] * 4}, "points should be 5 pairs"),
        ({"points": [[1, 1]] * 5}, "right of the left eye"),
        ({"points": [[300, 1]] * 5}, "in pixels of the crop, 0 to 112"),
        ({"files": [{"file": "net.h5"}]}, "the first file should be .onnx, or .xml"),
        ({"files": [{"file": "net.xml"}]}, "files should also have net.bin"),
        ({"files": [{"file": "net.pth"}]}, "is a Python pickle, which runs code"),
        ({"files": [{"file": "net.onnx"}, {"file": "w.pkl"}]}, "is a Python pickle, which runs code"),
        ({"files": [{"file": "net.onnx"}, {"file": "a/net.onnx"}]}, "two files have the same name"),
        ({"files": [{"file": "net.onnx", "url": "https://example.org/net.onnx"}]}, "needs its sha256"),
        ({"files": [{"file": "net.onnx", "url": "ftp://example.org/net.onnx", "sha256": HASH}]}, "https:// address"),
        ({"files": [{"file": "net.onnx", "url": "file:///etc/passwd", "sha256": HASH}]}, "https:// address"),
        ({"files": [{"file": "../net.onnx", "url": "https://example.org/n", "sha256": HASH}]}, "a plain file name"),
        ({"files": [{"file": "net.onnx", "sha256": "abc"}]}, "files.0.sha256: "),
        ({"files": [{"file": "net\0.onnx"}]}, "should be a path"),
        ({"name": "retail-0095"}, "is the name of a network that ships with facegroup"),
        ({"name": "../mine"}, "name: should be 1 to 64"),
        ({"name": "a+b"}, "name: should be 1 to 64"),
        ({"name": 7}, "name: "),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_message(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    assert what in said(written(tmp_path, **changes))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "should have keys and values"),
        ("- a\n- b\n", "should have keys and values"),
        ("a: [", "cannot be read"),
        ("a: b: c", "cannot be read"),
        ("template: arcface112\ntemplate: box224\n", "is there twice"),
        ("? [a, b]\n: c\n", "a key should be a word"),
        ("a: !!python/object/apply:os.system ['touch ran']\n", "cannot be read"),
        ("a: &a [x]\nb: *nobody\n", "cannot be read"),
        ("x: " + "[" * 30_000, "cannot be read"),
        ("x: " + "a" * 70_000, "more than 65,536 bytes"),
        ("\x00\x01\x02", "cannot be read"),
    ],
)
def test_a_file_that_is_no_description(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    assert what in said(tmp_path / "mine.yaml")


def test_a_file_in_another_encoding(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_bytes(b"licence: caf\xe9\n")
    assert "cannot be read" in said(tmp_path / "mine.yaml")


def test_a_bomb_of_aliases(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)]
    (tmp_path / "mine.yaml").write_text("\n".join(lines) + "\nmean: *i\n")
    assert len(said(tmp_path / "mine.yaml")) < 2000


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    assert "is not a file" in said(tmp_path / "mine.yaml")
    (tmp_path / "folder.yaml").mkdir()
    assert "is not a file" in said(tmp_path / "folder.yaml")


def test_a_name_that_cannot_be_made_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path).rename(tmp_path / "My Network.yaml")
    assert "name: should be 1 to 64" in said(path)
    path.write_text(path.read_text() + "name: my-network\n")
    assert registry.spec(str(path)).name == "my-network"


def test_the_path_in_the_settings_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEGROUP_NETWORK", "mine.yaml")
    assert load().network == str(tmp_path / "mine.yaml")
    assert load(network="retail-0095").network == "retail-0095"


def test_the_home_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSettings, match="network"):
        load(network="~nobody-of-this-name/mine.yaml")


class TestAddedNetworks:
    def test_one_is_found_by_its_name(self, settings: Settings) -> None:
        (settings.cache_dir / "networks").mkdir(parents=True)
        path = written(settings.cache_dir / "networks")
        assert added.names(settings) == ["mine"]
        assert registry.spec("mine", settings).source == str(path)
        assert [spec.name for spec in registry.own(settings)[0]] == ["mine"]

    def test_one_that_is_damaged_is_told(self, settings: Settings) -> None:
        (settings.cache_dir / "networks").mkdir(parents=True)
        written(settings.cache_dir / "networks", licence=None)
        specs, damaged = registry.own(settings)
        assert not specs
        assert "licence: Field required" in damaged[0].detail

    def test_one_whose_file_has_another_name_is_refused(self, settings: Settings) -> None:
        (settings.cache_dir / "networks").mkdir(parents=True)
        written(settings.cache_dir / "networks", name="other")
        with pytest.raises(InvalidSettings, match=r"describes other\. Name the file other\.yaml"):
            registry.spec("mine", settings)

    @pytest.mark.parametrize("name", ["../mine", "/etc/passwd", "", ".", "mine\0"])
    def test_a_name_leads_nowhere_else(self, settings: Settings, name: str) -> None:
        written(settings.cache_dir.parent)
        with pytest.raises(UnknownNetwork):
            registry.spec(name, settings)

    def test_the_one_in_use_is_known_by_its_name(self, tmp_path: Path) -> None:
        path = written(tmp_path)
        settings = load(network=str(path), cache_dir=tmp_path / "cache")
        assert registry.spec("mine", settings).setting == str(path)

    def test_an_unknown_name_is_answered_with_theirs(self, settings: Settings) -> None:
        (settings.cache_dir / "networks").mkdir(parents=True)
        written(settings.cache_dir / "networks")
        with pytest.raises(UnknownNetwork, match="auraface-v1, mine, or give the path"):
            registry.spec("nobody", settings)
