"""Every route × every scope × {no key, wrong, expired, revoked, other gallery or camera}, driven by the table of routes."""

import time
from collections.abc import Iterator

import pytest
from fastapi import APIRouter, FastAPI

from facegroup.access import secrets
from facegroup.access.types import ROLES, SCOPES, Grant, Role, Scope
from facegroup.access.users import Users
from facegroup.settings import load
from serve.api import access
from serve.api.requirements import OPEN, TABLE, Requirement
from tests.serve.keyed import Keyed, bearer, filled

CLOSED = [(method, path) for (method, path), wanted in TABLE.items() if not wanted.open]


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    store = f"sqlite:///{tmp_path_factory.mktemp('keyed')}/g.db"
    made = Keyed(load(store=store, network="retail-0095", cameras={"unknowns_in_cohort": True}))
    yield made
    made.close()


@pytest.fixture(scope="module")
def keys(keyed: Keyed) -> dict[Scope, str]:
    return {scope: keyed.key(scope) for scope in SCOPES}


@pytest.fixture(scope="module")
def wrong(keyed: Keyed) -> dict[str, str]:
    """Keys with every right that do not hold."""
    revoked = keyed.key("admin")
    keyed.registry.revoke(keyed.id_of(revoked), force=True)
    expired = keyed.key("admin", expires_at=time.time() + 0.01)
    time.sleep(0.02)
    return {"wrong": secrets.make().text, "expired": expired, "revoked": revoked}


def test_what_is_open_is_that_and_nothing_else() -> None:
    assert {row for row, wanted in TABLE.items() if wanted.open} == {
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/docs"),
        ("GET", "/v1/session"),
        ("POST", "/v1/session"),
        ("GET", "/v1/session/provider"),
        ("GET", "/v1/session/callback"),
    }


def test_what_may_erase_is_not_for_those_who_only_read() -> None:
    reading: set[Scope] = {"identify", "verify", "embed", "events", "audit", "metrics"}
    for (method, path), wanted in TABLE.items():
        if method in ("DELETE", "PATCH") and path not in ("/v1/videos/{video}", "/v1/session"):
            assert not reading & set(wanted.scopes), (method, path)


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_a_scope_suffices_where_the_table_says_so(keyed: Keyed, keys: dict[Scope, str], method: str, path: str) -> None:
    wanted = TABLE[(method, path)]
    for scope, key in keys.items():
        answer = keyed.api(method, filled(path), headers=bearer(key))
        if scope == "admin" or (scope in wanted.scopes and not wanted.also):
            assert answer.status_code not in (401, 403), (scope, answer.text)
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), scope


@pytest.fixture(scope="module")
def sessions(keyed: Keyed) -> dict[Role, dict[str, str]]:
    return {role: keyed.session(role) for role in ROLES}


@pytest.mark.parametrize("row", CLOSED)
def test_a_session_may_do_what_its_role_may(
    keyed: Keyed, sessions: dict[Role, dict[str, str]], row: tuple[str, str]
) -> None:
    method, path = row
    for role, headers in sessions.items():
        sent = keyed.session(role) if row == ("DELETE", "/v1/session") else headers
        answer = keyed.api(method, filled(path), headers=sent)
        if TABLE[row].allows(Grant(frozenset(ROLES[role]))):
            assert answer.status_code not in (401, 403), (role, answer.text)
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), role


@pytest.mark.parametrize("row", CLOSED)
def test_a_session_changes_nothing_without_its_csrf_token(
    keyed: Keyed, sessions: dict[Role, dict[str, str]], row: tuple[str, str]
) -> None:
    method, path = row
    for role, headers in sessions.items():
        other = sessions["viewer" if role == "admin" else "admin"]["x-csrf-token"]
        for wrong in (None, "", other, headers["x-csrf-token"][:-1], headers["cookie"].partition("=")[2], "é"):
            sent = {"cookie": headers["cookie"], **({} if wrong is None else {"x-csrf-token": wrong.encode()})}
            answer = keyed.api(method, filled(path), headers=sent)
            if method == "GET":
                assert answer.status_code != 401
                assert "wrong_csrf_token" not in answer.text
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "wrong_csrf_token"), role
                assert headers["x-csrf-token"] not in answer.text


@pytest.mark.parametrize("row", CLOSED)
def test_a_session_that_does_not_hold_is_not_admitted(keyed: Keyed, row: tuple[str, str]) -> None:
    ended = keyed.session("admin", "ended")
    Users(keyed.registry).remove("ended")
    said = set()
    for cookie in (ended["cookie"], f"facegroup_session={'A' * 43}", "facegroup_session=x", "facegroup_session=é"):
        answer = keyed.api(row[0], filled(row[1]), headers={**ended, "cookie": cookie.encode("latin-1")})
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")
        said.add(answer.json()["detail"])
    assert len(said) == 1


@pytest.mark.parametrize(("method", "path"), [row for row in CLOSED if "{gallery}" in row[1]])
def test_a_session_is_limited_to_galleries(keyed: Keyed, method: str, path: str) -> None:
    own, other = (keyed.session("admin", galleries=each) for each in (("choir",), ("other",)))
    assert keyed.api(method, filled(path), headers=own).status_code not in (401, 403)
    assert keyed.api.refused(method, filled(path), headers=other) == (403, "forbidden")


