"""Measure everything around the networks: images per second with simulated devices, by number of replicas.

A simulated device sleeps for a fixed time per batch. With slow ones, throughput grows with the replicas until the processes
between them are the limit; with fast ones, only that limit remains. All share this machine's cores with the load generator.
No photo is decoded: every body is a tiny JPEG, and every photo has one face.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from benchmarks import load
from benchmarks.phase import Phase, breakdown
from benchmarks.phase import run as put
from benchmarks.plots import scaling as draw
from benchmarks.report import Options, Report, run
from benchmarks.server import Server

SLOW = (50.0, 8)
"""Milliseconds and photos of a batch of a slow detector: 160 photos/s each, about a GPU's at 720p."""

FAST = (5.0, 64)
"""Milliseconds and faces of a batch: an H200's for 64 crops."""

NETWORK = "vggface2-resnet50"
"""The network with the largest crops and descriptors, so that calls between processes cost most."""

SINGLE = "requests of one image"
MANY = "requests of 16 images"
_TOGETHER = 16


def measure(options: Options) -> Report:
    """Start a server for every number of replicas, and load it."""
    report = Report("scaling: simulated devices, real processes around them")
    replicas = (1, 4) if options.quick else (1, 2, 4, 8)
    curves: dict[str, dict[int, float]] = {SINGLE: {}, MANY: {}}
    ideal = {count: count * SLOW[1] / SLOW[0] * 1e3 for count in replicas}
    with tempfile.TemporaryDirectory() as name:
        photos = tiny(Path(name))
        for count in replicas:
            with _server(Path(name), SLOW, count) as server:
                for kind, curve in curves.items():
                    curve[count] = load.put(_plan(server, photos, kind, max(1, count // 2))).rate
                    what = f"{count} slow detectors, {count} embedders: {kind}"
                    report.add(what, curve[count], "images/s", against="the simulated devices alone", base=ideal[count])
        with _server(Path(name), FAST, 1) as server:
            for kind, least in ((SINGLE, 500), (MANY, 1500)):
                # 64 single requests go in step, as one batch that is in one process at a time: more of them overlap.
                phase = put(server, _plan(server, photos, kind, 4 if kind == SINGLE else 1))
                _limit(report, f"fast devices: {kind}", phase, least)
    report.says.append(
        f"slow detectors: {SLOW[0]:g} ms for {SLOW[1]} photos; fast devices, and all embedders: {FAST[0]:g} ms for 64"
    )
    report.says.append(
        f"no weights are used; crops and descriptors have {NETWORK}'s sizes and cross every process as always"
    )
    if options.plots:
        draw(options.plots, curves, ideal)
    return report


@contextmanager
def _server(folder: Path, detector: tuple[float, int], replicas: int) -> Iterator[Server]:
    settings = {"FACEGROUP_NETWORK": NETWORK, "FACEGROUP_INGRESS__QUEUE": "4096"}
    for stage, (milliseconds, batch) in (("DETECTOR", detector), ("EMBEDDER", FAST)):
        settings |= {
            f"FACEGROUP_{stage}__ENGINE": "simulated",
            f"FACEGROUP_{stage}__SIMULATED_MS": str(milliseconds),
            f"FACEGROUP_{stage}__BATCH": str(batch),
            f"FACEGROUP_{stage}__REPLICAS": str(replicas),
            f"FACEGROUP_{stage}__NUM_CPUS": "0.1",
        }
    with Server(folder, FACEGROUP_DETECTOR__QUEUE="4096", **settings) as server:
        about = server.about()
        if (about["engine"], about["detector"]["engine"]) != ("simulated", "simulated"):
            raise RuntimeError(f"the server does not run the simulated engine: {about}")
        yield server


def _plan(server: Server, photos: list[str], kind: str, crowd: int) -> load.Plan:
    """Return a load of so many times as many clients as keep one detector busy."""
    together, clients = (1, 64 * crowd) if kind == SINGLE else (_TOGETHER, 16 * crowd)
    return load.Plan(f"{server.url}/v1/galleries/default/identify", photos, together, clients, seconds=3, warm=2)


def _limit(report: Report, what: str, phase: Phase, least: float) -> None:
    result = phase.result
    report.add(what, result.rate, "images/s", least=least)
    report.add(f"{what}: p50", result.percentile(50), "ms")
    report.add(f"{what}: CPU time of the server", phase.cpu_seconds * 1e3, "ms/image")
    report.add(f"{what}: load generator's CPU", result.cpu_share * 100, "% of a core")
    report.says.append(f"{what}: CPU ms an image: {breakdown(phase.cpu_ms)}")
    wrong = {status: count for status, count in result.statuses.items() if status != "200"}
    if wrong:
        report.says.append(f"{what}: other statuses than 200: {wrong}")


def tiny(folder: Path) -> list[str]:
    """Write some tiny photos, and return their paths."""
    paths = [folder / f"tiny-{number}.jpg" for number in range(8)]
    for number, path in enumerate(paths):
        Image.new("L", (16, 16), 30 * number).save(path)
    return [str(path) for path in paths]


if __name__ == "__main__":
    run(measure)
