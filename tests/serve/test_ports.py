"""Which ports a server may have, and that nobody else gets them while it lives."""

import socket
import subprocess
import sys

import pytest

from facegroup.errors import InvalidSettings, SetupError
from facegroup.settings import Settings, load
from serve import ports
from serve.ports import BLOCKS, RANGES, SINGLE, held


def unused() -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return load(port=probe.getsockname()[1])


@pytest.fixture
def settings() -> Settings:
    return unused()


@pytest.fixture
def other() -> Settings:
    return unused()


def numbers(variables: dict[str, str]) -> set[int]:
    single = {int(variables[name]) for name in SINGLE}
    return single.union(*(range(int(variables[least]), int(variables[most])) for least, most in RANGES))


def test_two_servers_have_nothing_in_common(settings: Settings, other: Settings) -> None:
    with held(settings, {}) as first, held(other, {}) as second:
        assert not numbers(first) & numbers(second)
        assert all(port in range(20_000, 30_000) for port in numbers(first) | numbers(second))


def test_as_many_as_there_is_room_for(settings: Settings, other: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "BLOCKS", BLOCKS[:1])
    with held(settings, {}), pytest.raises(SetupError, match="is free for the server"), held(other, {}):
        pass
    with held(other, {}):
        pass


def test_the_servers_own_port_is_in_no_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "BLOCKS", BLOCKS[:1])
    with pytest.raises(SetupError), held(load(port=BLOCKS[0] + 77), {}):
        pass


def test_a_port_is_refused_twice_and_given_again_afterwards(settings: Settings) -> None:
    for _ in range(2):
        with held(settings, {}), pytest.raises(InvalidSettings, match=str(settings.port)), held(settings, {}):
            pass


@pytest.mark.parametrize("first", ["127.0.0.1", "localhost", "0.0.0.0", "127.0.0.2"])
@pytest.mark.parametrize("second", ["127.0.0.1", "localhost", "0.0.0.0", "127.0.0.2"])
def test_one_port_is_one_servers_at_whatever_address(settings: Settings, first: str, second: str) -> None:
    one, two = (settings.model_copy(update={"host": host}) for host in (first, second))
    with held(one, {}), pytest.raises(InvalidSettings, match=str(settings.port)), held(two, {}):
        pass


@pytest.mark.parametrize("name", list(SINGLE))
def test_the_servers_own_port_is_not_given_to_ray_of_another(name: str, settings: Settings, other: Settings) -> None:
    with held(settings, {}), pytest.raises(InvalidSettings, match=name), held(other, {name: str(settings.port)}):
        pass


def test_what_somebody_listens_on_is_refused(settings: Settings) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", settings.port))
        listener.listen()
        with pytest.raises(InvalidSettings, match="cannot listen"), held(settings, {}):
            pass


@pytest.mark.parametrize("name", [*SINGLE, *(least for least, _ in RANGES)])
def test_ports_that_are_given_stay_and_are_refused_to_the_next(name: str, settings: Settings, other: Settings) -> None:
    with held(settings, {name: "31234"}) as variables:
        assert name not in variables
        with pytest.raises(InvalidSettings, match=name), held(other, {name: "31234"}):
            pass


@pytest.mark.parametrize("text", ["", "0", "65536", "-1", "8000.0", "x"])
def test_what_is_no_port_is_refused(text: str, settings: Settings) -> None:
    with pytest.raises(InvalidSettings, match="not a port number"), held(settings, {next(iter(SINGLE)): text}):
        pass


def test_whoever_is_killed_holds_nothing(settings: Settings) -> None:
    program = (
        "import os, signal, sys; from facegroup.settings import load; from serve.ports import held\n"
        "with held(load(port=int(sys.argv[1])), {}): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(settings.port)], check=False).returncode == -9
    with held(settings, {}):
        pass
