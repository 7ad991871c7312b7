"""Settings: one tree, four sources in a fixed order, and no name or value that is silently ignored."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from facegroup.errors import InvalidSettings
from facegroup.settings import Settings, load


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("FACEGROUP_")]:
        monkeypatch.delenv(name)


def test_defaults_are_private_and_local() -> None:
    settings = load()
    assert settings.host == "127.0.0.1"
    assert settings.store.startswith("sqlite:///")
    assert settings.network == "vggface2-resnet50"
    assert settings.threshold is None
    assert settings.limits.image_pixels == 100_000_000


def test_order_of_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "facegroup.yaml"
    file.write_text("port: 1111\nnetwork: retail-0095\nlimits:\n  images: 5\n  faces: 6\n")
    monkeypatch.setenv("FACEGROUP_CONFIG", str(file))
    assert (load().port, load().network) == (1111, "retail-0095")
    monkeypatch.setenv("FACEGROUP_PORT", "2222")
    monkeypatch.setenv("FACEGROUP_LIMITS__IMAGES", "50")
    assert load().port == 2222
    assert (load().limits.images, load().limits.faces) == (50, 6)
    assert load(port=3333).port == 3333
    assert load(port=None).port == 2222
    assert load().network == "retail-0095"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("FACEGROUP_TRESHOLD", "0.4", "FACEGROUP_TRESHOLD"),
        ("FACEGROUP_LIMITS__IMAGE_BITES", "1", "image_bites"),
        ("FACEGROUP_EMBEDER__BATCH", "1", "FACEGROUP_EMBEDER__BATCH"),
        ("FACEGROUP_PORT", "0", "port"),
        ("FACEGROUP_PORT", "http", "port"),
        ("FACEGROUP_THRESHOLD", "1.5", "threshold"),
        ("FACEGROUP_EMBEDDER__ENGINE", "magic", "embedder.engine"),
        ("FACEGROUP_LIMITS__IMAGE_PIXELS", "-1", "limits.image_pixels"),
        ("FACEGROUP_LIMITS__SIDE_PIXELS", "10", "limits.side_pixels"),
        ("FACEGROUP_CONFIG", "/nowhere/facegroup.yaml", "/nowhere/facegroup.yaml"),
    ],
)
def test_wrong_settings_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=says):
        load()


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("mqtt://host", True),
        ("mqtts://me:p%40ss@[fd00::1]:8883/", True),
        ("mqtt://me@broker.lan:1883", True),
        ("mqtt://me:p@ss@host", True),
        ("mqtt://me:hunter2/x@host", False),
        ("mqtt://me:hunter2#x@host", False),
        ("mqtt://me:hunter2@host:99999", False),
        ("mqtt://me:hunter2@ho st", False),
        ("mqtt://me:hunter2@host/topic", False),
        ("mqtt://me:hunter2@host?x=1", False),
        ("mqtt://me:hunter2@", False),
        ("https://me:hunter2@host", False),
        ("hunter2", False),
    ],
)
def test_a_brokers_address(address: str, good: bool) -> None:
    if good:
        mqtt = load(cameras={"mqtt": address}).cameras.mqtt
        assert mqtt is not None
        assert mqtt.get_secret_value() == address
        return
    with pytest.raises(InvalidSettings, match=r"should be mqtt://user:password@host:1883, .*%40") as refused:
        load(cameras={"mqtt": address})
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("text", ["prot: 8000\n", "limits:\n  imges: 3\n", "port: [1, 2\n", "- port\n", "port: {}\n"])
def test_a_wrong_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    file = tmp_path / "facegroup.yaml"
    file.write_text(text)
    monkeypatch.setenv("FACEGROUP_CONFIG", str(file))
    with pytest.raises(InvalidSettings):
        load()


def test_a_wrong_variable_in_json_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACEGROUP_LIMITS", "{images")
    with pytest.raises(InvalidSettings):
        load()


def test_an_empty_file_is_no_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "facegroup.yaml"
    file.write_text("")
    monkeypatch.setenv("FACEGROUP_CONFIG", str(file))
    assert load() == load(port=8000)


def test_a_settings_tree_can_be_sent_as_arguments() -> None:
    settings = load(port=4444, limits={"images": 7})
    assert Settings(**settings.model_dump(mode="json")) == settings


def test_settings_do_not_change() -> None:
    settings = load()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]
    with pytest.raises(ValidationError):
        settings.limits.images = 1  # type: ignore[misc]


@pytest.mark.parametrize("path", ["~nobody-of-that-name/x.yaml", "~no-one/a/b.YML"])
@pytest.mark.parametrize("given", ["network", "detector"])
def test_the_folder_of_a_user_who_is_not_known_is_refused(given: str, path: str) -> None:
    with pytest.raises(InvalidSettings, match="cannot be found"):
        load(**{given: path if given == "network" else {"model": path}})


@pytest.mark.parametrize("given", ["network", "detector"])
def test_a_path_from_a_folder_that_is_gone_is_refused(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InvalidSettings, match=r"x\.yaml cannot be found"):
        load(**{given: "x.yaml" if given == "network" else {"model": "x.yaml"}})


def test_files_are_found_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    for given, found in (
        ("admin.key", tmp_path / "admin.key"),
        ("./a/admin.key", tmp_path / "a/admin.key"),
        ("~/admin.key", tmp_path / "me/admin.key"),
        ("/run/secrets/key", Path("/run/secrets/key")),
    ):
        settings = load(access={"first_key": given}, secret_key_file=given)
        assert (settings.access.first_key, settings.secret_key_file) == (found, found)
    with pytest.raises(InvalidSettings, match="cannot be found"):
        load(access={"first_key": "~nobody-of-this-name/admin.key"})
