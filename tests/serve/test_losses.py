"""A gallery of which the store lost data: refused by name, until it is accepted or erased."""

import pytest

from tests.local_pipeline import LocalPipeline
from tests.serve.driver import Api

CALLS = [
    ("GET", "/v1/galleries/lost", {}),
    ("PUT", "/v1/galleries/lost", {}),
    ("PATCH", "/v1/galleries/lost", {"json": {"threshold": 0.5}}),
    ("GET", "/v1/galleries/lost/people", {}),
    ("POST", "/v1/galleries/lost/people", {"json": {"name": "Ann"}}),
    ("DELETE", "/v1/galleries/lost/people/ann", {}),
    ("POST", "/v1/galleries/lost/identify", {"json": {"descriptors": [[1.0] + [0.0] * 127]}}),
]


@pytest.fixture
def lost(api: Api, pipeline: LocalPipeline) -> int:
    """Lose data of a gallery; returns the version that it had."""
    version = int(api("PUT", "/v1/galleries/lost").json()["gallery_version"]) + 7
    pipeline.recognizer.store.lose("lost", version)
    return version


@pytest.mark.parametrize(("method", "path", "request_"), CALLS)
def test_it_is_refused(api: Api, lost: int, method: str, path: str, request_: dict[str, object]) -> None:
    answer = api(method, path, **request_)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_went_back")
    assert answer.headers["retry-after"] == "30"
    assert f"at version {lost}" in answer.json()["detail"]
    assert api("DELETE", "/v1/galleries/lost").status_code == 200


def test_accepted_it_goes_on_above_all_before(api: Api, lost: int) -> None:
    for _ in range(2):
        accepted = api("POST", "/v1/galleries/lost/accept").json()
        assert accepted == {"gallery": "lost", "gallery_version": lost + 1}
    assert api("GET", "/v1/galleries/lost").json()["gallery_version"] == lost + 1
    assert api("DELETE", "/v1/galleries/lost").status_code == 200
    assert api.refused("POST", "/v1/galleries/lost/accept") == (404, "unknown_gallery")
