"""Cameras over HTTP: a real pipeline, real clips, one sighting per visit, strangers who are promoted, receivers."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from facegroup.cameras.delivery import signature
from facegroup.cameras.hub.sighting_log import SightingLog
from facegroup.cameras.journal.encryption import new_key
from facegroup.client import Client
from facegroup.settings import Settings, load
from serve.api import build_api
from tests import clips
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.photos import astronaut, encode
from tests.receiver import Receiver
from tests.serve.driver import Api

PASSWORD = "hunter2-word"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clips of somebody who crosses the picture, and of nobody."""
    folder = tmp_path_factory.mktemp("clips")
    clips.video(folder / "walk.mp4", clips.walk(48, face=240), fps=24)
    clips.video(folder / "room.mp4", clips.still(30, clips.room()), fps=30)
    (folder / "text.mp4").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def settings(folder: Path) -> Settings:
    store = f"sqlite:///{folder.parent / 'store' / 'gallery.db'}"
    cameras = {"folder": str(folder), "networks": ["127.0.0.0/8"], "key": new_key(), "limit": 5, "webhooks": 2}
    cameras["unknowns_in_cohort"] = True
    return load(network="dlib-resnet29", store=store, cameras=cameras)


@pytest.fixture(scope="module")
def pipeline(settings: Settings) -> Iterator[LocalPipeline]:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    pipeline = LocalPipeline(settings)
    yield pipeline
    pipeline.close()


@pytest.fixture(scope="module")
def api(settings: Settings, pipeline: LocalPipeline) -> Api:
    return Api(build_api(settings, pipeline))


@pytest.fixture
def group(api: Api) -> Iterator[str]:
    """A gallery with Eileen, who walks through the clip."""
    name = f"g{time.time_ns()}"
    assert api("PUT", f"/v1/galleries/{name}").status_code == 200
    assert api("PUT", f"/v1/galleries/{name}/people/eileen", json={"name": "Eileen"}).status_code == 201
    photo = encode(astronaut(), quality=95)
    assert api("POST", f"/v1/galleries/{name}/people/eileen/photos", content=photo).status_code == 200
    yield name
    for camera in api("GET", "/v1/cameras").json()["cameras"]:
        assert api("DELETE", f"/v1/cameras/{camera['id']}").status_code == 204


