"""The main job on a real server, with both transports and both stores; then what it knows after an end and a crash."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from facegroup.cli.service import matches
from facegroup.client import Client
from facegroup.errors import FacegroupError, TooFewToCalibrate, TruncatedImage
from facegroup.gallery.calibrator import Strangers
from facegroup.pipeline.messages import PhotoResult
from facegroup.recognizer import Recognizer
from facegroup.settings import load
from facegroup.store import open_store
from facegroup.types import NOT_IN_DATASET, POOR_QUALITY
from serve.processes import below
from tests.cluster.processes import all_gone
from tests.cluster.server import Server
from tests.photos import astronaut, beside, encode, hopper, resized

Names = list[str]


def names(seen: PhotoResult | FacegroupError) -> Names:
    assert isinstance(seen, PhotoResult)
    return [match.name for match in matches(seen)]


@pytest.fixture(scope="module")
def celebrities(shared: Path) -> dict[str, list[tuple[str, bytes]]]:
    """Ten photos each of five people."""
    train = shared / "faces/five_celebrity/train"
    return {
        each.name: [(file.name, file.read_bytes()) for file in sorted(each.iterdir())[:10]]
        for each in sorted(train.iterdir())
    }


@pytest.fixture(scope="module")
def probes(shared: Path) -> dict[str, tuple[bytes, str]]:
    """File name → photo and who is in it: one of each of the five, and five of strangers."""
    members = sorted((shared / "faces/five_celebrity/test").glob("*/*.jpg"))
    strangers = sorted((shared / "faces/vggface2_tutorial").glob("*.jpg"))
    assert len(members) == 5
    assert len(strangers) == 5
    return {file.name: (file.read_bytes(), file.parent.name) for file in members} | {
        file.name: (file.read_bytes(), NOT_IN_DATASET) for file in strangers
    }


def test_five_celebrities_are_named_and_strangers_are_not(
    server: Server,
    celebrities: dict[str, list[tuple[str, bytes]]],
    probes: dict[str, tuple[bytes, str]],
    network: dict[str, str],
    tmp_path: Path,
) -> None:
    photos = [data for data, _ in probes.values()]
    truth = [[name] for _, name in probes.values()]
    settings = load(
        network=network["FACEGROUP_NETWORK"],
        model_dir=network["FACEGROUP_MODEL_DIR"],
        store=f"sqlite:///{tmp_path / 'library.db'}",
    )
    with server.client() as client, Recognizer(settings) as recognizer:
        enrolled = 0
        for service in (client, recognizer):
            service.new_gallery("celebrities")
            for name, files in celebrities.items():
                person = service.store.create_person("celebrities", name)
                enrolled += len(service.enrol("celebrities", files, person.id).enrolled.added)
        assert enrolled >= 2 * 42
        together = client.identify(photos, "celebrities")
        assert [names(each) for each in together] == truth

        library = recognizer.identify(photos, "celebrities")
        single = [client.identify([photo], "celebrities")[0] for photo in photos]
        crowd = _crowd(server, lambda own: own.identify(photos[:1], "celebrities")[0], clients=32)
        for other in (library, single):
            assert [names(each) for each in other] == truth
            for one, two in zip(together, other, strict=True):
                assert isinstance(one, PhotoResult)
                assert isinstance(two, PhotoResult)
                ours, theirs = ([match.similarity for match in matches(each)] for each in (one, two))
                assert ours == pytest.approx(theirs, abs=2e-3)
        assert [names(each) for each in crowd] == truth[:1] * 32

        unlike = Strangers(np.eye(8, recognizer.spec.dimension, dtype=np.float32), tuple("abcdefgh"))
        done = [each.calibrate("celebrities", 0.5, unlike, dry_run=True) for each in (client, recognizer)]
        assert done[0].found.threshold == pytest.approx(done[1].found.threshold, abs=2e-3)
        for each in (client, recognizer):
            with pytest.raises(TooFewToCalibrate, match="of 8 strangers"):
                each.calibrate("celebrities", 0.01, unlike)


def _crowd(
    server: Server, ask: Callable[[Client], PhotoResult | FacegroupError], clients: int
) -> Sequence[PhotoResult | FacegroupError]:
    """Ask with so many clients at the same moment."""
    together = threading.Barrier(clients)

    def one(_: int) -> PhotoResult | FacegroupError:
        with server.client() as client:
            client.about()
            together.wait()
            return ask(client)

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(clients)))


def test_a_crowd_of_clients_gets_each_its_own_answer(server: Server) -> None:
    people = {"Hopper": encode(hopper()), "Collins": encode(astronaut())}
    with server.client() as client:
        client.new_gallery("crowd")
        for name, photo in people.items():
            client.enrol("crowd", [("photo", photo)], client.create_person("crowd", name).id)
    asked = [list(people)[number % 2] for number in range(32)]
    order = iter(asked)
    lock = threading.Lock()
    got: list[tuple[str, Names]] = []

    def ask(client: Client) -> PhotoResult | FacegroupError:
        with lock:
            name = next(order)
        (seen,) = client.identify([people[name]], "crowd")
        with lock:
            got.append((name, names(seen)))
        return seen

    _crowd(server, ask, clients=32)
    assert [answer for _, answer in got] == [[name] for name, _ in got]
    assert sorted(name for name, _ in got) == sorted(asked)


@pytest.mark.parametrize(
    "store", ["sqlite-haproxy", pytest.param("redis-defaults", marks=pytest.mark.slow)], indirect=True, scope="session"
)
def test_phone_photos_are_enrolled_and_identified_on_the_command_line(server: Server, tmp_path: Path) -> None:
    """Twelve of over 6 MB in one request would be more than a body may hold; one is more than a body itself."""
    folder = tmp_path / "people" / "Grace"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (2200, 2800, 3), np.uint8)
    for number in range(12):
        photo = noise.copy()
        photo[number : number + 1200, :1024] = np.kron(hopper(), np.ones((2, 2, 1), np.uint8))
        (folder / f"{number:02}.jpg").write_bytes(encode(photo, quality=97))
    assert (folder / "00.jpg").stat().st_size > 6_000_000
    (folder / "12.jpg").write_bytes(encode(hopper()) + bytes(70 << 20))
    (tmp_path / "people" / "Nobody").mkdir()
    (tmp_path / "people" / "Nobody" / "1.jpg").write_bytes(b"no photo")
    program = Path(sys.executable).with_name("facegroup")
    words = ["--server", server.url, "--gallery", "phones", "--json"]
    environment = {**os.environ, "http_proxy": "http://127.0.0.1:9", "FACEGROUP_STORE": "sqlite:////nowhere/at/all.db"}

    def run(command: str) -> tuple[int, Any]:
        done = subprocess.run(
            [program, command, tmp_path / "people", *words],
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        return done.returncode, json.loads(done.stdout)

    status, answer = run("enroll")
    rows = {row["name"]: row for row in answer["people"]}
    assert (status, rows["Grace"]["added"], answer["error"]) == (1, 12, None)
    assert [each["code"] in ("body_too_large", "image_too_large") for each in rows["Grace"]["refused"]] == [True]
    assert [each["code"] for each in rows["Nobody"]["refused"]] == ["not_an_image"]
    with server.client() as client:
        assert [each.name for each in client.people("phones")] == ["Grace"], "an empty person was left behind"
    status, answer = run("identify")
    assert (status, len(answer["photos"])) == (1, 14)
    assert [[face["name"] for face in row.get("faces", ())] for row in answer["photos"][:12]] == [["Grace"]] * 12


def test_errors_keep_their_kind_through_every_process(server: Server) -> None:
    photo = encode(hopper())
    with server.client() as client:
        client.new_gallery("errors")
        seen = client.identify([photo, photo[: len(photo) // 2], photo], "errors")
        assert names(seen[0]) == names(seen[2]) == [NOT_IN_DATASET]
        assert isinstance(seen[1], TruncatedImage)
        with pytest.raises(FacegroupError, match="nobody-of-this-name") as caught:
            client.identify([photo], "nobody-of-this-name")
        assert caught.value.code == "unknown_gallery"
    assert "Traceback" not in str(caught.value)


def test_the_quality_of_a_face_crosses_every_process(server: Server) -> None:
    """Photos of one batch with different policies; the poor face of a photo takes no name from the good one beside it."""
    blurred = np.asarray(cv2.GaussianBlur(hopper(), (0, 0), 12), np.uint8)
    photo = encode(beside([blurred, hopper()]), "PNG")
    with server.client() as client:
        client.new_gallery("clear")
        grace = client.create_person("clear", "Grace").id
        client.update_gallery("clear", quality="standard", probe_quality="standard")
        told = client.enrol("clear", [("blurred.png", encode(blurred)), ("grace.jpg", encode(hopper()))], grace)
        assert [(each.name, each.error.code) for each in told.refused] == [("blurred.png", "too_blurred")]
        for seen in client.identify([photo, photo], "clear"):
            assert names(seen) == [POOR_QUALITY, "Grace"]
        (seen,) = client.identify([photo], "clear", quality="off")
        assert POOR_QUALITY not in names(seen)


def test_it_says_what_runs_and_counts_what_it_does(server: Server, network: dict[str, str]) -> None:
    with server.client() as client:
        about = client.about()
        client.new_gallery("counted")
        (seen,) = client.identify([encode(hopper())], "counted")
        crops = client.about()["detector"]["crops"]
    assert len(names(seen)) == 1
    assert crops == "lent"
    assert about["network"] == network["FACEGROUP_NETWORK"]
    assert about["status"] == "ready"
    assert f"Network {about['network']} on" in server.log()
    metrics = httpx.get(f"{server.url}/metrics", trust_env=False).text
    samples = [each for family in text_string_to_metric_families(metrics) for each in family.samples]
    assert {each.labels["process"] for each in samples} >= {"ingress", "detector", "embedder", "gallery"}
    stages = {each.labels["stage"] for each in samples if each.name == "facegroup_stage_seconds_count"}
    assert stages == {"queue", "decode", "detect", "align", "embed", "match", "store"}
    route = {"route": "/v1/galleries/{gallery}/identify", "method": "POST", "status": "200"}
    requests = [each for each in samples if each.name == "facegroup_http_requests_total"]
    assert sum(each.value for each in requests if each.labels.items() >= route.items()) >= 1
    assert sum(each.value for each in samples if each.name == "facegroup_silent_processes") == 0
    assert len(metrics) < 60_000
    ray = httpx.get(f"{server.url}/metrics", params={"ray": "true"}, trust_env=False).text
    assert "ray_" in ray
    assert "facegroup_" not in ray
    assert httpx.get(f"{server.url}/docs", trust_env=False).status_code == 200


def test_people_are_known_after_the_server_ended(server: Server) -> None:
    photo, other = encode(astronaut()), encode(resized(astronaut(), 400))
    with server.client() as client:
        client.new_gallery("kept")
        person = client.create_person("kept", "曾宏鈞 👩‍🚀")
        version = client.enrol("kept", [("photo", photo)], person.id).enrolled.version
        assert names(client.identify([other], "kept")[0]) == ["曾宏鈞 👩‍🚀"]
    assert server.stop() == 0
    server.start()
    with server.client() as client:
        assert names(client.identify([other], "kept")[0]) == ["曾宏鈞 👩‍🚀"]
        assert client.gallery("kept").version == version


@pytest.mark.parametrize(
    "store", ["sqlite-haproxy", pytest.param("redis-defaults", marks=pytest.mark.slow)], indirect=True, scope="session"
)
def test_a_crash_loses_nothing_that_was_acknowledged_and_leaves_nothing_behind(server: Server, store: str) -> None:
    face = resized(hopper(), 200)
    photos = [encode(face, quality=30 + number % 60, comment=f"{number}".encode()) for number in range(200)]
    assert len(set(photos)) == len(photos)
    acknowledged: list[str] = []
    with server.client() as client:
        client.new_gallery("crash")
        person = client.create_person("crash", "Grace")
    enough = threading.Event()

    def write(mine: Sequence[bytes]) -> None:
        with server.client() as client:
            for photo in mine:
                try:
                    done = client.enrol("crash", [("photo", photo)], person.id)
                except FacegroupError:
                    return  # the server is gone
                acknowledged.extend(done.enrolled.added)
                if len(acknowledged) > 60:
                    enough.set()

    writers = [threading.Thread(target=write, args=(photos[start::4],)) for start in range(4)]
    for writer in writers:
        writer.start()
    assert enough.wait(240)
    everything = {server.pid, *below(server.pid)}
    server.kill()
    for writer in writers:
        writer.join()
    all_gone(everything)
    assert 60 < len(acknowledged) < len(photos), "the crash was to come in the middle"
    with_store = open_store(store)
    try:
        kept = [sample.id for sample in with_store.samples("crash", person.id)]
        assert set(acknowledged) <= set(kept)
        assert len(kept) == len(set(kept)) == with_store.person("crash", person.id).samples
    finally:
        with_store.close()
