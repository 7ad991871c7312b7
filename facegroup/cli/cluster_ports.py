"""The ports between the machines of a cluster, as docs/deployment.md sets it up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from facegroup.remote.addresses import parted
from facegroup.settings import Settings

_EPHEMERAL = (32768, 60999)
_MACHINES = "the machines of the cluster"


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports that must be open between machines.

    Attributes:
        first: the first one.
        last: the last one, the same if it is one.
        listens: where.
        connects: who.
        why: what for.
        host: a host of its own, if it is not a machine of the cluster.
    """

    first: int
    last: int
    listens: str
    connects: str
    why: str
    host: str = ""

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"

    def some(self) -> Iterable[int]:
        """Return ports that stand for all of them."""
        return sorted({self.first, (self.first + self.last) // 2, self.last})


def needed(settings: Settings, environment: Mapping[str, str], proc: Path = Path("/proc")) -> list[Ports]:
    """Return the ports of a cluster.

    Args:
        settings: with `port` and `store`.
        environment: with the variables of Ray Serve that name ports.
        proc: where the kernel tells its range of ports.
    """

    def given(name: str, default: int) -> int:
        text = environment.get(name, "")
        return int(text) if text.isdecimal() else default

    def ray(first: int, why: str, last: int = 0, listens: str = "each machine") -> Ports:
        return Ports(first, last or first, listens, _MACHINES, why)

    found = [
        Ports(settings.port, settings.port, "each machine", "clients", "the server's own port, HTTP or HTTPS"),
        ray(6380, "Ray's gcs, which knows all machines (--port)", listens="the first machine"),
        ray(6381, "Ray's node manager (--node-manager-port)"),
        ray(6382, "Ray's object manager: photos and answers (--object-manager-port)"),
        ray(6383, "Ray's metrics (--metrics-export-port)"),
        ray(6384, "Ray's runtime environments (--runtime-env-agent-port)"),
        ray(6385, "Ray's agent, by gRPC (--dashboard-agent-grpc-port)"),
        ray(6386, "Ray's agent, by HTTP (--dashboard-agent-listen-port)"),
        ray(10002, "Ray's workers (--min-worker-port, --max-worker-port)", 19999),
        ray(
            given("RAY_SERVE_FALLBACK_PROXY_HTTP_PORT", 20000),
            "Serve's proxy, which answers while there is no ingress",
            listens="the first machine",
        ),
        ray(
            given("RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT", 20010),
            "ingress processes, asked by each machine's HAProxy",
            given("RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT", 20130),
        ),
        ray(*_range(proc), listens="each machine"),
    ]
    parts = parted(settings.store) if settings.store.startswith(("redis", "rediss")) else None
    if parts is not None and parts.hostname:
        port = parts.port or 6379
        found.append(Ports(port, port, "Redis", _MACHINES, "the store", parts.hostname))
    return found


def _range(proc: Path) -> tuple[int, str, int]:
    """Return the ports that the system chooses, on which replicas call each other."""
    why = "calls between replicas, on ports that the system chooses (net.ipv4.ip_local_port_range)"
    try:
        first, last = (proc / "sys/net/ipv4/ip_local_port_range").read_text().split()
    except (OSError, ValueError):
        return _EPHEMERAL[0], why, _EPHEMERAL[1]
    return int(first), why, int(last)
