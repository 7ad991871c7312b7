"""Calibration over HTTP: on members, on strangers' descriptors or photos; refusals; what each answer tells afterwards."""

from typing import Any

import numpy as np
import pytest

from tests.local_pipeline import LocalPipeline
from tests.photos import both, encode, nobody
from tests.serve.conftest import files
from tests.serve.driver import Api
from tests.unit.gallery.people_at_random import D, enrol, middles, photos


@pytest.fixture
def crowd(api: Api, gallery: str, pipeline: LocalPipeline) -> str:
    """The path of a gallery of 40 people with 8 samples each."""
    enrol(pipeline.recognizer.store, photos(middles(40, 0), 8, 1), gallery.rpartition("/")[2])
    return gallery


def strangers(count: int, seed: int = 7) -> list[list[float]]:
    rows: list[list[float]] = middles(count, seed).tolist()
    return rows


def test_calibrate_on_the_members(api: Api, crowd: str) -> None:
    before = api("GET", crowd).json()
    assert before["calibration"] is None
    answer = api("POST", f"{crowd}/calibrate", json={"fpir": 0.05})
    assert answer.status_code == 200
    done = answer.json()
    assert (done["applied"], done["threshold_before"], done["searches"]) == (True, before["threshold"], 320)
    made = done["calibration"]
    assert (made["fpir"], made["people"], made["strangers"], made["stale"]) == (0.05, 40, 0, None)
    assert made["fpir_interval"][0] < 0.05 < made["fpir_interval"][1]
    now = api("GET", crowd).json()
    assert now == done["gallery"]
    assert (now["threshold"], now["calibration"]) == (made["threshold"], made)
    assert now["gallery_version"] == before["gallery_version"] + 1
    (entry,) = [each for each in _audit(api, crowd) if each["what"] == "calibrated"]
    assert entry["detail"] == {"threshold": now["threshold"]}


def test_every_answer_tells_the_rate_of_its_threshold(api: Api, crowd: str) -> None:
    probe = {"descriptors": strangers(1)}
    assert api("POST", f"{crowd}/identify", json=probe).json()["faces"][0]["estimated_fpir"] is None
    api("POST", f"{crowd}/calibrate?fpir=0.05")
    (face,) = api("POST", f"{crowd}/identify", json=probe).json()["faces"]
    assert face["estimated_fpir"] == pytest.approx(0.05, rel=0.1)
    (high,) = api("POST", f"{crowd}/identify", json={**probe, "threshold": 0.9}).json()["faces"]
    assert 0 < high["estimated_fpir"] < 0.01
    photo = api("POST", f"{crowd}/identify", content=encode(both())).json()["images"][0]["faces"]
    assert {each["estimated_fpir"] for each in photo} == {face["estimated_fpir"]}
    verified = api("POST", f"{crowd}/verify?person=p1&face=0", content=encode(both())).json()
    assert 0 < verified["estimated_fmr"] < 0.01
    pair = api(
        "POST", "/v1/verify?face=0&other_face=1", files=files(("a", encode(both())), ("b", encode(both())))
    ).json()
    assert pair["estimated_fmr"] is None


