"""The command `doctor`."""

import json
import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from facegroup.cli import doctor
from tests.conftest import RedisProcess


def call(*words: str) -> Result:
    app = typer.Typer()
    doctor.add_commands(app)
    return CliRunner().invoke(app, list(words))


@pytest.fixture(autouse=True)
def healthy(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("FACEGROUP_PORT", str(probe.getsockname()[1]))
    monkeypatch.setenv("FACEGROUP_STORE", f"sqlite:///{tmp_path}/g.db")
    monkeypatch.setenv("FACEGROUP_NETWORK", "retail-0095")
    monkeypatch.setenv("FACEGROUP_MODEL_DIR", str(shared / "models"))
    monkeypatch.setenv("FACEGROUP_CACHE_DIR", str(tmp_path / "cache"))


def test_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "fg_secret_that_is_not_shown"
    monkeypatch.setenv("FACEGROUP_CLIENT_KEY", secret)
    result = call("--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["problems"] == []
    assert (said["network"]["engine"], said["network"]["precision"]) == ("openvino", "fp32")
    assert said["network"]["descriptor"]["compared_with"] == "recorded"
    assert len(said["network"]["weights"]) == 2
    assert said["detector"] == {"detector": "mtcnn", "engine": "openvino", "device": "cpu", "precision": "fp32"}
    assert said["settings"]["changed"]["client_key"] == "set"
    assert secret not in result.output


def test_each_problem_is_a_line_and_the_rest_is_still_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("FACEGROUP_PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("FACEGROUP_STORE", "redis://me:hidden-word@127.0.0.1:1/0")
        monkeypatch.setenv("FACEGROUP_NETWORK", "nobody")
        result = call()
    assert result.exit_code == 1
    problems = [line for line in result.stdout.splitlines() if line.startswith("problem: ")]
    assert [line.split(": ")[1] for line in problems] == ["store", "network", "port"]
    assert "store_unavailable" in problems[0]
    assert "unknown_network" in problems[1]
    assert "set FACEGROUP_PORT" in problems[2]
    assert "hidden-word" not in result.output
    assert '"features"' in result.stdout


@pytest.mark.parametrize(("kept", "status"), [("yes", 0), ("no", 1)])
def test_a_redis_that_can_lose_writes_is_a_problem(
    kept: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = RedisProcess(tmp_path, "--appendonly", kept)
    process.start()
    try:
        monkeypatch.setenv("FACEGROUP_STORE", process.url)
        result = call("--json")
    finally:
        process.kill()
    problems = json.loads(result.stdout)["problems"]
    assert (result.exit_code, len(problems)) == (status, status)
    assert all("can lose acknowledged writes" in each for each in problems)
