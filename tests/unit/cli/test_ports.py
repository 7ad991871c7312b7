"""The command `facegroup ports`: which ports a cluster needs, which can be reached, and what is open here."""

import json
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facegroup.cli import ports
from facegroup.cli.cluster_ports import needed
from facegroup.errors import MalformedRequest
from facegroup.settings import load
from serve.commands import program

DEPLOYMENT = Path(__file__).parents[3] / "docs" / "deployment.md"


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(program(), ["ports", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_what_others_can_reach_is_told() -> None:
    with socket.create_server(("0.0.0.0", 0)) as everywhere, socket.create_server(("127.0.0.1", 0)) as here:
        open_port, own_port = (each.getsockname()[1] for each in (everywhere, here))
        status, said = run()
        told = json.loads(run("--json")[1])
    assert status == 0
    assert [line for line in said.splitlines() if line.split()[0:3] == [str(open_port), "at", "0.0.0.0,"]]
    found = [each["port"] for each in told["here"]]
    assert open_port in found
    assert own_port not in found
    assert "tested" not in told


def test_ports_of_a_machine_are_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def reach(host: str, port: int) -> str:
        asked.append((host, port))
        return "blocked" if port == 20_130 else "open" if port == 8000 else "closed"

    monkeypatch.setattr(ports, "reach", reach)
    status, said = run("--test", "10.1.2.3", "--json", "--store", "redis://keeper:6390/0")
    tested = {each["ports"]: each for each in json.loads(said)["tested"]}
    assert status == 1
    assert tested["20010-20130"]["reach"] == "blocked"
    assert tested["8000"]["reach"] == "open"
    assert tested["6380"]["reach"] == "closed"
    assert tested["6390"]["host"] == "keeper"
    assert ("keeper", 6390) in asked
    assert {host for host, port in asked if port != 6390} == {"10.1.2.3"}
    monkeypatch.setattr(ports, "reach", lambda *_: "closed")
    status, said = run("--test", "10.1.2.3")
    assert status == 0
    assert "6380 at 10.1.2.3: closed" in said


def test_an_address_that_leads_nowhere_is_named() -> None:
    with pytest.raises(MalformedRequest, match=r"nowhere\.invalid"):
        run("--test", "nowhere.invalid")


def test_variables_and_settings_choose_ports() -> None:
    given = {"RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": "21010", "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": "21100"}
    found = {str(each): each for each in needed(load(port=8443, store="rediss://u:p@keeper/0"), given)}
    assert {"8443", "21010-21100", "6379"} <= found.keys()
    assert found["6379"].host == "keeper"
    assert "6379" not in {str(each) for each in needed(load(), {})}


def test_the_docs_start_ray_with_these_ports() -> None:
    page = DEPLOYMENT.read_text()
    for each in needed(load(), {}):
        for option in [word.strip("(),") for word in each.why.split() if word.strip("(),").startswith("--")]:
            port = each.last if "max" in option else each.first
            assert f"{option}={port}" in page