def test_calibrate_on_strangers(api: Api, crowd: str) -> None:
    done = api("POST", f"{crowd}/calibrate?fpir=0.05", json={"strangers": strangers(400), "dry_run": True}).json()
    assert (done["applied"], done["searches"], done["calibration"]["strangers"]) == (False, 400, 400)
    assert api("GET", crowd).json()["calibration"] is None
    assert done["gallery"]["calibration"] is None
    four = api(
        "POST", f"{crowd}/calibrate", json={"strangers": strangers(400), "whose": [str(n // 4) for n in range(400)]}
    ).json()
    assert four["calibration"]["fpir"] == 0.01


def test_photos_of_strangers(api: Api, group: str, photos: dict[str, bytes]) -> None:
    sent = files(("s", encode(both())), ("s", encode(nobody())), ("text", b"none"))
    status, code = api.refused("POST", f"{group}/calibrate?fpir=0.4", files=sent)
    assert (status, code) == (409, "too_few_to_calibrate")
    many = files(*[("s", encode(both()))] * 4, ("nobody", encode(nobody())), ("text", b"none"))
    done = api("POST", f"{group}/calibrate?fpir=0.5&dry_run=true", files=many).json()
    assert (done["searches"], done["calibration"]["strangers"]) == (8, 8)
    assert [(each["name"], each["error"]["code"]) for each in done["refused"]] == [
        ("nobody", "no_face"),
        ("text", "not_an_image"),
    ]
    # These strangers are the members, and that shows.
    assert done["closest"][0]["like"]["similarity"] > 0.95
    assert api.refused("POST", f"{group}/calibrate", content=encode(nobody())) == (422, "no_face")


def test_too_few_are_told_how_many_more(api: Api, crowd: str) -> None:
    answer = api("POST", f"{crowd}/calibrate", json={"fpir": 0.001})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_few_to_calibrate")
    assert "needs 3000 photos" in answer.json()["detail"]
    assert "there are 320 of 40 members" in answer.json()["detail"]
    assert api("GET", crowd).json()["calibration"] is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"fpir": 0}, (400, "malformed_request")),
        ({"fpir": "much"}, (400, "malformed_request")),
        ({"fpir": 0.6}, (400, "malformed_request")),
        ({"seed": 1}, (400, "malformed_request")),
        ([], (400, "malformed_request")),
        ({"whose": ["a"]}, (400, "malformed_request")),
        ({"strangers": []}, (422, "invalid_descriptor")),
        ({"strangers": [[]]}, (422, "invalid_descriptor")),
        ({"strangers": [[0.0] * D]}, (422, "invalid_descriptor")),
        ({"strangers": [[1e300] * D]}, (422, "invalid_descriptor")),
        ({"strangers": [[1.0] * (D - 1)]}, (422, "invalid_descriptor")),
        ({"strangers": [[1.0] * D, [1.0]]}, (422, "invalid_descriptor")),
        ({"strangers": [[1.0] * D], "whose": []}, (400, "malformed_request")),
    ],
)
def test_what_cannot_be_calibrated_on(api: Api, session_group: str, body: Any, expected: tuple[int, str]) -> None:
    assert api.refused("POST", f"{session_group}/calibrate", json=body) == expected


def test_a_gallery_that_is_not_there(api: Api) -> None:
    assert api.refused("POST", "/v1/galleries/nowhere/calibrate") == (404, "unknown_gallery")
    assert api.refused("POST", "/v1/galleries/nowhere/calibrate?fpir=nan") == (400, "malformed_request")


def test_a_calibration_that_no_longer_holds_says_so(api: Api, crowd: str) -> None:
    api("POST", f"{crowd}/calibrate?fpir=0.05")
    changed = api("PATCH", crowd, json={"threshold": 0.5}).json()
    assert changed["calibration"]["stale"] == "threshold_changed"
    assert changed["calibration"]["threshold"] != 0.5
    for number in range(9):
        api("POST", f"{crowd}/people", json={"name": f"New {number}"})
    assert api("GET", crowd).json()["calibration"]["stale"] == "people_changed"
    assert api("POST", f"{crowd}/calibrate?fpir=0.05").json()["calibration"]["stale"] is None


def test_verify_the_faces_that_are_meant_in_two_photos(api: Api, photos: dict[str, bytes]) -> None:
    sent = files(("group", encode(both())), ("eileen", photos["eileen"]))
    assert api.refused("POST", "/v1/verify", files=sent) == (422, "multiple_faces")
    same = [api("POST", f"/v1/verify?face={face}", files=sent).json()["same"] for face in (0, 1)]
    assert same == [False, True]
    other = files(("eileen", photos["eileen"]), ("group", encode(both())))
    answer = api("POST", "/v1/verify", files=other)
    assert "other_face=0…1" in answer.json()["detail"]
    answers = [api("POST", f"/v1/verify?other_face={face}", files=other).json() for face in (0, 1)]
    assert [each["same"] for each in answers] == [False, True]
    boxes = [each["faces"][1]["box"]["x1"] for each in answers]
    assert boxes[0] < boxes[1]
    assert api.refused("POST", "/v1/verify?other_face=2", files=other) == (400, "malformed_request")


def _audit(api: Api, gallery: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = api("GET", f"/v1/audit?gallery={gallery.rpartition('/')[2]}").json()["entries"]
    return entries


def test_a_stranger_is_named_as_often_as_was_asked(api: Api, crowd: str) -> None:
    api("POST", f"{crowd}/calibrate", json={"fpir": 0.05, "strangers": strangers(1000)})
    low, high = api("GET", crowd).json()["calibration"]["fpir_interval"]
    # A face a request would be a photo each; of one photo, too, each stranger is alone with a name.
    faces = [
        api("POST", f"{crowd}/identify", json={"descriptors": strangers(256, seed)}).json()["faces"]
        for seed in range(100, 104)
    ]
    best = np.array([face["candidates"][0]["similarity"] for rows in faces for face in rows])
    rate = float((best > api("GET", crowd).json()["threshold"]).mean())
    assert low - 0.02 < rate < high + 0.02
