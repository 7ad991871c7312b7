"""Drawn requests to every route with keys of several scopes: never a 5xx but of what is not there, and no key, no answer."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facegroup.access.types import Scope
from facegroup.settings import load
from serve.api.requirements import TABLE
from tests.serve.keyed import Keyed, filled
from tests.serve.test_odd_requests import KINDS, bodies, names, queries

ROUTES = sorted(row for row, wanted in TABLE.items() if not wanted.open and not row[1].endswith("/stream"))
SCOPES: dict[str, tuple[Scope, ...]] = {
    "admin": ("admin",),
    "door": ("identify", "verify"),
    "office": ("enrol", "events", "audit"),
    "guard": ("cameras", "manage", "embed", "metrics"),
}
REFUSED = ("none", "wrong", "revoked")


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    folder: Path = tmp_path_factory.mktemp("odd")
    made = Keyed(load(store=f"sqlite:///{folder}/g.db", network="retail-0095"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def keys(keyed: Keyed) -> dict[str, str]:
    """Keys by what they are: of all galleries, and of one."""
    found = {name: keyed.key(*scopes) for name, scopes in SCOPES.items()}
    found |= {f"{name} of choir": keyed.key(*scopes, galleries=("choir",)) for name, scopes in SCOPES.items()}
    revoked = keyed.key("admin")
    keyed.registry.revoke(keyed.id_of(revoked))
    return found | {"revoked": revoked, "wrong": f"{revoked[:-1]}{'a' if revoked[-1] != 'a' else 'b'}"}


@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    row=st.sampled_from(ROUTES),
    who=st.sampled_from([*SCOPES, *(f"{name} of choir" for name in SCOPES), *REFUSED]),
    gallery=st.one_of(st.sampled_from(["choir", "band"]), names),
    query=queries,
    kind=st.sampled_from(KINDS),
    body=bodies,
)
def test_no_request_breaks_the_server(
    keyed: Keyed,
    keys: dict[str, str],
    row: tuple[str, str],
    who: str,
    gallery: str,
    query: list[tuple[str, str]],
    kind: str,
    body: bytes,
) -> None:
    method, template = row
    path = filled(template, gallery=quote(gallery, safe="", errors="replace") or "x")
    headers = [("content-type", kind.encode().decode("latin-1"))] if kind else []
    if who in keys:
        headers.append(("x-api-key", keys[who]))
    answer = keyed.api.raw(method, f"{path}?{urlencode(query, errors='replace')}", headers, [body[:50], body[50:]])
    told = answer.json().get("code") if answer.status >= 400 else ""
    assert answer.status < 500 or told in ("stage_unavailable", "cameras_off"), answer.body
    if who in REFUSED:
        assert (answer.status, told, answer.taken) in ((401, "unauthorised", 0), (404, "unknown_path", 0))
    elif who == "admin":
        assert answer.status not in (401, 403)