def until(what: Callable[[], Any], seconds: float = 20) -> Any:
    """Return what is asked for once it is so."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


def add(api: Api, folder: Path, gallery: str, clip: str = "walk.mp4", **given: Any) -> dict[str, Any]:
    body = {"id": "door", "source": f"file://{folder}/{clip}", "gallery": gallery, "fps": 10, "cooldown": 1, **given}
    answer = api("POST", "/v1/cameras", json=body)
    assert answer.status_code == 201, answer.text
    camera: dict[str, Any] = answer.json()
    return camera


def state(api: Api, camera: str = "door") -> dict[str, Any]:
    found: dict[str, Any] = api("GET", f"/v1/cameras/{camera}").json()["status"]
    return found


def sightings(api: Api, **wanted: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api("GET", "/v1/sightings", params=wanted).json()["sightings"]
    return found


def test_a_member_who_walks_by_is_one_sighting(api: Api, folder: Path, group: str) -> None:
    made = add(api, folder, group)
    assert made["status"]["state"] in ("connecting", "live")
    until(lambda: state(api)["state"] == "ended")
    (seen,) = until(lambda: sightings(api, gallery=group, open=False))
    assert (seen["person_id"], seen["name"], seen["unknown"], seen["camera"]) == ("eileen", "Eileen", None, "door")
    assert seen["similarity"] > 0.943
    assert seen["frames"] >= 2
    assert seen["first_seen"] < seen["last_seen"]
    assert api("GET", f"/v1/sightings/{seen['id']}").json() == seen
    assert api("GET", f"/v1/sightings/{seen['id']}/crop").content.startswith(b"\xff\xd8")
    assert api("GET", "/v1/cameras/door/snapshot").content.startswith(b"\xff\xd8")
    done = state(api)
    assert done["frames"]["received"] == 48
    assert done["frames"]["received"] == sum(done["frames"][name] for name in ("skipped", "still", "analysed"))
    assert done["answered_ms"]["p50"] > 0
    erased = api("DELETE", f"/v1/galleries/{group}/people/eileen").json()
    assert erased["removed"]["sightings"] == 1
    assert sightings(api, gallery=group) == []
    assert api.refused("GET", f"/v1/sightings/{seen['id']}/crop") == (404, "unknown_sighting")


def test_a_stranger_comes_back_and_becomes_a_member(api: Api, folder: Path, group: str) -> None:
    assert api("DELETE", f"/v1/galleries/{group}/people/eileen").status_code == 200
    add(api, folder, group)
    until(lambda: sightings(api, gallery=group, open=False))
    assert api("PATCH", "/v1/cameras/door", json={"fps": 9}).json()["fps"] == 9  # opened anew: the clip plays again
    until(lambda: len(sightings(api, gallery=group, open=False)) == 2)
    assert {each["unknown"] for each in sightings(api, gallery=group)} == {"unknown-1"}
    (stranger,) = api("GET", f"/v1/galleries/{group}/unknowns").json()["unknowns"]
    assert (stranger["id"], stranger["visits"]) == ("unknown-1", 2)
    assert stranger["crops"] > 0
    assert api("GET", f"/v1/galleries/{group}/unknowns/unknown-1").json() == stranger
    assert api("GET", f"/v1/galleries/{group}/unknowns/unknown-1/crop").content.startswith(b"\xff\xd8")
    path = f"/v1/galleries/{group}/people/from-unknown"
    made = api("POST", path, json={"unknown": "unknown-1", "name": "Eileen Collins"}).json()
    assert (made["photos"], made["sightings"]) == (stranger["crops"], 2)
    assert made["person"]["photos"] == made["photos"]
    assert {each["name"] for each in sightings(api, gallery=group)} == {"Eileen Collins"}
    answer = api("POST", f"/v1/galleries/{group}/identify", content=encode(astronaut())).json()
    assert answer["images"][0]["faces"][0]["name"] == "Eileen Collins"
    assert api.refused("POST", path, json={"unknown": "unknown-1", "name": "Again"}) == (404, "unknown_stranger")
    assert api("GET", f"/v1/galleries/{group}/unknowns").json() == {"unknowns": []}


def test_strangers_are_taken_into_the_cohort_and_leave_it(api: Api, folder: Path, group: str) -> None:
    path = f"/v1/galleries/{group}/cohort"
    assert api("DELETE", f"/v1/galleries/{group}/people/eileen").status_code == 200
    assert api("POST", f"{path}/unknowns").json()["unknown"] == 0
    add(api, folder, group)
    until(lambda: sightings(api, gallery=group, open=False))
    taken = api("POST", f"{path}/unknowns").json()
    assert (taken["unknown"], taken["given"]) == (1, 0)
    assert api("POST", f"{path}/unknowns").json() == taken, "nothing is new"
    assert api("POST", path, content=encode(astronaut(), quality=95)).json()["size"] == 2
    assert api("DELETE", f"/v1/galleries/{group}/unknowns/unknown-1").json() == {"sightings": 1}
    left = api("GET", path).json()
    assert (left["unknown"], left["given"]) == (0, 1)
    assert api("POST", f"{path}/unknowns").json()["given"] == 1


def test_a_stranger_is_erased(api: Api, folder: Path, group: str) -> None:
    api("DELETE", f"/v1/galleries/{group}/people/eileen")
    add(api, folder, group)
    until(lambda: sightings(api, gallery=group, open=False))
    assert api("DELETE", f"/v1/galleries/{group}/unknowns/unknown-1").json() == {"sightings": 1}
    assert sightings(api, gallery=group) == []
    assert api.refused("DELETE", f"/v1/galleries/{group}/unknowns/unknown-1") == (404, "unknown_stranger")
    assert api("DELETE", f"/v1/galleries/{group}").json()["removed"]["sightings"] == 0


def test_where_nothing_moves_nobody_is(api: Api, folder: Path, group: str) -> None:
    add(api, folder, group, "room.mp4")
    until(lambda: state(api)["state"] == "ended")
    assert sightings(api, gallery=group) == []


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"source": "ftp://127.0.0.1/x"}, (422, "invalid_source")),
        ({"source": "rtsp://"}, (422, "invalid_source")),
        ({"source": "not an address"}, (422, "invalid_source")),
        ({"source": "file:///etc/passwd"}, (403, "source_not_allowed")),
        ({"source": "rtsp://10.0.0.5/"}, (403, "source_not_allowed")),
        ({"source": "http://169.254.169.254/latest/meta-data"}, (403, "source_not_allowed")),
        ({"source": "v4l2:///dev/video0"}, (403, "source_not_allowed")),
        ({"source": "rtsp://no-such-host.invalid/"}, (422, "source_unreachable")),
        ({"gallery": "nowhere"}, (404, "unknown_gallery")),
        ({"gallery": "a/b"}, (422, "invalid_name")),
        ({"id": "A B"}, (422, "invalid_name")),
        ({"id": ""}, (422, "invalid_name")),
        ({"fps": 0}, (400, "malformed_request")),
        ({"fps": 1e9}, (400, "malformed_request")),
        ({"regions": [[[0, 0], [1, 1]]]}, (400, "malformed_request")),
        ({"regions": [[[0, 0], [1, 1], [2, 0]]]}, (400, "malformed_request")),
        ({"regions": [[[0, 0], [1, 1], [0, 1]]] * 17}, (400, "malformed_request")),
        ({"confirm": 0}, (400, "malformed_request")),
        ({"cooldown": 0}, (400, "malformed_request")),
        ({"transport": "pigeon"}, (400, "malformed_request")),
        ({"rotate": 45}, (400, "malformed_request")),
        ({"unheard": 1}, (400, "malformed_request")),
        ({"source": "x" * 3000}, (400, "malformed_request")),
    ],
)
def test_bad_cameras_are_refused(api: Api, folder: Path, group: str, given: dict[str, Any], refusal: Any) -> None:
    body = {"id": "bad", "source": f"file://{folder}/walk.mp4", "gallery": group, **given}
    assert api.refused("POST", "/v1/cameras", json=body) == refusal
    assert api("GET", "/v1/cameras").json() == {"cameras": []}


def test_changes_are_held_against_the_same(api: Api, folder: Path, group: str) -> None:
    add(api, folder, group, "room.mp4", quality="strict")
    assert api.refused("PATCH", "/v1/cameras/door", json={"source": "file:///etc/passwd"}) == (
        403,
        "source_not_allowed",
    )
    assert api.refused("PATCH", "/v1/cameras/door", json={"gallery": "nowhere"}) == (404, "unknown_gallery")
    assert api.refused("PATCH", "/v1/cameras/none", json={"fps": 1}) == (404, "unknown_camera")
    assert api("PATCH", "/v1/cameras/door", json={"rotate": 90}).json()["rotate"] == 90
    region = [[0, 0], [1, 0], [1, 1]]
    changed = api("PATCH", "/v1/cameras/door", json={"regions": [region], "quality": None, "enabled": False}).json()
    assert (changed["regions"], changed["quality"], changed["enabled"]) == ([region], None, False)
    assert changed["status"]["state"] == "stopped"
    assert api.refused("POST", "/v1/cameras", json={"id": "door", "source": f"file://{folder}/walk.mp4"}) == (
        409,
        "camera_exists",
    )
    assert api.refused("GET", "/v1/cameras/none") == (404, "unknown_camera")
    assert api.refused("DELETE", "/v1/cameras/none") == (404, "unknown_camera")
    assert api.refused("GET", "/v1/cameras/door/snapshot") == (404, "unknown_photo")


def test_there_are_so_many_and_no_more(api: Api, folder: Path, group: str) -> None:
    for number in range(5):
        add(api, folder, group, id=f"c{number}", enabled=False)
    answer = api("POST", "/v1/cameras", json={"id": "c5", "source": f"file://{folder}/walk.mp4", "gallery": group})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_cameras")
    assert "FACEGROUP_CAMERAS__LIMIT" in answer.json()["detail"]
    assert [each["id"] for each in api("GET", "/v1/cameras").json()["cameras"]] == [f"c{n}" for n in range(5)]


def test_what_cannot_be_looked_at_says_why(api: Api, folder: Path, group: str, settings: Settings, caplog: Any) -> None:
    source = f"rtsp://root:{PASSWORD}@127.0.0.1:9/stream?token={PASSWORD}"
    made = api("POST", "/v1/cameras", json={"id": "dead", "source": source, "gallery": group})
    add(api, folder, group, "text.mp4", id="text")
    failed = until(lambda: state(api, "dead") if state(api, "dead")["state"] == "failed" else None)
    assert failed["reason"] == "source_unreachable"
    assert until(lambda: state(api, "text")["reason"] == "not_a_video")
    shown = made.text + api("GET", "/v1/cameras").text + json.dumps(failed) + caplog.text
    assert PASSWORD not in shown
    assert made.json()["source"] == "rtsp://127.0.0.1:9/stream?token=***"
    kept = b"".join(each.read_bytes() for each in Path(settings.store.removeprefix("sqlite:///")).parent.iterdir())
    assert PASSWORD.encode() not in kept


def test_a_source_is_tried(api: Api, folder: Path) -> None:
    tried = api("POST", "/v1/cameras/try", json={"source": f"file://{folder}/walk.mp4"}).json()
    assert tried["status"]["width"] == 640
    assert tried["picture"].startswith("/9j/")
    assert tried["faces"] is not None
    tried = api("POST", "/v1/cameras/try", json={"source": f"file://{folder}/text.mp4"}).json()
    assert (tried["status"]["state"], tried["status"]["reason"], tried["picture"]) == ("failed", "not_a_video", None)
    assert api.refused("POST", "/v1/cameras/try", json={"source": "file:///etc/passwd"}) == (403, "source_not_allowed")


@pytest.mark.parametrize(
    ("path", "refusal"),
    [
        ("/v1/sightings/none", (404, "unknown_sighting")),
        ("/v1/sightings?after=nonsense", (400, "malformed_request")),
        ("/v1/sightings?limit=0", (400, "malformed_request")),
        ("/v1/sightings?since=soon", (400, "malformed_request")),
        ("/v1/sightings/stream?after=-1", (400, "malformed_request")),
        ("/v1/galleries/g/unknowns/unknown-1", (404, "unknown_stranger")),
        ("/v1/galleries/g/unknowns/A", (422, "invalid_name")),
    ],
)
def test_what_is_not_there_is_said(api: Api, path: str, refusal: tuple[int, str]) -> None:
    assert api.refused("GET", path) == refusal


def test_pages_of_sightings(api: Api, folder: Path, group: str) -> None:
    for number in range(3):  # a slow machine leaves some without a frame for a second, which would end a sighting
        add(api, folder, group, id=f"c{number}", cooldown=5)
    until(lambda: len(sightings(api, gallery=group, open=False)) == 3)
    first = api("GET", "/v1/sightings", params={"gallery": group, "limit": 2}).json()
    second = api("GET", "/v1/sightings", params={"gallery": group, "limit": 2, "after": first["next"]}).json()
    assert {each["camera"] for each in first["sightings"] + second["sightings"]} == {"c0", "c1", "c2"}
    assert second["next"] is None
    assert len({each["visit_id"] for each in sightings(api, gallery=group)}) == 1  # one person before three cameras
    assert [each["camera"] for each in sightings(api, gallery=group, camera="c1")] == ["c1"]


# Videos


def test_a_video_says_who_appears_when(api: Api, folder: Path, group: str) -> None:
    data = (folder / "walk.mp4").read_bytes()
    params = {"gallery": group, "name": "walk.mp4", "fps": 10}
    sent = api("POST", "/v1/videos", params=params, content=data, headers={"content-type": "video/mp4"})
    assert sent.status_code == 202
    video = sent.json()["id"]
    assert sent.json()["state"] == "waiting"
    done = until(lambda: found if (found := api("GET", f"/v1/videos/{video}").json())["state"] == "done" else None)
    (seen,) = done["result"]["sightings"]
    assert (seen["name"], seen["person_id"]) == ("Eileen", "eileen")
    assert 0 <= seen["first_seen"] < 1 < seen["last_seen"] < 2.1
    assert done["result"]["video"]["width"] == 640
    assert done["progress"] == 1
    assert api("GET", "/v1/videos").json()["videos"][0] == {**done, "result": None}
    assert sightings(api, gallery=group) == []  # the cameras' sightings are others
    assert api("DELETE", f"/v1/videos/{video}").status_code == 204
    assert api.refused("GET", f"/v1/videos/{video}") == (404, "unknown_video")
    assert api.refused("DELETE", f"/v1/videos/{video}") == (404, "unknown_video")


@pytest.mark.parametrize(
    ("data", "given", "refusal"),
    [
        (b"", {}, (422, "not_a_video")),
        (b"x", {"gallery": "nowhere"}, (404, "unknown_gallery")),
        (b"x", {"gallery": "a/b"}, (422, "invalid_name")),
        (b"x", {"fps": "0"}, (400, "malformed_request")),
        (b"x", {"confirm": "none"}, (400, "malformed_request")),
    ],
)
def test_bad_videos_are_refused(api: Api, group: str, data: bytes, given: dict[str, str], refusal: Any) -> None:
    headers = {"content-type": "video/mp4"}
    assert (
        api.refused("POST", "/v1/videos", params={"gallery": group, **given}, content=data, headers=headers) == refusal
    )


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=b", "Multipart/Mixed", "application/json", "text/plain", "text/html"]
)
def test_a_form_is_no_video_and_is_refused_at_once(api: Api, kind: str) -> None:
    before = api("GET", "/v1/videos").json()
    answer = api.raw("POST", "/v1/videos", [("content-type", kind)], [b"x" * 1000] * 9)
    assert (answer.status, answer.json()["code"], answer.taken) == (415, "unsupported_format", 0)
    assert "--data-binary" in answer.json()["detail"]
    assert api("GET", "/v1/videos").json() == before


@pytest.mark.parametrize("cut", [0, 3000])
def test_what_is_no_video_fails_with_the_reason(api: Api, folder: Path, group: str, cut: int) -> None:
    data = (folder / "walk.mp4").read_bytes()[:cut] or b"no video at all" * 100
    video = api(
        "POST", "/v1/videos", params={"gallery": group}, content=data, headers={"content-type": "video/mp4"}
    ).json()
    done = until(lambda: found if (found := api("GET", f"/v1/videos/{video['id']}").json())["detail"] else None)
    assert done["state"] == "failed"
    assert done["result"] is None


def test_a_video_that_breaks_off_says_so(api: Api, tmp_path: Path, group: str) -> None:
    whole = clips.video(tmp_path / "walk.mkv", clips.walk(96, face=240), fps=24, g="12").read_bytes()
    data = whole[: len(whole) // 3]
    headers = {"content-type": "video/x-matroska"}
    video = api("POST", "/v1/videos", params={"gallery": group}, content=data, headers=headers).json()["id"]
    done = until(lambda: found if (found := api("GET", f"/v1/videos/{video}").json())["state"] == "done" else None)
    assert "ends early" in done["detail"]
    assert 0 < done["result"]["video"]["seconds"] < 3
    assert [each["name"] for each in done["result"]["sightings"]] == ["Eileen"]


def test_a_video_has_a_limit_of_its_own(settings: Settings, pipeline: LocalPipeline, group: str) -> None:
    limits = settings.limits.model_copy(update={"video_bytes": 5000, "body_bytes": 100})
    api = Api(build_api(settings.model_copy(update={"limits": limits}), pipeline))
    headers = {"content-type": "video/mp4"}
    params = {"gallery": group}
    assert api.refused("POST", "/v1/videos", params=params, content=b"x" * 5001, headers=headers) == (
        413,
        "body_too_large",
    )
    assert api("POST", "/v1/videos", params=params, content=b"x" * 4999, headers=headers).status_code == 202


# Receivers


@pytest.fixture
def receiver(api: Api) -> Iterator[Receiver]:
    receiver = Receiver(PASSWORD)
    yield receiver
    receiver.stop()
    for hook in api("GET", "/v1/webhooks").json()["webhooks"]:
        api("DELETE", f"/v1/webhooks/{hook['id']}")


def test_a_webhook_is_told_in_order_and_signed(api: Api, folder: Path, group: str, receiver: Receiver) -> None:
    made = api("POST", "/v1/webhooks", json={"id": "hook", "url": receiver.url, "gallery": group}).json()
    assert made["secret"].startswith("whsec_")
    assert "secret" not in api("GET", "/v1/webhooks/hook").json()
    assert PASSWORD not in api("GET", "/v1/webhooks").text
    receiver.answers = [500, 429]
    add(api, folder, group)
    until(lambda: {each["type"] for each in receiver.events()} == {"sighting.began", "sighting.ended"})
    events = receiver.events()
    assert [each["seq"] for each in events] == sorted(each["seq"] for each in events)
    assert len({each["id"] for each in events[:3]}) == 1  # twice refused for now, then taken
    assert {each["sighting"]["name"] for each in events} == {"Eileen"}
    for headers, body in receiver.got:
        assert signature.verified(made["secret"], headers, body)
        assert not signature.verified(made["secret"], headers, body + b" ")
        assert not signature.verified("whsec_AAAA", headers, body)
    until(lambda: api("GET", "/v1/webhooks/hook").json()["waiting"] == 0)


@pytest.mark.parametrize("status", [410, 400, 302])
def test_what_is_refused_for_good_is_kept_aside(
    api: Api, folder: Path, group: str, receiver: Receiver, status: int
) -> None:
    api("POST", "/v1/webhooks", json={"id": "hook", "url": receiver.url, "gallery": group})
    receiver.answers = [status, 204]
    add(api, folder, group)
    until(lambda: len(receiver.got) == 2)
    hook = until(lambda: found if (found := api("GET", "/v1/webhooks/hook").json())["dead"] else None)
    assert hook["dead"] == 1
    (dead,) = api("GET", "/v1/webhooks/hook/dead-letters").json()["dead_letters"]
    assert dead["event"] == receiver.events()[0]
    assert str(status) in dead["detail"]
    assert api("POST", "/v1/webhooks/hook/dead-letters/retry").json() == {"retried": 1}
    assert receiver.events()[2] == dead["event"]
    assert api("GET", "/v1/webhooks/hook/dead-letters").json()["dead_letters"] == []


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"url": "ftp://127.0.0.1/"}, (422, "invalid_source")),
        ({"url": "http://10.0.0.1/"}, (403, "source_not_allowed")),
        ({"url": "http://[::ffff:169.254.169.254]/"}, (403, "source_not_allowed")),
        ({"id": "A"}, (422, "invalid_name")),
        ({"secret": "short"}, (400, "malformed_request")),
    ],
)
def test_bad_webhooks_are_refused(
    api: Api, receiver: Receiver, given: dict[str, Any], refusal: tuple[int, str]
) -> None:
    assert api.refused("POST", "/v1/webhooks", json={"id": "hook", "url": receiver.url, **given}) == refusal
    assert api.refused("GET", "/v1/webhooks/hook") == (404, "unknown_webhook")
    assert api.refused("DELETE", "/v1/webhooks/hook") == (404, "unknown_webhook")


def test_webhooks_are_counted(api: Api, receiver: Receiver) -> None:
    for name in ("a", "b"):
        assert api("POST", "/v1/webhooks", json={"id": name, "url": receiver.url}).status_code == 201
    assert api.refused("POST", "/v1/webhooks", json={"id": "b", "url": receiver.url}) == (409, "webhook_exists")
    assert api.refused("POST", "/v1/webhooks", json={"id": "c", "url": receiver.url}) == (409, "too_many_webhooks")


def test_a_stream_goes_on_where_it_was_cut(api: Api, pipeline: LocalPipeline, folder: Path, group: str) -> None:
    server = LocalServer(pipeline)
    heard: list[tuple[int, str, dict[str, Any]]] = []

    def listen(last: int | None, wanted: int) -> None:
        headers = {} if last is None else {"last-event-id": str(last)}
        parts: dict[str, str] = {}
        with httpx.stream(
            "GET", f"{server.url}/v1/sightings/stream?gallery={group}", headers=headers, timeout=30
        ) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    parts[name] = value
                elif "data" in parts:
                    heard.append((int(parts["id"]), parts["event"], json.loads(parts["data"])))
                    parts = {}
                    if len(heard) >= wanted:
                        return

    try:
        first = threading.Thread(target=listen, args=(None, 1))
        first.start()
        time.sleep(0.5)
        add(api, folder, group)
        first.join(30)
        assert [each[1] for each in heard] == ["sighting.began"]
        until(lambda: sightings(api, gallery=group, open=False))
        listen(heard[0][0], 2)
        assert [each[1] for each in heard] == ["sighting.began", "sighting.ended"]
        assert heard[1][2]["sighting"]["open"] is False
        heard.clear()
        listen(10**9, 1)  # of a journal that was lost since
        assert heard[0][1] == heard[0][2]["type"] == "gap"
        assert heard[0][2]["to"] == 10**9
    finally:
        server.stop()


def test_streams_are_counted_while_they_are_open(pipeline: LocalPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.api.sightings.STREAMS", 2)
    server = LocalServer(pipeline)
    url = f"{server.url}/v1/sightings/stream"
    try:
        with httpx.stream("GET", url) as first, httpx.stream("GET", url) as second:
            assert (first.status_code, second.status_code) == (200, 200)
            refused = httpx.get(url)
            assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
            assert refused.headers["retry-after"] == "5"
        for _ in range(5):  # those whose caller left are over
            until(lambda: _opens(url))
    finally:
        server.stop()


def _opens(url: str) -> bool:
    with httpx.stream("GET", url) as answer:
        return answer.status_code == 200


def test_whoever_follows_goes_on_after_a_cut(api: Api, pipeline: LocalPipeline, folder: Path, group: str) -> None:
    server = LocalServer(pipeline)
    port = int(server.url.rpartition(":")[2])
    with Client(server.url) as client:
        known = asyncio.run(pipeline.cameras(SightingLog.span))[1]
        events = client.follow(known, gallery=group)
        add(api, folder, group)
        began = next(events)
        server.stop(cut=True)
        until(lambda: sightings(api, gallery=group, open=False))
        server = LocalServer(pipeline, port)
        try:
            ended = next(events)
        finally:
            events.close()
            server.stop(cut=True)
    assert (began["type"], ended["type"]) == ("sighting.began", "sighting.ended")
    assert began["sighting"]["id"] == ended["sighting"]["id"]