@pytest.mark.parametrize(("method", "path"), [row for row in CLOSED if TABLE[row].also])
def test_two_scopes_are_asked_for_where_the_table_says_so(keyed: Keyed, method: str, path: str) -> None:
    wanted = TABLE[(method, path)]
    both = keyed.key(wanted.scopes[0], wanted.also[0])
    assert keyed.api(method, filled(path), headers=bearer(both)).status_code not in (401, 403)
    for scopes, others in ((wanted.scopes, wanted.also), (wanted.also, wanted.scopes)):
        rest = set(SCOPES) - set(others) - {"admin"} | set(scopes)
        answer = keyed.api(method, filled(path), headers=bearer(keyed.key(*rest)))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert "the scope cameras and events" in answer.json()["detail"]


def test_who_may_not_read_events_gets_none_by_a_webhook() -> None:
    """Neither by one of their own, nor from what a webhook's receiver would not take."""
    for method, path in (("POST", ""), ("GET", "/{webhook}/dead-letters"), ("POST", "/{webhook}/dead-letters/retry")):
        assert not TABLE[(method, f"/v1/webhooks{path}")].allows(Grant(frozenset({"cameras"})))
        for role in ("editor", "admin"):
            assert TABLE[(method, f"/v1/webhooks{path}")].allows(Grant(frozenset(ROLES[role])))


def test_videos_are_not_for_those_who_are_limited_to_cameras() -> None:
    rows = [row for row in CLOSED if row[1].startswith("/v1/videos")]
    assert len(rows) == 4
    for row in rows:
        every = frozenset(SCOPES) - {"admin"}
        assert TABLE[row].allows(Grant(every, galleries=("choir",)))
        assert not TABLE[row].allows(Grant(every, cameras=("door",)))


@pytest.mark.parametrize(("method", "path"), CLOSED)
def test_no_key_that_does_not_hold_is_admitted(keyed: Keyed, wrong: dict[str, str], method: str, path: str) -> None:
    said = set()
    for key in (None, *wrong.values()):
        answer = keyed.api(method, filled(path), headers={} if key is None else bearer(key))
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert key is None or key not in answer.text
        said.add(answer.json()["detail"])
    assert len(said) == 2  # without a key, and with any wrong one


@pytest.mark.parametrize(("method", "path"), [row for row in CLOSED if "{gallery}" in row[1]])
def test_another_gallery_is_refused(keyed: Keyed, method: str, path: str) -> None:
    scope = TABLE[(method, path)].scopes[0]
    own, other = keyed.key(scope, galleries=("choir",)), keyed.key(scope, galleries=("other", "choir2", "Choir"))
    assert keyed.api(method, filled(path), headers=bearer(own)).status_code not in (401, 403)
    assert keyed.api.refused(method, filled(path), headers=bearer(other)) == (403, "forbidden")


@pytest.mark.parametrize("path", ["/v1/sightings", "/v1/sightings/stream", "/v1/audit"])
def test_another_gallery_in_the_query_is_refused(keyed: Keyed, path: str) -> None:
    key = keyed.key("events", "audit", galleries=("choir",))
    assert keyed.api.refused("GET", f"{path}?gallery=other", headers=bearer(key)) == (403, "forbidden")
    assert keyed.api.refused("GET", f"{path}?gallery=", headers=bearer(key)) == (403, "forbidden")
    assert keyed.api.refused("GET", f"{path}?gallery=choir&gallery=other", headers=bearer(key)) == (403, "forbidden")
    assert keyed.api("GET", f"{path}?gallery=choir", headers=bearer(key)).status_code == 503


@pytest.mark.parametrize(("method", "path"), [row for row in CLOSED if "{camera}" in row[1]])
def test_another_camera_is_refused(keyed: Keyed, method: str, path: str) -> None:
    scope = TABLE[(method, path)].scopes[0]
    own, other = keyed.key(scope, cameras=("door",)), keyed.key(scope, cameras=("yard",))
    assert keyed.api(method, filled(path), headers=bearer(own)).status_code not in (401, 403)
    assert keyed.api.refused(method, filled(path), headers=bearer(other)) == (403, "forbidden")


@pytest.mark.parametrize(("method", "path"), [row for row in CLOSED if TABLE[row].whole])
def test_what_covers_all_is_not_for_those_who_are_limited(keyed: Keyed, method: str, path: str) -> None:
    scope, limits = TABLE[(method, path)].scopes[0], {"galleries": ("choir",), "cameras": ("door",)}
    for what in TABLE[(method, path)].whole:
        key = keyed.key(scope, **{what: limits[what]})
        assert keyed.api.refused(method, filled(path), headers=bearer(key)) == (403, "forbidden")


def test_a_route_without_a_row_is_not_built() -> None:
    forgotten, plain = APIRouter(route_class=access.CheckedRoute), FastAPI()
    forgotten.get("/forgotten")(lambda: None)
    with pytest.raises(RuntimeError, match="GET /forgotten"):
        access.check(forgotten.routes)
    plain.get("/v1/galleries")(lambda: None)
    with pytest.raises(RuntimeError, match="GET /v1/galleries"):
        access.check(plain.routes)
    with pytest.raises(RuntimeError, match="no such routes"):
        access.check([])


def test_the_document_says_what_each_route_asks_for(keyed: Keyed) -> None:
    document = keyed.api.document
    assert set(document["components"]["securitySchemes"]) == {"bearer", "key", "session"}
    shown = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            wanted: Requirement = TABLE[(method.upper(), path)]
            assert operation.get("x-scopes", []) == list(wanted.scopes)
            assert operation.get("x-scopes-also", []) == list(wanted.also)
            assert operation.get("security", []) == (
                [] if wanted == OPEN else [{"bearer": []}, {"key": []}, {"session": []}]
            )
            shown += 1
    assert shown == len(TABLE) - 1  # /docs is a page
