"""How many cores a server finds on its machine."""

import os
from pathlib import Path

import pytest

from serve.sizing import usable_cores


@pytest.mark.parametrize(
    ("quotas", "cores"),
    [
        ({}, 8),
        ({"": "max 100000"}, 8),
        ({"": "200000 100000"}, 2),
        ({"": "150000 100000"}, 2),
        ({"": "10000 100000"}, 1),
        ({"": "6400000 100000"}, 8),
        ({"a": "300000 100000", "a/b": "max 100000"}, 3),
        ({"a": "300000 100000", "a/b": "100000 100000"}, 1),
        ({"other": "100000 100000"}, 8),
        ({"": "x y"}, 8),
        ({"": "1"}, 8),
    ],
)
def test_a_containers_quota_counts(
    quotas: dict[str, str], cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    own = tmp_path / "self"
    own.write_text("1:name=systemd:/x\n0::/a/b\n")
    for name, text in quotas.items():
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "cpu.max").write_text(f"{text}\n")
    assert usable_cores(tmp_path, own) == cores


def test_without_control_groups_all_cores_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert usable_cores(tmp_path / "none", tmp_path / "none") == 2
