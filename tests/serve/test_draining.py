"""A server that ends, and one whose processes do not answer each other: what its callers are told."""

import asyncio
from typing import Any

import pytest

from facegroup.errors import StageUnavailable
from facegroup.settings import Settings
from serve.api import build_api, operations
from tests.local_pipeline import LocalPipeline
from tests.serve.driver import Api

REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/v1/detect", {"content": b"x"}),
    ("PUT", "/v1/galleries/g", {}),
    ("GET", "/v1/sightings/stream", {}),
    ("GET", "/readyz", {}),
    ("GET", "/healthz", {}),
]


class Hanging(LocalPipeline):
    """A pipeline whose processes do not answer each other."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def alive(self) -> None:
        if self._error is None:
            await asyncio.Event().wait()
        else:
            raise self._error


@pytest.mark.parametrize("error", [None, StageUnavailable("a part of the server was lost")])
def test_not_alive_where_the_processes_do_not_answer_each_other(
    settings: Settings, error: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_HEALTH_SECONDS", 0.01)
    answer = Api(build_api(settings, Hanging(error)))("GET", "/healthz")
    assert (answer.status_code, answer.json()["code"]) == (503, "stage_unavailable")
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) >= 1


def test_what_comes_while_the_server_ends_is_told_to_come_again(settings: Settings) -> None:
    app = build_api(settings, Hanging(None))
    app.state.drain.ending = True
    for method, path, body in REQUESTS:
        answer = Api(app)(method, path, headers={"x-request-id": "find-me"}, **body)
        assert (answer.status_code, answer.json()["code"]) == (503, "stage_unavailable")
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.headers["x-request-id"], answer.json()["request_id"]) == ("find-me", "find-me")
        assert int(answer.headers["retry-after"]) >= 1
    assert app.state.drain.under_way == 0
