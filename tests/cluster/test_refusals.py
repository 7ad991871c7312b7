"""What a real server refuses: settings that no process can keep, and photos for which there is no room."""

import re
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests import onnx_files
from tests.cluster.server import Server

REFUSED_BY_A_REPLICA = {"FACEGROUP_DETECTOR__ENGINE": "keras", "FACEGROUP_DETECTOR__PRECISION": "bf16"}
MORE_GPUS_THAN_ANY_MACHINE_HAS = {"FACEGROUP_EMBEDDER__NUM_GPUS": "0.5", "FACEGROUP_EMBEDDER__REPLICAS": "200"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            REFUSED_BY_A_REPLICA,
            "facegroup: The detector on keras does not support bf16. Set detector.precision to fp32. (engine_unavailable)",
        ),
        (MORE_GPUS_THAN_ANY_MACHINE_HAS, "facegroup: num_gpus of all detector and embedder replicas is 100 together, "),
    ],
)
def test_what_cannot_be_kept_is_said_in_the_last_line(
    settings: dict[str, str], said: str, network: dict[str, str], tmp_path: Path
) -> None:
    server = Server(tmp_path, FACEGROUP_STORE=f"sqlite:///{tmp_path / 'gallery.db'}", **network, **settings)
    assert server.refused() == 2
    last = server.log().splitlines()[-1]
    assert last.startswith(said)
    assert last.endswith(" (engine_unavailable)")


def test_a_network_that_cannot_be_used_starts_nothing(tmp_path: Path) -> None:
    onnx_files.embedder(tmp_path / "net.onnx", side=160)
    yaml = tmp_path / "mine.yaml"
    yaml.write_text("files: [{file: net.onnx}]\ntemplate: arcface112\ndimension: 128\nlicence: ours\n")
    server = Server(
        tmp_path,
        FACEGROUP_STORE=f"sqlite:///{tmp_path / 'gallery.db'}",
        FACEGROUP_NETWORK=str(yaml),
        FACEGROUP_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert server.refused() == 2
    lines = server.log().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(
        f"facegroup: {tmp_path}/net.onnx takes crops of shape (?, 3, 160, 160), but mine cuts out "
    )
    assert lines[0].endswith("(weights_invalid)")
    assert not (tmp_path / "cache").exists()  # Ray's files would be there
    assert not (tmp_path / "gallery.db").exists()


def test_what_there_is_no_room_for_is_refused_before_serve_handles_it(tmp_path: Path) -> None:
    """Two photos on their way and one in the queue, for longer than the test: Serve counts nothing of what comes then."""
    slow = {
        "FACEGROUP_NETWORK": "vggface2-resnet50",
        "FACEGROUP_DETECTOR__ENGINE": "simulated",
        "FACEGROUP_DETECTOR__SIMULATED_MS": "50000",
        "FACEGROUP_DETECTOR__BATCH": "1",
        "FACEGROUP_EMBEDDER__ENGINE": "simulated",
        "FACEGROUP_INGRESS__BATCH": "1",
        "FACEGROUP_INGRESS__INFLIGHT": "1",
        "FACEGROUP_INGRESS__QUEUE": "1",
        "RAY_metrics_report_interval_ms": "500",
    }
    server = Server(tmp_path, FACEGROUP_STORE=f"sqlite:///{tmp_path / 'gallery.db'}", **slow)
    full, refusals = threading.Event(), [0] * 4

    def ask(request_id: str) -> httpx.Response:
        headers = {"content-type": "image/jpeg", "x-request-id": request_id}
        return httpx.post(f"{server.url}/v1/detect", content=b"x" * 1000, headers=headers, timeout=60, trust_env=False)

    def until_taken(number: int) -> None:
        """Three of four are taken in the end, and wait for an answer; the other one is refused again and again."""
        with suppress(httpx.TransportError):  # the server ends before their answers come
            while not full.is_set() and _refused(ask("x")):
                refusals[number] += 1
                time.sleep(0.05)

    def counted(name: str, *, ray: bool = False) -> int:
        text = httpx.get(f"{server.url}/metrics", params={"ray": ray}, trust_env=False).text
        return sum(int(float(count)) for count in re.findall(rf"^{name}.* (\S+)$", text, re.MULTILINE))

    def handled(status: int) -> int:
        return counted(f'ray_serve_num_http_requests_total{{.*status_code="{status}"', ray=True)

    def counts_up_to(shed: int, unknown: int) -> None:
        """Wait for the counters: so many were refused, and Serve handled so many requests for nothing."""
        answer = httpx.get(f"{server.url}/v1/nowhere", trust_env=False)
        assert (answer.status_code, len(answer.headers.get_list("x-request-id"))) == (404, 1)
        deadline = time.monotonic() + 20
        while (counts := (counted('facegroup_shed_total{.*queue="ingress"'), handled(404))) != (shed, unknown):
            assert time.monotonic() < deadline, counts
            time.sleep(0.2)

    with ThreadPoolExecutor(4) as pool:
        try:
            server.start()
            waiting = [pool.submit(until_taken, number) for number in range(4)]
            deadline = time.monotonic() + 60
            while max(refusals) < 10:
                assert time.monotonic() < deadline, "it never had too much to do"
                time.sleep(0.1)
            full.set()
            wait(waiting, return_when=FIRST_COMPLETED)
            counts_up_to(sum(refusals), 1)
            before = handled(429)
            refused = [_refused(ask(f"refused-{number}")) for number in range(20)]
            assert refused == [f"refused-{number}" for number in range(20)]
            counts_up_to(sum(refusals) + 20, 2)
            assert handled(429) == before
            assert sum(each.done() for each in waiting) == 1
        finally:
            server.kill()  # nobody waits for the devices


def _refused(answer: httpx.Response) -> str:
    """Return the request id of an answer that is a refusal, having looked at all of it, else nothing."""
    if answer.status_code != 429:
        return ""
    problem = answer.json()
    assert (problem["code"], problem["status"]) == ("overloaded", 429)
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers.get_list("x-request-id") == [problem["request_id"]]
    return str(problem["request_id"])
