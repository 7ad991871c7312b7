"""Measure the server over HTTP: throughput and latency by number of clients, memory, start, and overload.

The server and the load generator share this machine's cores. The server runs as `facegroup serve` starts it, with an ingress
queue of 128. It is compared with the same work in one process over the same photos, in turn, the fastest round of each. A
photo counts by its work in one process, since some seconds of load do not have the whole mix equally often.
"""

import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks import weights
from benchmarks.load import Plan
from benchmarks.peers import NotToBeHad, Worker, opened
from benchmarks.phase import Phase, breakdown
from benchmarks.phase import run as put
from benchmarks.photos import mix
from benchmarks.plots import serving as draw
from benchmarks.report import Options, Report, cores, run
from benchmarks.server import Server
from facegroup.client import Client
from facegroup.settings import load as settings_of

IN_PROCESS = "in one process"
_QUEUE = 128
_CROWD = 128  # clients that make the peak
_PRECISIONS = ("int8", "bf16", "fp32")  # the first that this machine and these settings allow


def measure(options: Options) -> Report:
    """Start a server and load it."""
    report = Report("serving: photos over HTTP, names back")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        photos = mix(folder / "photos", *((8, 3) if options.quick else (40, 12)))
        paths = [str(path) for path in photos.paths]
        file, called = weights.resnet50()
        ours, precision = _ours(stack, file)
        settings = {
            "FACEGROUP_MODEL_DIR": str(file.parent),
            "FACEGROUP_EMBEDDER__PRECISION": precision,
            "FACEGROUP_DETECTOR__PRECISION": precision,
            "FACEGROUP_INGRESS__QUEUE": str(_QUEUE),
            **weights.calibration(precision, "FACEGROUP_EMBEDDER__CALIBRATION"),
        }
        with Server(folder, **settings) as server:
            _enrol(server, paths[:3])
            turns = [[ours.ask("pipeline", paths=[path] * 4, batch=4)["seconds"] for path in paths] for _ in range(2)]
            work = [min(times) for times in zip(*turns, strict=True)]
            phases, images, took = _closed(server, ours, paths, work, options)
            peak, flood = _floods(server, paths, work, phases, options)
            started = (server.ready_seconds, server.ready_cpu)
    report.says += [photos.says, f"vggface2-resnet50 ({called}), {precision}; in one process: {cores()} threads"]
    _latency(report, phases, took)
    _throughput(report, phases, images)
    _memory(report, phases, flood, started)
    _overload(report, flood, peak)
    if options.plots:
        draw(options.plots, phases, _most_memory(phases, flood))
    return report


def _ours(stack: ExitStack, file: Path) -> tuple[Worker, str]:
    failure: Exception | None = None
    for precision in _PRECISIONS:
        given = {"precision": precision, "threads": cores(), "model_dir": str(file.parent)}
        try:
            worker = stack.enter_context(
                opened("ours", None, network=weights.RESNET50, **given, **weights.calibration(precision))
            )
        except NotToBeHad as error:
            failure = error
        else:
            return worker, precision
    raise failure or RuntimeError("there is no precision to try")


def _enrol(server: Server, paths: list[str]) -> None:
    with Client(server.url) as client:
        for number, path in enumerate(paths):
            person = client.store.create_person("default", f"person {number}")
            client.enrol("default", [(Path(path).name, Path(path).read_bytes())], person.id)


def _closed(
    server: Server, ours: Worker, paths: list[str], work: list[float], options: Options
) -> tuple[dict[int, Phase], float, float]:
    """Return the fastest phase by number of clients, and of the same in one process images a second and a photo's ms."""
    url = f"{server.url}/v1/galleries/default/identify"
    seconds, warm = (4.0, 2.0) if options.quick else (5.0, 3.0)
    phases: dict[int, Phase] = {}
    images, took = 0.0, float("inf")
    for turn in range(1 if options.quick else 2):
        for clients in (1, 8, 32, _CROWD):
            if clients == 1:
                took = min(took, ours.ask("latency", path=paths[0], times=15)["seconds"] * 1e3)
            elif clients in (8, _CROWD) and turn:
                continue
            else:
                images = max(images, len(paths) / ours.ask("pipeline", paths=paths, batch=32)["seconds"])
            plan = Plan(url, paths, 1, clients, seconds, warm, work=work)
            phase = put(server, replace(plan, photos=paths[:1], work=None) if clients == 1 else plan)
            if clients not in phases or phase.result.rate > phases[clients].result.rate:
                phases[clients] = phase
    return phases, images, took


