"""Requests that nobody wrote: whatever is drawn, the answer is one that the document knows, and never a 5xx."""

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.photos import encode, nobody
from tests.serve.driver import Api

SMALL = encode(nobody()[:16, :16])
PATHS = [
    *("/v1/detect", "/v1/embed", "/v1/verify", "/v1/galleries", "/v1/galleries/{}", "/v1/galleries/{}/identify"),
    *("/v1/galleries/{}/verify", "/v1/galleries/{}/people", "/v1/galleries/{}/people/{}"),
    *(
        "/v1/galleries/{}/calibrate",
        "/v1/galleries/{}/people/{}/photos",
        "/v1/galleries/{}/people/{}/photos/{}",
        "/docs/assets/{}",
        "/{}",
    ),
]
KINDS = [
    "application/json",
    "image/jpeg",
    "multipart/form-data; boundary=b",
    "text/plain",
    "",
    "application/x+json",
    "é",
]
FORM = b'--b\r\ncontent-disposition: form-data; name="p"; filename="f"\r\n\r\n%s\r\n--b--\r\n'

names = st.one_of(st.sampled_from(["everybody", "grace", "nowhere"]), st.text(max_size=30))
numbers = st.one_of(st.floats(), st.integers(), st.integers(-(10**400), 10**400))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=9), inner, max_size=4)),
    max_leaves=12,
)
fields = [
    "name",
    "id",
    "metadata",
    "threshold",
    "keep_crops",
    "descriptors",
    "candidates",
    "fpir",
    "strangers",
    "whose",
    "more",
]
vectors = st.lists(st.lists(numbers, min_size=128, max_size=128), max_size=2)
objects = st.dictionaries(st.sampled_from(fields), values, max_size=4)


def spelled(value: Any) -> bytes:
    """As JSON that is not always allowed: NaN, Infinity and lone surrogates as they are."""
    import json

    return json.dumps(value).encode()


bodies = st.one_of(
    st.binary(max_size=300),
    st.sampled_from([b"", SMALL, SMALL[:-9], FORM % SMALL, FORM, FORM[:-4]]),
    st.binary(max_size=60).map(lambda inside: FORM.replace(b"%s", inside)),
    objects.map(spelled),
    values.map(spelled),
    vectors.map(lambda rows: spelled({"descriptors": rows})),
    vectors.map(lambda rows: spelled({"strangers": rows})),
)
queries = st.lists(
    st.tuples(
        st.sampled_from(
            ["threshold", "candidates", "min_face_size", "face", "person", "after", "limit", "name", "fpir", "x"]
        ),
        st.one_of(numbers.map(str), st.text(max_size=9)),
    ),
    max_size=3,
)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    path=st.sampled_from(PATHS),
    parts=st.tuples(names, names, names),
    query=queries,
    kind=st.sampled_from(KINDS),
    body=bodies,
)
def test_no_request_breaks_the_server(
    api: Api,
    session_group: str,
    method: str,
    path: str,
    parts: tuple[str, str, str],
    query: list[tuple[str, str]],
    kind: str,
    body: bytes,
) -> None:
    from urllib.parse import urlencode

    if method == "DELETE" and "everybody" in parts:
        return
    where = path.format(*parts) + "?" + urlencode(query, errors="replace")
    headers = [("content-type", kind.encode().decode("latin-1"))] if kind else []
    answer = api.raw(method, where, headers, [body[:50], body[50:]])
    assert answer.status < 500, answer.body


def test_the_server_still_answers_rightly(still_right: Callable[[], None]) -> None:
    still_right()
