"""Measure the effect of one large request on others: eight clients send single photos, with and without it, in turn.

The large request is 14 MB of 100 PNG files of 7000 × 7000 pixels, minutes of work on two cores. It is sent again as soon as
it is answered or given up.
"""

import io
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
from PIL import Image

from benchmarks import weights
from benchmarks.load import Plan, put
from benchmarks.photos import lfw, mix
from benchmarks.report import Options, Report, run
from benchmarks.server import Server

_CLIENTS = 8
_PNG, _SIDE = 100, 7000
_MOST = 5.0


def measure(options: Options) -> Report:
    """Start a server; measure single photos without and with the large request, in turn."""
    report = Report("turns: single photos of eight clients beside a request of 100 PNG files of 49 megapixels")
    pairs, seconds = (1, 15.0) if options.quick else (5, 20.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file, called = weights.resnet50()
        kinds = {"LFW photos": lfw(folder / "lfw", 40), "the mix": mix(folder / "mix")}
        with Server(folder, FACEGROUP_MODEL_DIR=str(file.parent)) as server:
            for kind, photos in kinds.items():
                url = f"{server.url}/v1/galleries/default/identify"
                plan = Plan(url, [str(path) for path in photos.paths], 1, _CLIENTS, seconds, 3.0)
                found: dict[str, list[float]] = {"without it": [], "beside it": []}
                statuses: set[str] = set()
                for _ in range(pairs):
                    alone = put(plan)
                    with _large(f"{server.url}/v1/detect"):
                        beside = put(plan)
                    for which, result in zip(found, (alone, beside), strict=True):
                        found[which].append(result.percentile(95))
                        statuses |= set(result.statuses)
                for which, times in found.items():
                    report.add(f"p95 {which}, {kind}", statistics.median(times), "ms")
                ratios = [beside / alone for alone, beside in zip(*found.values(), strict=True)]
                report.add(f"p95 beside it, over p95 without it, {kind}", statistics.median(ratios), "×", most=_MOST)
                report.says.append(f"{kind}: ratios of the pairs {[round(each, 2) for each in ratios]}; {statuses}")
    report.says.append(f"vggface2-resnet50 ({called}), fp32; {pairs} pairs of {seconds:g} s, the median")
    return report


@contextmanager
def _large(url: str) -> Iterator[None]:
    """Keep the large request running until the context ends."""
    stream = io.BytesIO()
    Image.new("RGB", (_SIDE, _SIDE), "gray").save(stream, "PNG")
    files = [("photos", (f"{number}.png", stream.getvalue(), "image/png")) for number in range(_PNG)]
    over = threading.Event()
    client = httpx.Client(timeout=300, trust_env=False)

    def ask() -> None:
        while not over.is_set():
            with suppress(httpx.TransportError, RuntimeError):
                client.post(url, files=files)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        client.close()


if __name__ == "__main__":
    run(measure)
