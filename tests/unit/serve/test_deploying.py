"""What `facegroup deploy` says of a file before anything is deployed."""

from pathlib import Path

import pytest

from facegroup.errors import FacegroupError, InvalidSettings, StoreNotShared
from serve.deploying import run

APPLICATION = "applications: [{import_path: 'serve.app:build', args: {%s}}]"


def refused(file: Path) -> FacegroupError:
    with pytest.raises(FacegroupError) as raised:
        run(file, 1, lambda _: None)
    assert "\n" not in raised.value.detail.strip()
    return raised.value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "applications: []",
        "applications: {}",
        "applications: [serve]",
        "applications: [{import_path: 'other:build'}]",
        "applications: [{import_path: 'serve.app:build', args: [1]}]",
        "applications: [{import_path: 'serve.app:build'}, {import_path: 'serve.app:build'}]",
        "http_options: {port: 8000}",
    ],
)
def test_what_is_no_file_of_a_server(text: str, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(text)
    assert isinstance(refused(tmp_path / "f.yaml"), InvalidSettings)


@pytest.mark.parametrize("text", ["a: [", "\x00", "a: b: c"])
def test_what_cannot_be_read(text: str, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(InvalidSettings, match="cannot be read"):
        run(tmp_path / "f.yaml", 1, lambda _: None)
    with pytest.raises(InvalidSettings, match="cannot be read"):
        run(tmp_path / "none.yaml", 1, lambda _: None)


def test_a_mistake_in_a_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(APPLICATION % "store: 'redis://r:6379/0', detector: {replica: 2}")
    assert "detector.replica" in refused(tmp_path / "f.yaml").detail


def test_a_file_without_a_store_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACEGROUP_STORE", raising=False)
    (tmp_path / "f.yaml").write_text(APPLICATION % "network: retail-0095")
    error = refused(tmp_path / "f.yaml")
    assert isinstance(error, StoreNotShared)
    assert error.code == "store_not_shared"
