"""`facegroup networks`, and a network of one's own through every command that takes one."""

import json
from pathlib import Path
from typing import Any

import pytest
from onnx import helper
from typer.testing import CliRunner, Result

from facegroup.errors import FacegroupError, InvalidSettings, NetworkMismatch, UnknownNetwork, WeightsInvalid
from facegroup.networks import added, adding
from facegroup.settings import load
from serve.commands import program
from tests import onnx_files
from tests.photos import astronaut, both, encode, hopper, resized

app = program()
YAML = "files: [{file: net.onnx}]\ntemplate: arcface112\ndimension: 128\nlicence: ours\nthreshold: 0.9\n"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEGROUP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("FACEGROUP_STORE", f"sqlite:///{tmp_path}/gallery.db")
    monkeypatch.delenv("FACEGROUP_MODEL_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def done(*words: object) -> Any:
    result = run(*words, "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    return json.loads(result.stdout)


def said(kind: type[FacegroupError], *words: object) -> str:
    result = run(*words)
    assert isinstance(result.exception, kind), (result.output, result.exception)
    return result.exception.detail


def add(file: Path, *words: object) -> tuple[object, ...]:
    return ("networks", "add", file, "--template", "arcface112", "--licence", "ours", *words)


def rows() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in done("networks")["models"]}


class TestAdding:
    def test_it_is_listed_used_and_removed(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = onnx_files.embedder(place / "My Net.onnx")
        added = done(*add(file))
        assert added["name"] == "my-net"
        file.unlink()  # it was copied
        row = rows()["my-net"]
        assert (row["ready"], row["dimension"], row["licence"], row["used"]) == (True, 128, "ours", False)
        monkeypatch.setenv("FACEGROUP_NETWORK", "my-net")
        assert rows()["my-net"]["used"]
        assert "my-net *" in run("networks").stdout
        monkeypatch.delenv("FACEGROUP_NETWORK")
        assert run("networks", "rm", "my-net").exit_code == 0
        assert "my-net" not in rows()
        assert not list((place / "cache" / "networks").iterdir())

    def test_a_link_leaves_the_file_where_it_is(self, place: Path) -> None:
        file = onnx_files.embedder(place / "net.onnx")
        done(*add(file, "--link"))
        assert (place / "cache" / "networks" / "net" / "net.onnx").is_symlink()
        assert run("networks", "rm", "net").exit_code == 0
        assert file.is_file()

    def test_files_with_its_weights_come_along(self, place: Path) -> None:
        onnx_files.with_external_data(place / "net.onnx")
        done(*add(place / "net.onnx", "--name", "mine", "--threshold", "0.5", "--mean", "120"))
        assert {path.name for path in (place / "cache" / "networks" / "mine").iterdir()} == {"net.onnx", "weights.bin"}
        assert rows()["mine"]["threshold"] == 0.5

    def test_an_ir_comes_with_its_weights(self, place: Path, shared: Path) -> None:
        file = shared / "models/face-reidentification-retail-0095/FP16/face-reidentification-retail-0095.xml"
        words = ("networks", "add", file, "--template", "retail128", "--licence", "Apache-2.0", "--name", "mine")
        assert done(*words)["name"] == "mine"
        assert rows()["mine"]["dimension"] == 256

    def test_a_file_that_cannot_be_used_is_not_kept(self, place: Path) -> None:
        for changes in ({"side": 160}, {"after": [helper.make_node("Sub", ["y", "y"], ["output"])]}):
            file = onnx_files.embedder(place / "net.onnx", **changes)
            assert said(WeightsInvalid, *add(file)).startswith(str(file))
            assert "net" not in rows()
        assert not list((place / "cache" / "networks").iterdir())

    @pytest.mark.parametrize(
        ("words", "what"),
        [
            (["--name", "retail-0095"], "that name no network yet"),
            (["--name", "../mine"], "that name no network yet"),
            (["--channels", "GRAY"], "channels: Input should be 'RGB' or 'BGR'"),
            (["--scale", "0"], "scale: should be above 0"),
            (["--mean", "nan"], "mean"),
            (["--size", "100"], "size 100 is no multiple of the 112"),
            (["--template", "mine"], "template: Input should be 'arcface112'"),
        ],
    )
    def test_what_is_wrong_is_said(self, place: Path, words: list[str], what: str) -> None:
        assert what in said(InvalidSettings, *add(onnx_files.embedder(place / "net.onnx"), *words))
        assert "net" not in rows()

    def test_a_name_twice(self, place: Path) -> None:
        file = onnx_files.embedder(place / "net.onnx")
        done(*add(file))
        assert "is there already" in said(InvalidSettings, *add(file))

    @pytest.mark.parametrize("where", ["trying", "copying", "naming", "ending"])
    @pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, RuntimeError])
    def test_nothing_is_kept_of_what_was_cut_off(
        self, place: Path, where: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = onnx_files.embedder(place / "net.onnx")
        rename = Path.rename

        def fail(*_: Any) -> Any:
            raise error

        def renamed(path: Path, to: Path) -> Path:
            last = to.suffix == ".yaml"
            if last and where == "naming":
                raise error
            done = rename(path, to)
            if last and where == "ending":
                raise error
            return done

        with monkeypatch.context() as patched:
            if where == "trying":
                patched.setattr(adding, "open_embedder", fail)
            elif where == "copying":
                patched.setattr("shutil.copyfile", fail)
            else:
                patched.setattr(Path, "rename", renamed)
            with pytest.raises(error):
                adding.add(file, "arcface112", "ours", None, {}, load())
        assert not list((place / "cache" / "networks").iterdir())
        done(*add(file))

    def test_two_at_once_leave_the_first_whole(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = onnx_files.embedder(place / "net.onnx")
        settings = load()
        with monkeypatch.context() as patched:
            patched.setattr(added, "names", lambda _: [])
            patched.setattr(Path, "exists", lambda path: path.name != "net" and path.is_dir())  # neither sees the other
            adding.add(file, "arcface112", "ours", "net", {}, settings)
            with pytest.raises(InvalidSettings, match="cannot be written"):
                adding.add(file, "arcface112", "ours", "net", {}, settings)
        assert rows()["net"]["ready"]
        assert {path.name for path in (place / "cache" / "networks").iterdir()} == {"net", "net.yaml"}

    def test_what_a_killed_process_left_behind_can_be_removed(self, place: Path) -> None:
        file = onnx_files.embedder(place / "net.onnx")
        done(*add(file))
        (place / "cache" / "networks" / "net.yaml").unlink()
        assert "networks rm net" in said(InvalidSettings, *add(file))
        assert run("networks", "rm", "net").exit_code == 0
        done(*add(file))

    def test_a_pickle_is_refused(self, place: Path) -> None:
        (place / "net.onnx").write_bytes(b"PK\x03\x04archive/data.pkl")
        assert "It is never read" in said(WeightsInvalid, *add(place / "net.onnx"))
        (place / "net.pth").write_bytes(b"x")
        assert "is a Python pickle" in said(WeightsInvalid, *add(place / "net.pth"))

    def test_what_was_not_added_cannot_be_removed(self, place: Path) -> None:
        for name in ("retail-0095", "nobody", "../gallery"):
            assert "was added" in said(UnknownNetwork, "networks", "rm", name)


class TestUsing:
    def test_photos_are_enrolled_and_named_and_other_bytes_are_refused(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        onnx_files.embedder(place / "net.onnx")
        (place / "mine.yaml").write_text(YAML)
        (place / "photos" / "Grace").mkdir(parents=True)
        (place / "photos" / "Grace" / "1.jpg").write_bytes(encode(hopper()))
        (place / "party.jpg").write_bytes(encode(both()))
        monkeypatch.setenv("FACEGROUP_NETWORK", "mine.yaml")
        monkeypatch.setenv("FACEGROUP_DETECTOR__ENGINE", "openvino")
        assert run("enroll", "photos").exit_code == 0
        (seen,) = done("identify", "party.jpg")["photos"]
        assert {face["name"] for face in seen["faces"]} == {"Grace", "not in the dataset"}

        onnx_files.embedder(place / "net.onnx", seed=1)
        refused = run("identify", "party.jpg")
        assert refused.exit_code == 2
        assert "other weights or another preprocessing of mine" in refused.output
        (place / "photos" / "Sally").mkdir()
        (place / "photos" / "Sally" / "1.jpg").write_bytes(encode(resized(astronaut(), 400)))
        assert "other weights or another preprocessing of mine" in said(NetworkMismatch, "enroll", "photos")

        onnx_files.embedder(place / "net.onnx")
        (place / "net.onnx").rename(place / "other.onnx")
        (place / "mine.yaml").write_text(YAML.replace("net.onnx", "other.onnx").replace("0.9", "0.8"))
        assert run("identify", "party.jpg").exit_code == 0

    def test_a_server_prints_its_licence_once_and_starts_nothing_with_a_bad_one(
        self, place: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started: list[str] = []

        def running(settings: Any) -> Any:
            started.append(settings.network)
            raise KeyboardInterrupt

        monkeypatch.setattr("serve.launch.running", running)
        onnx_files.embedder(place / "net.onnx")
        (place / "mine.yaml").write_text(YAML)
        monkeypatch.setenv("FACEGROUP_NETWORK", "mine.yaml")
        assert "licence of mine: ours" in run("serve").output
        assert "licence of" not in run("serve").output
        assert started == [str(place / "mine.yaml")] * 2
        onnx_files.embedder(place / "net.onnx", opset=99)
        assert "is of opset 99" in said(WeightsInvalid, "serve")
        (place / "mine.yaml").write_text(YAML + "nonsense: 1\n")
        assert "nonsense: unknown key" in said(InvalidSettings, "serve")
        assert len(started) == 2
