"""Over HTTP: mergers, expiry, repeated requests, crops switched off, and the log of who did what."""

import base64
import hashlib
import io
import json
import logging
import zipfile

import numpy as np
import pytest

from tests.local_pipeline import LocalPipeline
from tests.photos import encode, hopper, resized
from tests.serve.conftest import files
from tests.serve.driver import Api


def test_two_people_become_one(api: Api, group: str, photos: dict[str, bytes]) -> None:
    merged = api("POST", f"{group}/people/grace/merge", json={"from": "eileen"}).json()
    assert (merged["moved"], merged["duplicates"], merged["person"]["photos"]) == (1, 0, 2)
    seen = api("POST", f"{group}/identify", content=photos["eileen"]).json()
    assert seen["gallery_version"] == merged["gallery_version"]
    assert "eileen" not in {each["person_id"] for each in seen["images"][0]["faces"][0]["candidates"]}
    assert api.refused("GET", f"{group}/people/eileen") == (404, "unknown_person")
    assert api.refused("POST", f"{group}/people/grace/merge", json={"from": "eileen"}) == (404, "unknown_person")
    assert api.refused("POST", f"{group}/people/grace/merge", json={"from": "grace"}) == (400, "malformed_request")
    assert api.refused("POST", f"{group}/people/grace/merge", json={"from": "a/b"}) == (422, "invalid_name")
    assert api.refused("POST", f"{group}/people/grace/merge", json={}) == (400, "malformed_request")


@pytest.mark.parametrize(
    ("said", "kept"),
    [(4e9, 4e9), ("2096-10-02T07:06:40Z", 4e9), ("2096-10-02T09:06:40+02:00", 4e9), (None, None), (1, 1.0)],
)
def test_expiry_goes_in_as_a_time_or_as_seconds(api: Api, gallery: str, said: object, kept: float | None) -> None:
    made = api("POST", f"{gallery}/people", json={"name": "Ann", "id": "ann", "expires_at": said}).json()
    assert made["expires_at"] == kept
    changed = api("PATCH", f"{gallery}/people/ann", json={"name": "Anna"}).json()
    assert changed["expires_at"] == kept
    assert api("PUT", f"{gallery}/people/ann", json={"name": "Ann"}).json()["expires_at"] == kept
    assert api("PATCH", f"{gallery}/people/ann", json={"expires_at": said}).json()["expires_at"] == kept
    assert api("PATCH", f"{gallery}/people/ann", json={"expires_at": None}).json()["expires_at"] is None


@pytest.mark.parametrize(
    "said", ["soon", "2030-01-01", "2030-01-01T00:00:00", True, -1, 4e12, [], {}, "", "99999-01-01T00:00:00Z", 10**400]
)
def test_what_is_no_time_is_refused(api: Api, gallery: str, said: object) -> None:
    assert api.refused("POST", f"{gallery}/people", json={"name": "Ann", "expires_at": said}) == (
        400,
        "malformed_request",
    )


def test_one_whose_time_is_over_is_nobody(api: Api, group: str, photos: dict[str, bytes]) -> None:
    def name() -> str:
        return str(api("POST", f"{group}/identify", content=photos["grace"]).json()["images"][0]["faces"][0]["name"])

    assert name() == "Grace"
    api("PATCH", f"{group}/people/grace", json={"expires_at": "2001-01-01T00:00:00Z"})
    assert name() != "Grace"
    assert api.refused("POST", f"{group}/verify?person=grace", content=photos["grace"]) == (404, "unknown_person")


