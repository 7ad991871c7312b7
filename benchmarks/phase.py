"""Load a server for some seconds, and report speed, batches and CPU time by process."""

from dataclasses import dataclass

from benchmarks import load, processes
from benchmarks.server import Server

STAGES = ("ingress", "detector", "embedder")


@dataclass(frozen=True, slots=True)
class Phase:
    """The results of one load.

    Attributes:
        result: the load generator's result.
        cpu_ms: CPU milliseconds per image of each kind of process, the most first.
        fill: photos per batch in each stage, faces in the embedder.
        busy: seconds per batch in detector and embedder.
        memory_mb: memory of all processes, just after the load.
    """

    result: load.Result
    cpu_ms: dict[str, float]
    fill: dict[str, float]
    busy: dict[str, float]
    memory_mb: dict[str, float]

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds per image of all processes of the server."""
        return sum(self.cpu_ms.values()) / 1e3


def run(server: Server, plan: load.Plan) -> Phase:
    """Load a server."""
    counted = server.counters()
    cpu = processes.cpu_seconds(server.mark)
    result = load.put(plan)
    spent = processes.difference(processes.cpu_seconds(server.mark), cpu)
    memory = processes.pss_mb(server.mark)
    added = processes.difference(server.counters(), counted)
    images = max(1.0, added.get("ingress_items", 0) or result.images)
    fill, busy = {}, {}
    for stage in STAGES:
        batches = added.get(f"{stage}_batches", 0)
        if batches:
            what = "cost" if stage == "embedder" else "items"  # faces, and photos
            fill[stage] = added.get(f"{stage}_{what}", 0) / batches
            if stage != "ingress":  # it forms batches only
                busy[stage] = added[f"{stage}_seconds"] / batches
    return Phase(result, {kind: amount / images * 1e3 for kind, amount in spent.items()}, fill, busy, memory)


def breakdown(cpu_ms: dict[str, float], least: float = 0.02) -> str:
    """Return where the CPU time of an image went, in one line; small shares are added up."""
    total = sum(cpu_ms.values()) or 1.0
    large = {kind: amount for kind, amount in cpu_ms.items() if amount >= least * total}
    parts = [f"{kind} {amount:.2f}" for kind, amount in large.items()]
    rest = total - sum(large.values())
    return ", ".join([*parts, *([f"others {rest:.2f}"] if rest > 0.005 else [])])
