"""What limited keys see of sightings, strangers, webhooks and videos: the rest is not there for them."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from facegroup.cameras.journal import open_journal
from facegroup.cameras.journal.encryption import new_key
from facegroup.cameras.sightings.types import Video
from facegroup.settings import load
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.serve.keyed import Keyed, bearer
from tests.unit.cameras.journal.made import begin, sighting

NOW = time.time() - 1000
NOBODY = {"person_id": None, "unknown": "unknown-1", "name": "unknown 1", "open": False}
PLACES = [("door", "door", "choir"), ("yard", "yard", "choir"), ("gate", "gate", "band"), ("late", "door", "choir")]
SEEN = {
    name: sighting(NOW + at, id=f"{at:032x}", camera=camera, gallery=gallery, **NOBODY)
    for at, (name, camera, gallery) in enumerate(PLACES, 100)
}
VIDEOS = {
    gallery: Video(f"{at:032x}", f"{gallery}.mp4", gallery, "done", 1.0, NOW + at, result={})
    for at, gallery in enumerate(("choir", "band"), 200)
}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    store = f"sqlite:///{tmp_path_factory.mktemp('limits') / 'gallery.db'}"
    cameras: dict[str, Any] = {"networks": ["127.0.0.0/8"], "key": new_key()}
    settings = load(network="dlib-resnet29", store=store, cameras=cameras)
    with closing(open_journal(settings.store)) as journal:
        begin(journal, *SEEN.values(), crop=b"\xff\xd8JPEG")
        for video in VIDEOS.values():
            journal.write_video(video)
    pipeline = LocalPipeline(settings)
    made = Keyed(settings, pipeline)
    for gallery in ("choir", "band"):
        pipeline.recognizer.new_gallery(gallery)
    headers = bearer(made.key("admin"))
    for camera, gallery in (("door", "choir"), ("yard", "choir"), ("gate", "band")):
        body = {"id": camera, "source": "rtsp://127.0.0.1:9/", "gallery": gallery, "enabled": False}
        assert made.api("POST", "/v1/cameras", json=body, headers=headers).status_code == 201
        hook = {"id": f"on-{camera}", "url": "http://127.0.0.1:9/", "gallery": gallery, "cameras": [camera]}
        assert made.api("POST", "/v1/webhooks", json=hook, headers=headers).status_code == 201
    every = {"id": "on-all", "url": "http://127.0.0.1:9/"}
    assert made.api("POST", "/v1/webhooks", json=every, headers=headers).status_code == 201
    yield made
    made.close()
    pipeline.close()


def key(keyed: Keyed, *scopes: Any, **limits: Any) -> dict[str, str]:
    return bearer(keyed.key(*(scopes or ("events", "cameras", "identify")), **limits))


LIMITS: list[tuple[dict[str, Any], list[str], list[str], list[str], list[str]]] = [
    (
        {},
        ["late", "gate", "yard", "door"],
        ["door", "gate", "yard"],
        ["all", "door", "gate", "yard"],
        ["band", "choir"],
    ),
    ({"galleries": ("choir",)}, ["late", "yard", "door"], ["door", "yard"], ["door", "yard"], ["choir"]),
    ({"galleries": ("band", "nowhere")}, ["gate"], ["gate"], ["gate"], ["band"]),
    ({"cameras": ("door", "gate")}, ["late", "gate", "door"], ["door", "gate"], ["door", "gate"], ["band", "choir"]),
    (
        {"galleries": ("choir",), "cameras": ("door", "gate", "nowhere")},
        ["late", "door"],
        ["door"],
        ["door"],
        ["choir"],
    ),
    ({"galleries": ("nowhere",)}, [], [], [], []),
]


@pytest.mark.parametrize(("limits", "sightings", "cameras", "hooks", "galleries"), LIMITS)
def test_lists_show_what_is_covered(
    keyed: Keyed, limits: Any, sightings: list[str], cameras: list[str], hooks: list[str], galleries: list[str]
) -> None:
    headers = key(keyed, **limits)
    names = {each.id: name for name, each in SEEN.items()}

    def got(path: str, what: str) -> list[Any]:
        found: list[Any] = keyed.api("GET", path, headers=headers).json()[what]
        return found

    assert [names[each["id"]] for each in got("/v1/sightings", "sightings")] == sightings
    assert [each["id"] for each in got("/v1/cameras", "cameras")] == cameras
    assert [each["id"] for each in got("/v1/webhooks", "webhooks")] == [f"on-{each}" for each in hooks]
    shown = [each["name"] for each in got("/v1/galleries", "galleries")]
    assert [name for name in shown if name != "default"] == galleries
    if "cameras" in limits:
        assert keyed.api.refused("GET", "/v1/videos", headers=headers) == (403, "forbidden")
    else:
        assert sorted(each["gallery"] for each in got("/v1/videos", "videos")) == galleries


@pytest.mark.parametrize("limits", [each[0] for each in LIMITS])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_leave_nothing_out_and_nothing_in(keyed: Keyed, limits: Any, limit: int) -> None:
    headers = key(keyed, **limits)
    whole = keyed.api("GET", "/v1/sightings", headers=headers).json()["sightings"]
    found, after = [], ""
    while True:
        params = {"limit": str(limit), "after": after}
        page = keyed.api("GET", "/v1/sightings", params=params, headers=headers).json()
        found += page["sightings"]
        if page["next"] is None:
            break
        after = page["next"]
    assert found == whole


def test_a_page_of_sightings_is_asked_for_once(keyed: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = keyed.api.app.state.context.pipeline
    asked: list[str] = []
    plain = pipeline.cameras

    async def counted(method: Any, *given: Any, **named: Any) -> Any:
        asked.append(method.__qualname__)
        return await plain(method, *given, **named)

    monkeypatch.setattr(pipeline, "cameras", counted)
    several = tuple(f"c{number}" for number in range(99))
    headers = key(keyed, cameras=(*several, "door"), galleries=(*several, "choir"))
    found = keyed.api("GET", "/v1/sightings", headers=headers).json()["sightings"]
    assert [each["id"] for each in found] == [SEEN["late"].id, SEEN["door"].id]
    assert asked == ["SightingLog.page"]


ROUTES = {
    "sightings": [("GET", "/v1/sightings/{}"), ("GET", "/v1/sightings/{}/crop")],
    "cameras": [("GET", "/v1/cameras/{}"), ("PATCH", "/v1/cameras/{}"), ("DELETE", "/v1/cameras/{}")],
    "snapshots": [("GET", "/v1/cameras/{}/snapshot")],
    "webhooks": [("GET", "/v1/webhooks/{}"), ("DELETE", "/v1/webhooks/{}"), ("GET", "/v1/webhooks/{}/dead-letters")],
    "retries": [("POST", "/v1/webhooks/{}/dead-letters/retry")],
    "videos": [("GET", "/v1/videos/{}"), ("DELETE", "/v1/videos/{}")],
}


@pytest.mark.parametrize(("limits", "sightings", "cameras", "hooks", "galleries"), LIMITS)
def test_what_is_not_covered_is_answered_as_what_is_not_there(
    keyed: Keyed, limits: Any, sightings: list[str], cameras: list[str], hooks: list[str], galleries: list[str]
) -> None:
    headers = key(keyed, **limits)

    def answer(method: str, path: str, name: str) -> httpx.Response:
        return keyed.api(method, path.format(name), headers=headers, **({"json": {}} if method == "PATCH" else {}))

    def check(what: str, name: str, covered: bool, gone: str) -> None:
        for method, path in ROUTES[what]:
            if covered:
                assert method != "GET" or answer(method, path, name).status_code == 200
                continue
            one, other = answer(method, path, name), answer(method, path, gone)
            assert one.status_code == other.status_code in (403, 404), (method, path)
            said = [{**each.json(), "request_id": ""} for each in (one, other)]
            said[1]["detail"] = said[1]["detail"].replace(gone, name)
            assert said[0] == said[1], (method, path)

    for name, each in SEEN.items():
        check("sightings", each.id, name in sightings, "f" * 32)
    for camera in ("door", "yard", "gate"):
        listed = "cameras" not in limits or camera in limits["cameras"]
        gone = (
            "nowhere" if listed else "not-listed"
        )  # one that is not there, and is in the key's list as well or as little
        check("cameras", camera, camera in cameras, gone)
        if camera not in cameras:
            check("snapshots", camera, False, gone)
    for hook in ("door", "yard", "gate", "all"):
        check("webhooks", f"on-{hook}", hook in hooks, "on-nothing")
        if hook not in hooks:
            check("retries", f"on-{hook}", False, "on-nothing")
    for gallery, video in VIDEOS.items():
        check("videos", video.id, gallery in galleries and "cameras" not in limits, "f" * 32)


def test_a_camera_cannot_be_moved_out_or_in(keyed: Keyed) -> None:
    headers = key(keyed, galleries=("choir",))
    moved = keyed.api("PATCH", "/v1/cameras/door", json={"gallery": "band"}, headers=headers)
    assert (moved.status_code, moved.json()["code"]) == (403, "forbidden")
    assert keyed.api("GET", "/v1/cameras/door", headers=headers).json()["gallery"] == "choir"
    taken = keyed.api("PATCH", "/v1/cameras/gate", json={"gallery": "choir"}, headers=headers)
    assert (taken.status_code, taken.json()["code"]) == (404, "unknown_camera")


def test_strangers_of_another_gallery_and_merges_across_galleries(keyed: Keyed) -> None:
    headers = key(keyed, "manage", "events", galleries=("choir",))
    promotion = {"unknown": "unknown-1", "name": "X"}
    there = keyed.api("POST", "/v1/galleries/band/people/from-unknown", json=promotion, headers=headers)
    assert (there.status_code, there.json()["code"]) == (403, "forbidden")
    own = keyed.api("POST", "/v1/galleries/choir/people/from-unknown", json=promotion, headers=headers)
    assert (own.status_code, own.json()["code"]) == (404, "unknown_stranger")
    admin = bearer(keyed.key("admin"))
    for gallery, person in (("choir", "ada"), ("band", "eve")):
        body = {"id": person, "name": person}
        assert keyed.api("POST", f"/v1/galleries/{gallery}/people", json=body, headers=admin).status_code in (201, 409)
    merged = keyed.api("POST", "/v1/galleries/choir/people/ada/merge", json={"from": "eve"}, headers=headers)
    assert (merged.status_code, merged.json()["code"]) == (404, "unknown_person")


def test_who_wrote_is_in_the_audit_log_by_the_id_of_the_key(keyed: Keyed) -> None:
    text = keyed.key("manage", "audit")
    assert (
        keyed.api("POST", "/v1/galleries/choir/people", json={"name": "Bob"}, headers=bearer(text)).status_code == 201
    )
    entries = keyed.api("GET", "/v1/audit?gallery=choir&limit=1000", headers=bearer(text)).json()["entries"]
    assert entries[-1]["actor"] == f"key {keyed.id_of(text)}"
    assert text not in str(entries)


def test_a_stream_shows_what_is_covered_and_ends_with_its_key(keyed: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serve.api.sightings.WAIT_SECONDS", 0.2)
    server = LocalServer.of(keyed.settings, keyed.api.app.state.context.pipeline)
    text = keyed.key("events", galleries=("choir",), cameras=("door", "gate"))
    heard: list[str] = []

    def listen() -> None:
        url = f"{server.url}/v1/sightings/stream?after=0"
        with httpx.stream("GET", url, headers=bearer(text), timeout=30) as answer:
            for line in answer.iter_lines():
                heard.append(line)

    try:
        listener = threading.Thread(target=listen)
        listener.start()
        deadline = time.monotonic() + 20
        while ": here" not in heard and time.monotonic() < deadline:
            time.sleep(0.05)
        shown = [name for name, each in SEEN.items() if each.id in "".join(heard)]
        assert shown == ["door", "late"]
        assert listener.is_alive()
        keyed.registry.revoke(keyed.id_of(text))
        listener.join(20)
        assert not listener.is_alive()
    finally:
        server.stop()
