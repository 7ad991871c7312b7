"""Rate limits over HTTP: what is counted, what is refused, and what the fields of the answer tell."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facegroup.access import secrets
from facegroup.access.types import RateLimits
from facegroup.settings import load
from serve.api import build_api
from serve.api.requirements import TABLE
from tests.serve.driver import Api
from tests.serve.keyed import Keyed, Nothing, bearer, filled


@pytest.fixture
def keyed(tmp_path: Path) -> Iterator[Callable[..., Keyed]]:
    made: list[Keyed] = []

    def build(**access: Any) -> Keyed:
        made.append(Keyed(load(store=f"sqlite:///{tmp_path}/g.db", network="retail-0095", access=access)))
        return made[-1]

    yield build
    for each in made:
        each.close()


def test_requests_are_counted_after_the_key_is_checked(keyed: Callable[..., Keyed]) -> None:
    server = keyed()
    key = bearer(server.key("admin", limits=RateLimits(requests=2)))
    for left in (1, 0):
        answer = server.api("GET", "/v1/keys", headers=key)
        assert answer.headers["ratelimit-policy"] == '"requests";q=2;w=60'
        assert answer.headers["ratelimit"].startswith(f'"requests";r={left};t=')
    refused = server.api("GET", "/v1/keys", headers=key)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert server.api("GET", "/healthz", headers=key).status_code == 503  # open, and not counted
    assert server.api.refused("GET", "/v1/keys", headers=bearer(secrets.make().text)) == (401, "unauthorised")
    assert server.api("GET", "/v1/keys", headers=bearer(server.key("admin"))).status_code == 200


def test_photos_are_counted_before_anything_looks_at_them(keyed: Callable[..., Keyed]) -> None:
    server = keyed()
    key = bearer(server.key("identify", limits=RateLimits(photos=3)))
    two = [("photos", ("a.jpg", b"\xff\xd8\xffa")), ("photos", ("b.jpg", b"\xff\xd8\xffb"))]
    first = server.api("POST", "/v1/detect", headers=key, files=two)
    assert (first.status_code, first.json()["code"]) == (503, "stage_unavailable")
    assert first.headers["ratelimit"].startswith('"photos";r=1;t=')
    assert server.api.refused("POST", "/v1/detect", headers=key, files=two) == (429, "rate_limited")
    assert server.api.refused("POST", "/v1/detect", headers=key, content=b"\xff\xd8\xff") == (503, "stage_unavailable")


BODIES: list[dict[str, Any]] = [
    {"json": {"images": [base64.b64encode(b"\xff\xd8\xff").decode()] * 2}},
    {"files": [("photos", ("a.jpg", b"\xff\xd8\xffa")), ("photos", ("b.jpg", b"\xff\xd8\xffb"))]},
]
TAKING = [
    path
    for method, path in TABLE
    if method == "POST" and path.endswith(("identify", "verify", "detect", "embed", "photos", "-examples", "/cohort"))
]


@pytest.mark.parametrize("body", BODIES, ids=["json", "form"])
@pytest.mark.parametrize("path", TAKING)
def test_photos_are_counted_wherever_and_however_they_are_sent(
    keyed: Callable[..., Keyed], path: str, body: dict[str, Any]
) -> None:
    assert len(TAKING) == 8
    server = keyed()
    where = filled(path) + ("?person=ada" if path.endswith("}/verify") else "")
    key = bearer(server.key("admin", limits=RateLimits(photos=3)))
    first = server.api("POST", where, headers=key, **body)
    assert first.headers["ratelimit"].startswith('"photos";r=1;t='), first.text
    assert server.api.refused("POST", where, headers=key, **body) == (429, "rate_limited")


def test_bytes_are_counted_before_they_are_read_and_as_they_come(keyed: Callable[..., Keyed]) -> None:
    server = keyed()
    key = server.key("identify", "admin", limits=RateLimits(bytes=100))
    sent = [("host", "127.0.0.1"), ("authorization", f"Bearer {key}"), ("content-type", "image/jpeg")]
    long = server.api.raw("POST", "/v1/detect", [*sent, ("content-length", "101")], [b"x" * 10] * 11)
    assert (long.status, long.json()["code"], long.taken) == (429, "rate_limited", 10)
    # nothing announced, or too little
    for more in ([], [("content-length", "1")]):
        chunked = server.api.raw("POST", "/v1/detect", [*sent, *more], [b"x" * 40] * 9)
        assert (chunked.status, chunked.json()["code"]) == (429, "rate_limited")
        assert chunked.taken <= 120
    made = server.api.refused("POST", "/v1/keys", headers=bearer(key), json={"scopes": ["identify"], "note": "x" * 99})
    assert made == (429, "rate_limited")


@pytest.mark.parametrize(
    ("parts", "counts"),
    [
        ([b"x" * 1000] * 3000, [1000, 1 << 20, 1 << 20, 3_000_000 - 1000 - (2 << 20)]),
        ([b"x"] * 500, [1, 499]),
        ([b"", b"x" * (3 << 20), b"x", b""], [3 << 20, 1]),
        ([b"x"], [1]),
    ],
)
def test_bytes_that_were_not_announced_are_counted_in_steps(
    keyed: Callable[..., Keyed], parts: list[bytes], counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = keyed()
    rates = server.api.app.state.rates
    asked: list[int] = []
    plain = rates.spend

    async def spend(caller: Any, address: str, what: str, amount: int) -> Any:
        asked.extend([amount] if what == "bytes" else [])
        return await plain(caller, address, what, amount)

    monkeypatch.setattr(rates, "spend", spend)
    key = server.key("identify", limits=RateLimits(bytes=10_000_000))
    head = [("host", "127.0.0.1"), ("authorization", f"Bearer {key}"), ("content-type", "image/jpeg")]
    server.api.raw("POST", "/v1/detect", head, parts)
    assert sum(asked) == sum(map(len, parts))
    assert len(asked) == len(counts)
    assert all(abs(one - other) < 1000 for one, other in zip(asked, counts, strict=True))


def test_guessing_is_limited_and_locks_out_nobody(keyed: Callable[..., Keyed]) -> None:
    server = keyed(wrong_keys_per_minute=3)
    right = server.key("admin")
    for _ in range(3):
        assert server.api.refused("GET", "/v1/keys", headers=bearer(secrets.make().text)) == (401, "unauthorised")
    assert server.api.refused("GET", "/v1/keys", headers=bearer("fg_nonsense")) == (429, "rate_limited")
    assert server.api.refused("GET", "/v1/keys", headers={"x-api-key": "x"}) == (429, "rate_limited")
    assert server.api.refused("GET", "/v1/keys") == (401, "unauthorised")
    assert server.api("GET", "/v1/keys", headers=bearer(right)).status_code == 200


def test_addresses_are_limited_where_nobody_needs_a_key(tmp_path: Path) -> None:
    access = {"mode": "open", "anonymous_requests_per_minute": 1}
    api = Api(build_api(load(store=f"sqlite:///{tmp_path}/g.db", network="retail-0095", access=access), Nothing()))
    assert api.refused("GET", "/v1/galleries") == (503, "stage_unavailable")
    assert api.refused("GET", "/v1/galleries", headers={"x-forwarded-for": "192.0.2.7"}) == (429, "rate_limited")


@pytest.mark.parametrize("most", [0, -1, 10**13, 1.5, True, "3"])
def test_a_limit_is_a_number_above_zero(keyed: Callable[..., Keyed], most: object) -> None:
    server = keyed()
    body = {"scopes": ["identify"], "requests_per_minute": most}
    assert server.api("POST", "/v1/keys", headers=bearer(server.key("admin")), json=body).status_code == 400


def test_a_key_tells_its_limits_and_makes_none_that_may_more(keyed: Callable[..., Keyed]) -> None:
    server = keyed()
    key = bearer(server.key("admin", limits=RateLimits(photos=50)))
    made = server.api("POST", "/v1/keys", headers=key, json={"scopes": ["identify"], "photos_per_minute": 50}).json()
    assert (made["photos_per_minute"], made["requests_per_minute"]) == (50, None)
    for more in ({"photos_per_minute": 51}, {}):
        body = {"scopes": ["identify"], **more}
        assert server.api.refused("POST", "/v1/keys", headers=key, json=body) == (403, "forbidden")


def test_behind_named_proxies_each_address_is_counted_for_itself(tmp_path: Path) -> None:
    access = {"mode": "open", "anonymous_requests_per_minute": 1}
    store = f"sqlite:///{tmp_path}/g.db"
    for named, statuses in (((), (503, 429, 429)), (("127.0.0.1", "192.0.2.9"), (503, 429, 503))):
        settings = load(store=store, network="retail-0095", access=access, trusted_proxies=named)
        api = Api(build_api(settings, Nothing()))
        said = ("192.0.2.1", "198.51.100.5, 192.0.2.1, 192.0.2.9", "192.0.2.2")
        answers = [api("GET", "/v1/galleries", headers={"x-forwarded-for": each}).status_code for each in said]
        assert tuple(answers) == statuses
