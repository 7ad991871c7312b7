"""Measure what keys cost: requests of one image to servers with simulated devices, of which one asks for a key.

Three servers run at the same time and are loaded in turn: two that are open (`access.mode: open`), and one that asks for a
key. How much the two open ones differ is the error of the figure. Of the CPU time only the ingress's is compared, since it
checks keys: that of the other processes would hide the difference.
"""

import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks import load, processes
from benchmarks.report import Options, Report, run
from benchmarks.scaling import FAST, NETWORK, tiny
from benchmarks.server import Server
from facegroup.access.registry import open_registry
from facegroup.access.types import Grant

_CLIENTS = 256
_MOST = 1.05


def measure(options: Options) -> Report:
    """Load the servers on each kind of store."""
    report = Report("keys: requests of one image, simulated devices")
    turns, seconds = (3, 3.0) if options.quick else (9, 5.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = tiny(folder)
        for kind in ("SQLite", "Redis"):
            with ExitStack() as stack:
                if kind == "Redis" and shutil.which("redis-server") is None:
                    report.absent("CPU time with keys in Redis", "no redis-server")
                    continue
                stores = [stack.enter_context(_store(folder, kind, number)) for number in range(3)]
                registry = open_registry(stores[2])
                key = registry.add(Grant(frozenset({"identify"})))[1].text
                registry.close()
                modes = ("open", "open", "keys")
                servers = [stack.enter_context(_server(folder, *each)) for each in zip(stores, modes, strict=True)]
                plans = [
                    load.Plan(f"{each.url}/v1/galleries/default/identify", photos, 1, _CLIENTS, seconds, 1.0)
                    for each in servers
                ]
                plans[2] = replace(plans[2], headers={"x-api-key": key})
                rounds = [_round(servers, plans, turn) for turn in range(turns)]
            for what, unit, place in (
                ("CPU time of the ingress", "ms/image", 0),
                ("time of a request, median", "ms", 1),
            ):
                base = statistics.median(one[place] for one, _, _ in rounds)
                for which, number in (("another open server", 1), ("keys", 2)):
                    ratios = sorted(each[number][place] / each[0][place] for each in rounds)
                    value, most = base * statistics.median(ratios), _MOST if number == 2 else None
                    report.add(f"{kind}, {which}: {what}", value, unit, against="open", base=base, most=most)
                    told = ", ".join(f"{ratio:.3f}" for ratio in ratios)
                    report.says.append(f"{kind}, {which}, {what}: ratios {told}")
    report.says.append(f"{turns} rounds of {seconds:g} s each, {_CLIENTS} clients, in turn; the median")
    return report


def _round(servers: list[Server], plans: list[load.Plan], turn: int) -> list[tuple[float, float]]:
    """Return CPU milliseconds of the ingress an image and median milliseconds a request, of each; each is first in turn."""
    found = {}
    for place in (*range(turn % 3, 3), *range(turn % 3)):
        before = processes.cpu_seconds(servers[place].mark)
        result = load.put(plans[place])
        spent = processes.difference(processes.cpu_seconds(servers[place].mark), before)["ingress"]
        if set(result.statuses) != {"200"}:
            raise RuntimeError(f"not all requests were answered: {result.statuses}")
        found[place] = (spent / len(result.answered) * 1e3, result.percentile(50))
    return [found[place] for place in range(3)]


@contextmanager
def _server(folder: Path, store: str, mode: str) -> Iterator[Server]:
    settings = {"FACEGROUP_NETWORK": NETWORK, "FACEGROUP_INGRESS__QUEUE": "4096", "FACEGROUP_STORE": store}
    settings["FACEGROUP_ACCESS__MODE"] = mode
    for stage in ("DETECTOR", "EMBEDDER"):
        settings |= {
            f"FACEGROUP_{stage}__ENGINE": "simulated",
            f"FACEGROUP_{stage}__SIMULATED_MS": str(FAST[0]),
            f"FACEGROUP_{stage}__BATCH": str(FAST[1]),
            f"FACEGROUP_{stage}__NUM_CPUS": "0.1",
        }
    with Server(folder, FACEGROUP_DETECTOR__QUEUE="4096", **settings) as server:
        yield server


@contextmanager
def _store(folder: Path, kind: str, number: int) -> Iterator[str]:
    """Give the address of a store that no other server has."""
    if kind == "SQLite":
        yield f"sqlite:///{folder}/keys-{number}.db"
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen(["redis-server", *place], stdout=subprocess.DEVNULL)
    time.sleep(0.5)
    try:
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    run(measure)
