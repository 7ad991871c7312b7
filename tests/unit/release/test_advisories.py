"""Advisories in the OSV format are matched with pins, without a network."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from release.advisories import main

LOCK = "left-pad==1.4.0 \\\n    --hash=sha256:00\nRight_Pad==2.0rc1 ; python_version > '3' \\\n    --hash=sha256:00\n"


def advisory(name: str = "left-pad", **more: Any) -> dict[str, Any]:
    affected = {"package": {"ecosystem": "PyPI", "name": name}, **more}
    return {"id": "OSV-1", "summary": "Pads\nto the left", "affected": [affected]}


def ranged(*events: dict[str, str], kind: str = "ECOSYSTEM") -> dict[str, Any]:
    return advisory(ranges=[{"type": kind, "events": list(events)}])


@pytest.fixture
def lock(tmp_path: Path) -> str:
    path = tmp_path / "a.lock"
    path.write_text(LOCK)
    return str(path)


def check(tmp_path: Path, lock: str, *advisories: dict[str, Any]) -> int:
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "not an advisory")
        for number, each in enumerate(advisories):
            archive.writestr(f"{number}.json", json.dumps(each))
    return main(str(path), lock)


AFFECTED = [
    advisory(versions=["1.4", "0.1"]),
    advisory("Left_Pad", versions=["1.4.0"]),
    advisory("right-pad", versions=["2.0.rc1"]),
    ranged({"introduced": "0"}),
    ranged({"introduced": "0"}, {"fixed": "1.4.1"}),
    ranged({"introduced": "0"}, {"last_affected": "1.4.0"}),
    ranged({"fixed": "1.2"}, {"introduced": "0"}, {"introduced": "1.3"}, {"fixed": "2"}),
]
NOT_AFFECTED = [
    advisory("other-pad", versions=["1.4.0"]),
    advisory(versions=["1.4.1"]),
    ranged({"introduced": "0"}, {"fixed": "1.4.0"}),
    ranged({"introduced": "0"}, {"last_affected": "1.3.9"}),
    ranged({"introduced": "1.4.1"}),
    ranged({"introduced": "0"}, {"fixed": "1.2"}, {"introduced": "1.5"}),
    ranged({"introduced": "0"}, kind="GIT"),
    advisory(versions=["1.4.0"]) | {"withdrawn": "2026-01-01T00:00:00Z"},
]


@pytest.mark.parametrize("known", AFFECTED)
def test_an_affected_pin_is_told(
    known: dict[str, Any], tmp_path: Path, lock: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(tmp_path, lock, known) == 1
    assert "OSV-1" in capsys.readouterr().out


@pytest.mark.parametrize("known", NOT_AFFECTED)
def test_another_version_or_package_is_not(known: dict[str, Any], tmp_path: Path, lock: str) -> None:
    assert check(tmp_path, lock, known) == 0


def test_the_least_version_with_the_mend_is_named(
    tmp_path: Path, lock: str, capsys: pytest.CaptureFixture[str]
) -> None:
    check(tmp_path, lock, ranged({"introduced": "0"}, {"fixed": "1.10"}, {"introduced": "2"}, {"fixed": "2.1"}))
    assert "left-pad 1.4.0: OSV-1, fixed in 1.10. Pads to the left\n" in capsys.readouterr().out


def test_a_folder_and_a_single_file_are_read(tmp_path: Path, lock: str) -> None:
    folder = tmp_path / "advisories" / "deep"
    folder.mkdir(parents=True)
    (folder / "one.json").write_text(json.dumps(advisory(versions=["1.4.0"])))
    assert main(str(folder.parent), lock) == 1
    assert main(str(folder / "one.json"), lock) == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"{}", b'{"affected": 1}', b'{"affected": [{"package": {"ecosystem": "npm"}}]}', b"\xff\xfe"],
)
def test_what_is_no_database_is_an_error(
    data: bytes, tmp_path: Path, lock: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("all.json", "all.zip"):
        (tmp_path / name).write_bytes(data)
        assert main(str(tmp_path / name), lock) == 2
        assert "advisor" in capsys.readouterr().err
    assert main(str(tmp_path / "missing.zip"), lock) == 2