def test_a_repeated_request_makes_one_person(api: Api, gallery: str) -> None:
    key = {"Idempotency-Key": "3f1c-1"}
    first = api("POST", f"{gallery}/people", json={"name": "Ann"}, headers=key)
    again = api("POST", f"{gallery}/people", json={"name": "Ann"}, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert len(api("GET", f"{gallery}/people").json()["people"]) == 1
    assert api.refused("POST", f"{gallery}/people", json={"name": "Bo"}, headers=key) == (409, "idempotency_conflict")
    odd = {"Idempotency-Key": "a b"}
    assert api.refused("POST", f"{gallery}/people", json={"name": "Bo"}, headers=odd) == (400, "malformed_request")
    empty = {"Idempotency-Key": ""}
    assert api.refused("POST", f"{gallery}/people", json={"name": "Bo"}, headers=empty) == (400, "malformed_request")


def test_a_repeated_enrolment_is_answered_the_same(api: Api, gallery: str, photos: dict[str, bytes]) -> None:
    api("PUT", f"{gallery}/people/grace", json={"name": "Grace"})
    path, key = f"{gallery}/people/grace/photos", {"Idempotency-Key": "photos-1"}
    sent = [("a.jpg", photos["grace"]), ("b.jpg", b"no image"), ("c.jpg", photos["grace"])]
    first = api("POST", path, files=files(*sent), headers=key).json()
    api("DELETE", f"{path}/{first['enrolled'][0]['photo_id']}")
    again = api("POST", path, files=files(*sent), headers=key).json()
    assert (again["enrolled"], again["refused"], again["gallery_version"]) == (
        first["enrolled"],
        first["refused"],
        first["gallery_version"],
    )
    assert again["person"]["photos"] == 0
    other = encode(resized(hopper(), 400))
    assert api.refused("POST", path, content=other, headers=key) == (409, "idempotency_conflict")
    assert api.refused("POST", f"{path}?face=0", files=files(*sent), headers=key) == (409, "idempotency_conflict")


def test_erasing_says_what_went(api: Api, group: str) -> None:
    api("PATCH", group, json={"keep_crops": False})
    removed = api("DELETE", f"{group}/people/grace").json()["removed"]
    assert removed == {
        "people": 1,
        "photos": 1,
        "counter_examples": 0,
        "descriptors": 1,
        "crops": 0,
        "cohort": 0,
        "sightings": 0,
    }
    api("PATCH", group, json={"keep_crops": True})
    assert api("DELETE", group).json()["removed"] == {
        "people": 1,
        "photos": 1,
        "counter_examples": 0,
        "descriptors": 1,
        "crops": 0,
        "cohort": 0,
        "sightings": 0,
    }


def test_the_log_says_who_did_what(api: Api, group: str, pipeline: LocalPipeline) -> None:
    name = group.rpartition("/")[2]
    api("PATCH", f"{group}/people/grace", json={"name": "Grace Hopper"}, headers={"x-request-id": "mine-1"})
    api("DELETE", f"{group}/people/grace")
    api("DELETE", group)
    page = api("GET", "/v1/audit", params={"gallery": name}).json()
    told = [(each["what"], each["person_id"]) for each in page["entries"]]
    assert told == [
        ("created", None),
        ("created", "eileen"),
        ("enrolled", "eileen"),
        ("created", "grace"),
        ("enrolled", "grace"),
        ("renamed", "grace"),
        ("erased", "grace"),
        ("erased", None),
    ]
    assert page["next"] is None
    assert {each["actor"] for each in page["entries"]} == {"http 127.0.0.1"}
    assert page["entries"][5]["request_id"] == "mine-1"
    assert "Hopper" not in json.dumps(page)
    first = api("GET", "/v1/audit", params={"gallery": name, "limit": 3}).json()
    rest = api("GET", "/v1/audit", params={"gallery": name, "after": first["next"]}).json()
    assert first["entries"] + rest["entries"] == page["entries"]
    assert api.refused("GET", "/v1/audit") == (400, "malformed_request")
    assert api.refused("GET", "/v1/audit", params={"gallery": "a", "after": "x"}) == (400, "malformed_request")


def test_damage_is_told_with_the_gallery(
    api: Api, group: str, pipeline: LocalPipeline, photos: dict[str, bytes]
) -> None:
    assert api("GET", group).json()["damaged"] == 0
    store = pipeline.recognizer.store
    with store._file.write() as db:  # type: ignore[attr-defined]
        gallery = "SELECT key FROM galleries WHERE name = ?"
        statement = f"UPDATE people SET centroid = x'00' WHERE id = 'eileen' AND gallery = ({gallery})"
        assert db.execute(statement, (group.rpartition("/")[2],)).rowcount == 1
    pipeline.recognizer.galleries._snapshots.clear()  # as after a restart: what was read before is as it was
    seen = api("POST", f"{group}/identify", content=photos["grace"]).json()["images"][0]["faces"][0]
    assert seen["name"] == "Grace"
    assert api("GET", group).json()["damaged"] == 1


def test_nothing_biometric_and_no_name_is_logged(
    api: Api,
    gallery: str,
    photos: dict[str, bytes],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (face,) = api("POST", "/v1/embed", content=photos["grace"]).json()["images"][0]["faces"]
    descriptor = np.array(face["descriptor"], np.float32)
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        api("PUT", f"{gallery}/people/p1", json={"name": "Grace Secret", "metadata": {"a": "Secret"}})
        api("POST", f"{gallery}/people/p1/photos", content=photos["grace"], headers={"Idempotency-Key": "k"})
        api("POST", f"{gallery}/identify", content=photos["grace"])
        api("POST", f"{gallery}/identify", json={"descriptors": [face["descriptor"]]})
        api("POST", f"{gallery}/identify", json={"descriptors": [face["descriptor"][:-1]]})
        api("POST", f"{gallery}/verify?person=p1", content=photos["grace"])
        api("POST", f"{gallery}/people/p1/photos", content=photos["grace"][:1000])
        crop = api("GET", f"{gallery}/people/p1/photos/{hashlib.sha256(photos['grace']).hexdigest()}").content
        api("DELETE", f"{gallery}/people/p1")
        told = api("GET", "/v1/audit", params={"gallery": gallery.rpartition("/")[2]}).text
    written = "".join(capfd.readouterr())
    # The test's own client logs the addresses that it asks for.
    logged = "\n".join(str(each.getMessage()) for each in caplog.records if not each.name.startswith("http"))
    for text in (logged, told, written):
        assert "Secret" not in text
        assert not [number for number in descriptor.tolist() if f"{abs(number):.6f}" in text or repr(number) in text]
        for data in (photos["grace"], crop, descriptor.tobytes()):
            assert base64.b64encode(data)[:24].decode() not in text
            assert data[:12].hex() not in text
            assert repr(data[:8])[2:-1] not in text
        assert hashlib.sha256(photos["grace"]).hexdigest() not in text


def test_a_persons_own_copy_is_one_file(api: Api, group: str) -> None:
    answer = api("GET", f"{group}/people/grace/export")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as whole:
        assert {"README.txt", "person.json", "photos.jsonl", "audit.jsonl"} <= set(whole.namelist())
    assert api.refused("GET", f"{group}/people/nobody/export") == (404, "unknown_person")
    assert api.refused("GET", "/v1/galleries/nobodys/people/grace/export") == (404, "unknown_gallery")
