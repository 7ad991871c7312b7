"""The cohort of a gallery over HTTP: photos in, counts out; the decision and its threshold; and every refusal."""

from typing import Any

import numpy as np
import pytest

from facegroup.enrolment.cohort import unknown_id
from facegroup.errors import UnknownStranger
from facegroup.store.cohort import LEAST
from facegroup.types import CohortMember
from tests.local_pipeline import LocalPipeline
from tests.photos import encode, nobody
from tests.serve.conftest import files
from tests.serve.driver import Api
from tests.unit.gallery.people_at_random import SPEC, enrol, middles, photos


@pytest.fixture
def crowd(api: Api, gallery: str, pipeline: LocalPipeline) -> str:
    """The path of a gallery of 60 people with 2 samples each."""
    enrol(pipeline.recognizer.store, photos(middles(60, 0), 2, 1), gallery.rpartition("/")[2])
    return gallery


def test_photos_are_added_and_only_counts_answered(api: Api, gallery: str, photos: dict[str, bytes]) -> None:
    empty = {"given": 0, "unknown": 0, "people": 0, "decision": "cosine", "least": LEAST}
    assert empty.items() <= api("GET", f"{gallery}/cohort").json().items()
    three = files(("a", photos["eileen"]), ("b", photos["grace"]), ("c", encode(nobody())))
    answer = api("POST", f"{gallery}/cohort", files=three)
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert (made["added"], made["known"], made["size"], made["like_members"]) == (2, 0, 2, 0)
    assert [(each["name"], each["error"]["code"]) for each in made["refused"]] == [("c", "no_face")]
    assert "descriptor" not in answer.text
    again = api("POST", f"{gallery}/cohort", content=photos["eileen"]).json()
    assert (again["added"], again["known"], again["gallery_version"]) == (0, 1, made["gallery_version"])
    assert api("GET", f"{gallery}/cohort").json()["given"] == 2
    assert api("DELETE", f"{gallery}/cohort").json()["removed"] == 2
    assert api("GET", f"{gallery}/cohort").json()["given"] == 0
    assert api("DELETE", f"{gallery}/cohort").json()["removed"] == 0


def test_a_photo_of_a_member_is_told(api: Api, group: str, photos: dict[str, bytes]) -> None:
    assert api("POST", f"{group}/cohort", content=photos["grace"]).json()["like_members"] == 1


