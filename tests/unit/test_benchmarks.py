"""The benchmarks as programs: the form of what they write, and a load generator that counts right. No times are judged."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from benchmarks.load import Generator, Plan, Result, images, put, requests
from benchmarks.peers import NotToBeHad, Worker, interleaved
from benchmarks.processes import difference
from benchmarks.report import Options, Report, run

ROOT = Path(__file__).parents[2]
KEYS = ["what", "value", "unit", "against", "ratio", "least", "met"]


class App:
    """An ASGI app that answers the statuses it is given in turn, in one part or in chunks, and counts what came."""

    def __init__(self) -> None:
        self.statuses = [200]
        self.chunked = False
        self.closing = False
        self.bodies: list[bytes] = []
        self.kinds: set[bytes] = set()
        self.served = 0
        self.together = 0
        self.most_together = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        self.kinds.add(dict(scope["headers"])[b"content-type"])
        status = self.statuses[self.served % len(self.statuses)]
        self.served += 1
        await asyncio.sleep(0.01)
        answer = b"x" * 100_000
        headers = [(b"retry-after", b"1")] if status == 429 else []
        headers += [] if self.chunked else [(b"content-length", b"%d" % len(answer))]
        headers += [(b"connection", b"close")] if self.closing else []
        self.together -= 1
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer[:50_000], "more_body": True})
        await send({"type": "http.response.body", "body": answer[50_000:]})


@pytest.fixture
def app() -> App:
    return App()


@pytest.fixture
def url(app: App) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, log_level="error", ws="none", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/see?a=b"
        server.should_exit = True
        thread.join()


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(b"photo %d" % number * 1000)
    return [str(path) for path in paths]


def load(plan: Plan) -> Result:
    return asyncio.run(Generator(plan).run())


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("closing", [False, True])
def test_clients_count_every_answer(app: App, url: str, photos: list[str], chunked: bool, closing: bool) -> None:
    app.chunked, app.closing = chunked, closing
    result = load(Plan(url, photos, clients=4, seconds=2, warm=0))
    assert app.most_together == 4
    counted = sum(result.statuses.values())
    assert set(result.statuses) == {"200"}
    assert app.served - 4 <= counted <= app.served  # the last answers may come after the time
    assert result.images == counted == len(result.took_ms)
    sent = Counter(app.bodies)
    assert len(sent) == 3
    assert max(sent.values()) - min(sent.values()) <= 1
    assert result.took_ms == sorted(result.took_ms)


def test_refusals_are_counted_apart(app: App, url: str, photos: list[str]) -> None:
    app.statuses = [200, 429]
    result = load(Plan(url, photos, clients=1, seconds=0.5, warm=0))
    assert abs(result.statuses["200"] - result.statuses["429"]) <= 1
    assert result.hinted == result.statuses["429"]
    assert result.images == result.statuses["200"] == len(result.took_ms)


def test_what_was_refused_is_sent_again_first(app: App, url: str, photos: list[str]) -> None:
    app.statuses = [429, 200]
    load(Plan(url, photos, clients=1, seconds=0.3, warm=0))
    refused, taken = app.bodies[:6:2], app.bodies[1:6:2]
    assert refused == taken
    assert len(set(refused)) == len(refused) == 3


def test_a_request_of_several_is_multipart_and_counts_as_several(app: App, url: str, photos: list[str]) -> None:
    result = load(Plan(url, photos, together=16, clients=2, seconds=0.3, warm=0))
    assert result.images == 16 * result.statuses["200"]
    assert all(kind.startswith(b"multipart/form-data; boundary=") for kind in app.kinds)
    assert all(body.count(b"filename=") == 16 for body in app.bodies)


def test_a_photo_counts_by_its_work(app: App, url: str, photos: list[str]) -> None:
    result = load(Plan(url, photos, clients=1, seconds=0.4, warm=0, work=[1, 1, 10]))
    count = result.statuses["200"]
    large = count // 3  # they are sent in turn, and it is the last of three
    assert result.images == pytest.approx((count - large + large * 10) / 4)
    plan = Plan(url, photos, together=2, work=[1, 1, 10])
    assert images(plan) == [pytest.approx(each / 4) for each in (2, 11, 11)]


def test_what_comes_while_warming_does_not_count(app: App, url: str, photos: list[str]) -> None:
    result = load(Plan(url, photos, clients=2, seconds=0.3, warm=0.3))
    assert sum(result.statuses.values()) < app.served
    assert len(result.answered) > len(result.took_ms)


def test_a_rate_is_kept_whatever_the_server_does(app: App, url: str, photos: list[str]) -> None:
    result = load(Plan(url, photos, seconds=1, warm=0, rate=100))
    assert 60 <= app.served <= 140
    assert sum(result.statuses.values()) <= app.served


def test_a_server_that_is_not_there(photos: list[str]) -> None:
    result = load(Plan("http://127.0.0.1:9/", photos, clients=1, seconds=0.2, warm=0))
    assert set(result.statuses) == {"0"}
    assert result.rate == result.percentile(99) == 0


def test_the_longest_that_answers_in_a_row_took() -> None:
    result = Result(answered=[0.0, 7.0, 8.0, 9.0, 11.0], took_ms=[1.0, 1.0])
    assert result.longest(2) == 3
    assert result.longest(4) == 11
    assert result.longest(5) is None


def test_in_a_process_of_its_own(app: App, url: str, photos: list[str]) -> None:
    result = put(Plan(url, photos, clients=2, seconds=0.3, warm=0))
    assert result.images > 0
    assert result.cpu_share > 0


def test_requests_are_what_they_say(photos: list[str]) -> None:
    head, _, body = requests(Plan("http://host:1/v1/see?a=b", photos))[1].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/see?a=b HTTP/1.1\r\nhost: host:1\r\n")
    assert f"content-length: {len(body)}".encode() in head
    assert body == Path(photos[1]).read_bytes()


def measured(options: Options) -> Report:
    """Made-up figures."""
    report = Report("made up", [f"quick: {options.quick}"])
    report.add("fast", 24.0, "images/s", against="slow", base=2.0, least=12)
    report.add("not so fast", 22.0, "images/s", against="slow", base=2.0, least=12)
    report.add("memory", 1.5, "GB", most=1.6)
    report.add("time", 26.0, "s", most=25)
    report.add("alone", 1.23456, "ms")
    report.add("nothing beside it", 24.0, "images/s", against="slow", least=12)
    report.absent("somebody", "it does not install")
    return report


def test_form_of_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "report.json"
    monkeypatch.setattr("signal.signal", lambda *_: None)
    run(measured, ["--json", str(file), "--quick"])
    read = json.loads(file.read_text())
    assert list(read) == ["machine", "rows"]
    assert all(list(row) == KEYS for row in read["rows"])
    assert [row["met"] for row in read["rows"]] == [True, False, True, False, None, None, None]
    assert read["rows"][0] == {
        "what": "fast",
        "value": 24.0,
        "unit": "images/s",
        "against": "slow: 2 images/s",
        "ratio": 12.0,
        "least": 12,
        "met": True,
    }
    assert read["rows"][5]["against"] == "slow: not to be had"
    assert read["rows"][5]["ratio"] is None
    assert read["rows"][-1]["what"] == "somebody: not to be had (it does not install)"
    assert read["rows"][-1]["value"] is None
    assert read["machine"]["cores"] >= 1
    assert "quick: True" in capsys.readouterr().out


class Scripted(Worker):
    """A worker that takes as long as is said, whatever it is asked."""

    def __init__(self, *seconds: float) -> None:
        self.asked: list[int] = []
        self._seconds = list(seconds)

    def ask(self, verb: str, timeout: float = 0, **arguments: Any) -> dict[str, Any]:
        self.asked.append(arguments["part"])
        if not self._seconds:
            raise NotToBeHad("it has ended")
        return {"seconds": self._seconds.pop(0), "images": 2, "peak_mb": 10 * len(self.asked)}


def test_of_each_part_the_fastest_round_counts() -> None:
    ours, peer, ends, slow = Scripted(1, 5, 9), Scripted(1, 2, 3, 4, 2, 3, 1, 5), Scripted(1), Scripted(8, 8)
    parts = [{"part": number} for number in range(4)]
    asked = {"ours": (ours, "go", parts[:1]), "peer": (peer, "go", parts), "ends": (ends, "go", parts[:2])}
    answers = interleaved(asked, rounds=2) | interleaved({"slow": (slow, "go", parts[:1])}, rounds=9, budget=10)
    assert answers["ours"] == {"seconds": 1, "images": 2, "peak_mb": 10}
    assert answers["peer"] == {"seconds": 1 + 2 + 1 + 4, "images": 8, "peak_mb": 70}
    assert peer.asked == [0, 1, 2, 3] * 2
    assert isinstance(answers["ends"], NotToBeHad)
    assert len(slow.asked) == 2


def test_what_is_nothing_is_left_out_of_a_difference() -> None:
    assert difference({"a": 3, "b": 2, "c": 9}, {"a": 1, "b": 2}) == {"c": 9, "a": 2}


def test_the_gallery_part_runs(tmp_path: Path) -> None:
    file = tmp_path / "gallery.json"
    command = [sys.executable, "-m", "benchmarks.gallery", "--quick", "--json", str(file)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    rows = json.loads(file.read_text())["rows"]
    assert all(row["value"] > 0 for row in rows)
    assert {row["unit"] for row in rows} == {"ms", "MB", "s", ""}
