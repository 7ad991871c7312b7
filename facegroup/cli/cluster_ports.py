"""The ports between the machines of a cluster, as `facegroup node` opens them (docs/deployment.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from facegroup.remote.addresses import parted
from facegroup.settings import Settings

NODE = {
    "node_manager_port": 1,
    "object_manager_port": 2,
    "metrics_export_port": 3,
    "runtime_env_agent_port": 4,
    "metrics_agent_port": 5,
    "dashboard_agent_listen_port": 6,
}
"""Ports of each node by the names that Ray gives them, and how far they are from the head's."""

NODE_WHY = {
    "node_manager_port": "Ray's node manager",
    "object_manager_port": "Ray's object manager: photos and answers",
    "metrics_export_port": "Ray's metrics",
    "runtime_env_agent_port": "Ray's runtime environments",
    "metrics_agent_port": "Ray's agent, by gRPC",
    "dashboard_agent_listen_port": "Ray's agent, by HTTP",
}
"""What they are for."""

WORKERS = (10_002, 19_999)
"""First and last port of Ray's workers."""

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
        settings: with `node`, `port` and `store`.
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
        ray(settings.node.port, "Ray's gcs, which knows all machines", listens="the head"),
        *(ray(settings.node.port + place, NODE_WHY[name]) for name, place in NODE.items()),
        ray(WORKERS[0], "Ray's workers", WORKERS[1]),
        ray(
            given("RAY_SERVE_FALLBACK_PROXY_HTTP_PORT", settings.node.ports),
            "Serve's proxy, which answers while there is no ingress",
            listens="the head",
        ),
        ray(
            given("RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT", settings.node.ports + 10),
            "ingress processes, asked by each machine's HAProxy",
            given("RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT", settings.node.ports + 130),
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