def test_the_same_key_adds_once(api: Api, gallery: str, photos: dict[str, bytes]) -> None:
    key = {"Idempotency-Key": "once"}
    first = api("POST", f"{gallery}/cohort", content=photos["grace"], headers=key).json()
    assert api("POST", f"{gallery}/cohort", content=photos["grace"], headers=key).json() == first
    other = api("POST", f"{gallery}/cohort", content=photos["eileen"], headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


def test_what_is_refused(api: Api, gallery: str) -> None:
    for method in ("GET", "DELETE"):
        assert api(method, "/v1/galleries/nowhere/cohort").json()["code"] == "unknown_gallery"
    assert api("POST", f"{gallery}/cohort", content=encode(nobody())).json()["code"] == "no_face"
    assert api("POST", f"{gallery}/cohort", content=b"no photo").json()["code"] == "not_an_image"
    assert api("POST", f"{gallery}/cohort").status_code == 400
    assert api("PATCH", gallery, json={"decision": "cohort"}).json()["code"] == "cohort_too_small"
    assert api("PATCH", gallery, json={"decision": "cohorts"}).status_code == 400
    assert api("PATCH", gallery, json={"decision": 1}).status_code == 400
    assert api("GET", gallery).json()["decision"] == "cosine"
    assert (
        api("PUT", "/v1/galleries/new-with-a-cohort", json={"decision": "cohort"}).json()["code"] == "cohort_too_small"
    )
    assert api("GET", "/v1/galleries/new-with-a-cohort").status_code == 404


def test_the_decision_is_set_and_answers_have_scores(api: Api, crowd: str) -> None:
    probe = {"descriptors": middles(1, 0).tolist()}
    (before,) = api("POST", f"{crowd}/identify", json=probe).json()["faces"]
    assert (before["score"], before["cohort"]) == (None, None)
    refused = api("PATCH", crowd, json={"decision": "cohort"})
    assert (refused.status_code, refused.json()["code"]) == (400, "malformed_request")
    changed = api("PATCH", crowd, json={"decision": "cohort", "threshold": 0.3}).json()
    assert (changed["decision"], changed["threshold"]) == ("cohort", 0.3)
    assert api("PUT", crowd, json={"decision": "cohort"}).json()["decision"] == "cohort"
    (face,) = api("POST", f"{crowd}/identify", json=probe).json()["faces"]
    assert face["person"]["id"] == before["candidates"][0]["person_id"] == "p0"
    assert face["similarity"] == before["similarity"]
    means = face["cohort"]
    assert means["size"] == 60
    assert face["score"] == pytest.approx(
        face["similarity"] - (means["probe_mean"] + means["person_mean"]) / 2, abs=2e-5
    )
    assert face["candidates"][0]["score"] == face["score"]
    assert face["margin"] == pytest.approx(face["score"] - face["candidates"][1]["score"], abs=2e-5)
    back = api("PATCH", crowd, json={"decision": "cosine"}).json()
    assert (back["decision"], back["threshold"]) == ("cosine", SPEC.threshold)


def test_a_gallery_that_falls_below_the_least_is_refused_and_can_be_enrolled_into(
    api: Api, crowd: str, pipeline: LocalPipeline, photos: dict[str, bytes]
) -> None:
    api("PATCH", crowd, json={"decision": "cohort", "threshold": 0.3})
    for number in range(11):
        assert api("DELETE", f"{crowd}/people/p{number}").status_code == 200
    probe = {"descriptors": middles(1, 3).tolist()}
    for path in (f"{crowd}/identify", f"{crowd}/verify?person=p20"):
        sent = {"json": probe} if "identify" in path else {"content": photos["grace"]}
        answer = api("POST", path, **sent)
        assert (answer.status_code, answer.json()["code"]) == (409, "cohort_too_small")
        assert "49" in answer.json()["detail"]
    assert api("POST", f"{crowd}/calibrate?fpir=0.1").json()["code"] == "cohort_too_small"
    api("PUT", f"{crowd}/people/grace", json={"name": "Grace"})
    assert api("POST", f"{crowd}/people/grace/photos", content=photos["grace"]).status_code == 200
    (face,) = api("POST", f"{crowd}/identify", content=photos["grace"]).json()["images"][0]["faces"]
    assert face["person"]["id"] == "grace"
    verified = api("POST", f"{crowd}/verify?person=grace", content=photos["grace"]).json()
    assert verified["same"]
    assert verified["score"] == face["score"]
    assert verified["cohort"] == face["cohort"]


def test_a_calibration_is_of_the_decision(api: Api, crowd: str, pipeline: LocalPipeline) -> None:
    name = crowd.rpartition("/")[2]
    given = [CohortMember(f"{number:064x}", row) for number, row in enumerate(middles(40, 11))]
    pipeline.recognizer.store.add_cohort(name, given, SPEC.name)
    api("PATCH", crowd, json={"decision": "cohort", "threshold": 0.3})
    made = api("POST", f"{crowd}/calibrate", json={"fpir": 0.05, "strangers": middles(300, 7).tolist()}).json()
    assert made["applied"]
    assert made["calibration"]["decision"] == "cohort"
    (face,) = api("POST", f"{crowd}/identify", json={"descriptors": middles(1, 3).tolist()}).json()["faces"]
    assert face["estimated_fpir"] == pytest.approx(0.05, rel=0.2)
    rows = middles(300, 8).tolist()
    parts = [{"descriptors": rows[start : start + 50]} for start in range(0, 300, 50)]
    others = [face for part in parts for face in api("POST", f"{crowd}/identify", json=part).json()["faces"]]
    assert 0.01 < np.mean([each["person"] is not None for each in others]) < 0.13
    changed = api("PATCH", crowd, json={"decision": "cosine"}).json()
    assert changed["calibration"]["stale"] == "decision_changed"


def test_strangers_of_cameras_only_where_it_is_allowed(api: Api, gallery: str) -> None:
    answer = api("POST", f"{gallery}/cohort/unknowns")
    assert (answer.status_code, answer.json()["code"]) == (403, "unknowns_not_allowed")


@pytest.mark.parametrize(
    ("method", "path", "sent"),
    [
        ("DELETE", "unknowns/unknown-1", {}),
        ("POST", "people/from-unknown", {"json": {"unknown": "unknown-1", "name": "Ada"}}),
        ("POST", "people/from-unknown", {"json": {"unknown": "unknown-1", "person_id": "ada"}}),
    ],
)
def test_a_stranger_leaves_the_cohort_before_the_cameras_and_whatever_the_setting_is_now(
    api: Api,
    gallery: str,
    pipeline: LocalPipeline,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
    sent: dict[str, Any],
) -> None:
    name, store = gallery.rpartition("/")[2], pipeline.recognizer.store
    rows = middles(3, 1)
    keys = [unknown_id(name, f"unknown-{number}") for number in (1, 2)]
    members = [CohortMember(key, row, "unknown") for key, row in zip(keys, rows, strict=False)]
    store.add_cohort(name, [*members, CohortMember(f"{1:064x}", rows[2])], SPEC.name)
    left: list[tuple[str, ...]] = []

    async def stopped(*_: object) -> None:
        left.append(store.cohort(name).ids)
        raise UnknownStranger("the cameras were stopped")

    monkeypatch.setattr(pipeline, "cameras", stopped)
    assert api(method, f"{gallery}/{path}", **sent).json()["code"] == "unknown_stranger"
    assert left == [tuple(sorted([keys[1], f"{1:064x}"]))]
