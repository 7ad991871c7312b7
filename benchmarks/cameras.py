"""Measure many cameras at once over RTSP: fairness, latency, skipped frames, CPU and memory.

GStreamer's RTSP server plays recordings in loops at their own pace, without re-encoding: first with people who move (the
clip in ../shared, if there is one), then a still scene with only a camera's noise. It shares the cores with the server, and
its CPU time is reported separately.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx

from benchmarks.processes import cpu_seconds, difference, found, pss_mb
from benchmarks.report import Options, Report, run
from benchmarks.server import Server
from facegroup.engines.precision import require_native
from facegroup.errors import EngineUnavailable
from tests import clips
from tests.rtsp_process import RtspProcess

CAMERAS = 16
FPS = 2.0
SIZE = (640, 360)
SOURCE_FPS = 25
CLIP = Path(__file__).parents[2] / "shared" / "faces" / "videos" / "short_hamilton_clip.mp4"
MODELS = Path(__file__).parents[2] / "shared" / "models"


def measure(options: Options) -> Report:
    """Start cameras and a server, and measure them."""
    report = Report(f"cameras: {CAMERAS} of {SIZE[0]}×{SIZE[1]} at {FPS:g} analysed frames a second each")
    warm, seconds = (20.0, 60.0) if options.quick else (60.0, 600.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        moving = clips.recording(folder / "moving", _moving(), SOURCE_FPS)
        still = clips.recording(folder / "still", clips.still(100, clips.room()), SOURCE_FPS)
        mounts = {f"/moving{n}": moving for n in range(CAMERAS)} | {f"/still{n}": still for n in range(CAMERAS)}
        rtsp = RtspProcess(mounts)
        network = "retail-0095" if MODELS.is_dir() else "dlib-resnet29"
        report.says += [
            f"{network}; people: {'the clip of ../shared' if CLIP.is_file() else 'a synthetic clip'}, {SOURCE_FPS} frames a "
            f"second; {seconds:.0f} s after {warm:.0f} s of warm-up"
        ]
        precision = _precision()
        report.says.append(f"detector in {precision}, embedder in {precision if network == 'retail-0095' else 'fp32'}")
        settings = {
            "FACEGROUP_NETWORK": network,
            "FACEGROUP_DETECTOR__PRECISION": precision,
            **({"FACEGROUP_EMBEDDER__PRECISION": precision} if network == "retail-0095" else {}),
            "FACEGROUP_CAMERAS__NETWORKS": '["127.0.0.0/8"]',
            **({"FACEGROUP_MODEL_DIR": str(MODELS)} if MODELS.is_dir() else {}),
        }
        try:
            with Server(folder, **settings) as server:
                alone = pss_mb(server.mark)
                _add(server, rtsp, "moving", 3)
                _busy(report, server, warm, seconds)
                _remove(server, "moving")
                _add(server, rtsp, "still", 30)
                _idle(report, server, warm, min(seconds, 60.0), alone)
        finally:
            rtsp.kill()
    return report


def _busy(report: Report, server: Server, warm: float, seconds: float) -> None:
    _live(server, "moving")
    time.sleep(warm)
    before, cpu, begun = _counts(server), cpu_seconds(server.mark), time.monotonic()
    memory, latencies = [], []
    while time.monotonic() - begun < seconds:
        time.sleep(min(10.0, seconds / 6))
        memory.append(sum(pss_mb(server.mark).values()))
        latencies.append([each["status"] for each in _cameras(server)])
    took = time.monotonic() - begun
    after, used = _counts(server), difference(cpu_seconds(server.mark), cpu)
    rates = {camera: (after[camera]["analysed"] - before[camera]["analysed"]) / took for camera in after}
    still = {camera: (after[camera]["still"] - before[camera]["still"]) / took for camera in after}
    seen = {camera: rates[camera] + still[camera] for camera in rates}
    mean = statistics.mean(seen.values())
    worst = max(abs(rate - mean) / mean for rate in seen.values())
    report.add("frames dealt with a second, all cameras", sum(seen.values()), "frames/s", least=0.9 * CAMERAS * FPS)
    report.add("of them analysed, the others still", sum(rates.values()), "frames/s")
    report.add("farthest from the mean of all cameras", worst * 100, "%", most=20)
    late = sum(after[camera]["late"] - before[camera]["late"] for camera in after)
    report.add("frames that were due and overtaken by newer ones", late / took, "frames/s")
    wrong = [
        each
        for each in after.values()
        if not 0 <= each["received"] - each["skipped"] - each["still"] - each["analysed"] <= 1
    ]
    report.add("cameras whose counts do not add up", float(len(wrong)), "cameras", most=0)
    ends = [each for row in latencies for each in row]
    noted = [each["noted_ms"]["p95"] for each in ends if each["noted_ms"]]
    answered = [each["answered_ms"]["p95"] for each in ends if each["answered_ms"]]
    report.add("frame to answer, p95, the worst camera", max(answered), "ms")
    report.add("frame to sighting, p95, the worst camera", max(noted), "ms", most=2000)
    quarter = max(1, len(memory) // 4)
    growth = statistics.mean(memory[-quarter:]) / statistics.mean(memory[:quarter]) - 1
    report.add(f"memory (PSS): growth over {took:.0f} s, last quarter against first", growth * 100, "%", most=2)
    report.add("memory (PSS) of all", memory[-1], "MB")
    for kind in ("camera", "cameras", "detector", "embedder"):
        report.add(f"CPU: {kind}", used.get(kind, 0.0) / took * 100, "% of a core")
    report.add("CPU: all of the server", sum(used.values()) / took * 100, "% of a core")


def _idle(report: Report, server: Server, warm: float, seconds: float, alone: dict[str, float]) -> None:
    _live(server, "still")
    time.sleep(warm)
    cpu, begun = cpu_seconds(server.mark), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    used, memory = difference(cpu_seconds(server.mark), cpu), pss_mb(server.mark)
    cameras = sum(kind == "camera" for kind in found(server.mark).values())
    report.add("nothing moves: CPU of a camera's process", used["camera"] / took / cameras * 100, "% of a core", most=3)
    report.add("nothing moves: memory (PSS) of a camera's process", memory["camera"] / cameras, "MB", most=60)
    report.add("nothing moves: CPU of all of the server", sum(used.values()) / took * 100, "% of a core")
    more = sum(memory.values()) - sum(alone.values())
    report.add("nothing moves: memory of all, over the server without cameras, a camera", more / cameras, "MB")


def _precision() -> str:
    """Return the faster of the precisions with almost unchanged answers, if this processor supports one."""
    try:
        require_native("bf16")
    except EngineUnavailable:
        return "fp32"
    return "bf16"


def _moving() -> Iterator[Any]:
    """Return the clip at twice its length, or a made-up person who walks to and fro."""
    if CLIP.is_file():
        yield from clips.shots(CLIP, SIZE, SOURCE_FPS)
        return
    there = list(clips.walk(100, SIZE))
    yield from islice(cycle([*there, *reversed(there)]), 400)


def _add(server: Server, rtsp: RtspProcess, kind: str, cooldown: float) -> None:
    for number in range(CAMERAS):
        body = {
            "id": f"{kind}{number}",
            "source": rtsp.url(f"/{kind}{number}"),
            "fps": FPS,
            "cooldown": cooldown,
        }
        httpx.post(f"{server.url}/v1/cameras", json=body, timeout=60, trust_env=False).raise_for_status()


def _remove(server: Server, kind: str) -> None:
    for number in range(CAMERAS):
        httpx.delete(f"{server.url}/v1/cameras/{kind}{number}", timeout=60, trust_env=False).raise_for_status()


def _cameras(server: Server) -> list[dict[str, Any]]:
    answer = httpx.get(f"{server.url}/v1/cameras", timeout=30, trust_env=False)
    answer.raise_for_status()
    cameras: list[dict[str, Any]] = answer.json()["cameras"]
    return cameras


def _counts(server: Server) -> dict[str, dict[str, int]]:
    return {each["id"]: each["status"]["frames"] for each in _cameras(server)}


def _live(server: Server, kind: str) -> None:
    deadline = time.monotonic() + 240
    while True:
        states = [each["status"]["state"] for each in _cameras(server) if each["id"].startswith(kind)]
        if len(states) == CAMERAS and set(states) == {"live"}:
            return
        if time.monotonic() > deadline:
            raise RuntimeError(f"not all cameras came alive: {states}")
        time.sleep(0.5)


if __name__ == "__main__":
    run(measure)