def _floods(
    server: Server, paths: list[str], work: list[float], phases: dict[int, Phase], options: Options
) -> tuple[float, Phase]:
    """Return a peak and the flood after it: the median of some pairs, since a machine's speed changes within minutes.

    Each flood is ten times the highest rate of all before.
    """
    url = f"{server.url}/v1/galleries/default/identify"
    seconds, warm = (6.0, 3.0) if options.quick else (8.0, 6.0)
    most = max(phase.result.rate for clients, phase in phases.items() if clients > 1)
    pairs = []
    for _ in range(1 if options.quick else 3):
        peak = put(server, Plan(url, paths, 1, _CROWD, seconds, warm, work=work)).result.rate
        most = max(most, peak)
        pairs.append((peak, put(server, Plan(url, paths, 1, 0, seconds, warm, rate=10 * most, work=work))))
    return sorted(pairs, key=lambda pair: pair[1].result.rate / pair[0])[len(pairs) // 2]


def _latency(report: Report, phases: dict[int, Phase], took: float) -> None:
    for clients, phase in phases.items():
        of = "one LFW photo" if clients == 1 else "the mix"
        for part in (50, 95, 99):
            report.add(f"p{part}, {clients} clients, {of}", phase.result.percentile(part), "ms")
    more = phases[1].result.percentile(50) - took
    report.add(f"p50 at 1 client, over the {took:.1f} ms that the photo takes {IN_PROCESS}", more, "ms", most=12)


def _throughput(report: Report, phases: dict[int, Phase], images: float) -> None:
    for clients, phase in phases.items():
        judged = clients == 32
        report.add(
            f"{clients} clients" + (", one LFW photo" if clients == 1 else ""),
            phase.result.rate,
            "images/s",
            against=IN_PROCESS if clients > 1 else None,
            base=images if clients > 1 else None,
            least=0.8 if judged else None,
        )
        wrong = {status: count for status, count in phase.result.statuses.items() if status != "200"}
        if wrong:
            report.says.append(f"{clients} clients: other statuses than 200: {wrong}")
    for clients, phase in phases.items():
        report.add(f"{clients} clients: CPU time of the server", phase.cpu_seconds, "s/image")
        report.says.append(f"{clients} clients: CPU ms an image: {breakdown(phase.cpu_ms)}")
    for stage, size in phases[32].fill.items():
        report.add(f"32 clients: batch in the {stage}", size, "faces" if stage == "embedder" else "photos")
    for clients in (1, 32):
        for stage, seconds in phases[clients].busy.items():
            report.add(f"{clients} clients: a batch in the {stage}", seconds * 1e3, "ms")
    busiest = max(phase.result.cpu_share for phase in phases.values())
    report.add("load generator: CPU, most of all phases", busiest * 100, "% of a core")


def _memory(report: Report, phases: dict[int, Phase], flood: Phase, started: tuple[float, float]) -> None:
    most = _most_memory(phases, flood)
    report.add(
        "memory of all server processes (PSS), the most after any load", sum(most.values()) / 1e3, "GB", most=1.6
    )
    report.says.append("MB: " + ", ".join(f"{kind} {mb:.0f}" for kind, mb in sorted(most.items(), key=_second)[::-1]))
    report.add("facegroup serve to ready, networks converted before", started[0], "s", most=25)
    report.add("CPU time of all processes until ready", started[1], "s")


def _most_memory(phases: dict[int, Phase], flood: Phase) -> dict[str, float]:
    return max((*phases.values(), flood), key=lambda phase: sum(phase.memory_mb.values())).memory_mb


def _overload(report: Report, flood: Phase, peak: float) -> None:
    result = flood.result
    shed = result.statuses.get("429", 0)
    others = {status: count for status, count in result.statuses.items() if status not in ("200", "429")}
    report.add(
        "10 times the peak rate: answered",
        result.rate,
        "images/s",
        against=f"{_CROWD} clients before it",
        base=peak,
        least=0.9,
    )
    report.add("10 times the peak rate: refused with 429", shed / result.seconds, "requests/s")
    hinted = 100 * result.hinted / shed if shed else None
    report.add("of these with Retry-After", hinted, "%", least=100)
    report.add("10 times the peak rate: any other status", sum(others.values()), "requests", most=0)
    given = settings_of()
    waiting = _QUEUE + given.ingress.inflight * given.detector.batch  # calls to one detector: serve/ingress.py
    took = result.longest(waiting)
    report.add(
        f"10 times the peak rate: p99 of what was answered; bound: the longest that {waiting} photos, as may wait, took",
        result.percentile(99),
        "ms",
        most=None if took is None else took * 1e3,
    )
    report.add("load generator: CPU under overload", result.cpu_share * 100, "% of a core")
    if took is None:
        report.says.append(f"overload: fewer than {waiting} answers, so that p99 has no bound")
    if result.unsent or others:
        report.says.append(f"overload: {result.unsent} requests not sent for want of connections; others: {others}")


def _second(row: tuple[str, Any]) -> Any:
    return row[1]


if __name__ == "__main__":
    run(measure)
