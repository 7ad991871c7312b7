"""What a server asks of its machine, and how many cores it finds there."""

import os
from pathlib import Path
from typing import Any

import pytest

from facegroup.errors import InvalidSettings
from facegroup.settings import load
from serve.sizing import sized, usable_cores


@pytest.mark.parametrize("stage", ["detector", "embedder", "matcher", "ingress"])
@pytest.mark.parametrize(("replicas", "per_machine"), [(2, 1), (5, 4)])
def test_replicas_that_one_machine_may_not_run_are_refused(stage: str, replicas: int, per_machine: int) -> None:
    """Ray would wait for another machine for ever."""
    given: dict[str, Any] = {stage: {"replicas": replicas, "per_machine": per_machine}}
    with pytest.raises(InvalidSettings, match=rf"{stage}\.replicas is {replicas}, .* only {per_machine} of them"):
        sized(load(**given))


@pytest.mark.parametrize(("replicas", "per_machine"), [(1, 0), (2, 0), (2, 2), (1, 1), (2, 9)])
def test_others_run(replicas: int, per_machine: int) -> None:
    given = load(embedder={"replicas": replicas, "per_machine": per_machine})
    assert sized(given).embedder.threads >= 1


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
