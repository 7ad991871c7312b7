"""Signing in over HTTP: the cookie, what it allows, how it ends, and what somebody who guesses gets."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from facegroup.access import passwords
from facegroup.access.attempts import FREE_BY_NAME
from facegroup.access.people import csrf_token
from facegroup.access.users import Users
from facegroup.settings import load
from facegroup.store.audit import Event, Origin
from facegroup.store.rows.rows import Drop, Span
from serve.api import build_api
from tests.serve.driver import Api
from tests.serve.keyed import Keyed, Nothing, bearer

SESSION = "/v1/session"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def hashed() -> str:
    return passwords.hashed(PASSWORD)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory, hashed: str) -> Iterator[Keyed]:
    made = Keyed(load(store=f"sqlite:///{tmp_path_factory.mktemp('sessions')}/g.db", network="retail-0095"))
    Users(made.registry).add("ada", hashed, "editor", ("choir",))
    yield made
    made.close()


@pytest.fixture
def keyed(shared_server: Keyed) -> Keyed:
    """The server, where nobody has failed to sign in, and nobody has."""
    rows = shared_server.registry.rows
    rows.apply([Drop("attempts", row.key) for row in rows.page("attempts", Span(1000))])
    return shared_server


def sign_in(keyed: Keyed, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
    return keyed.api("POST", SESSION, json=body or {"name": "Ada", "password": PASSWORD}, headers=headers)


def cookie_of(answer: httpx.Response) -> tuple[str, list[str]]:
    """Return the name=value of the cookie that an answer sets, and its attributes in lower case."""
    (said,) = answer.headers.get_list("set-cookie")
    pair, *attributes = said.split("; ")
    return pair, [each.lower() for each in attributes]


def test_signing_in_and_out(keyed: Keyed) -> None:
    nobody = keyed.api("GET", SESSION).json()
    assert (nobody["signed_in"], nobody["asked"], nobody["scopes"]) == (False, True, [])
    assert nobody["csrf_token"] is None
    answer = sign_in(keyed)
    assert answer.status_code == 201, answer.text
    pair, attributes = cookie_of(answer)
    token = pair.partition("=")[2]
    assert set(attributes) == {"httponly", "samesite=strict", "path=/", "max-age=43200"}
    assert token not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    shown = answer.json()
    assert (shown["kind"], shown["name"], shown["role"], shown["galleries"]) == ("user", "ada", "editor", ["choir"])
    assert shown["csrf_token"] == csrf_token(token)
    assert abs(shown["expires_at"] - time.time() - 12 * 3600) < 60
    session = {"cookie": pair, "x-csrf-token": shown["csrf_token"]}
    assert keyed.api("GET", SESSION, headers={"cookie": pair}).json() == shown
    assert keyed.api("GET", "/v1/galleries/choir", headers={"cookie": pair}).status_code == 503
    assert keyed.api.refused("GET", "/v1/galleries/other", headers=session) == (403, "forbidden")
    assert keyed.api.refused("DELETE", SESSION, headers={"cookie": pair}) == (403, "wrong_csrf_token")
    gone = keyed.api("DELETE", SESSION, headers=session)
    assert gone.json() == {"ended": 1, "provider": None}
    assert "max-age=0" in gone.headers["set-cookie"].lower()
    assert keyed.api("GET", "/v1/galleries/choir", headers=session).status_code == 401
    assert keyed.api("GET", SESSION, headers={"cookie": pair}).json() == nobody


def test_over_tls_the_cookie_is_of_this_host_only(keyed: Keyed) -> None:
    answer = sign_in(keyed, {"origin": "https://127.0.0.1", "host": "127.0.0.1"})
    pair, attributes = cookie_of(answer)
    assert pair.startswith("__Host-facegroup_session=")
    assert {"secure", "httponly", "samesite=strict", "path=/"} <= set(attributes)
    assert not any(each.startswith("domain") for each in attributes)
    both = f"facegroup_session={'A' * 43}; {pair}"  # as somebody on a plain connection could add one
    assert keyed.api("GET", SESSION, headers={"cookie": both}).json()["signed_in"]


def test_everywhere(keyed: Keyed) -> None:
    Users(keyed.registry).change("ada", disabled=True)  # which ends the sessions of other tests
    Users(keyed.registry).change("ada", disabled=False)
    answers = [sign_in(keyed) for _ in range(3)]
    pairs = [cookie_of(each)[0] for each in answers]
    session = {"cookie": pairs[0], "x-csrf-token": answers[0].json()["csrf_token"]}
    assert keyed.api("DELETE", f"{SESSION}?everywhere=true", headers=session).json()["ended"] == 3
    for pair in pairs:
        assert not keyed.api("GET", SESSION, headers={"cookie": pair}).json()["signed_in"]


def test_a_sign_in_ends_the_session_of_before(keyed: Keyed) -> None:
    planted = f"facegroup_session={'A' * 43}"
    first = cookie_of(sign_in(keyed, {"cookie": planted}))[0]
    assert first != planted
    second = cookie_of(sign_in(keyed, {"cookie": first}))[0]
    assert not keyed.api("GET", SESSION, headers={"cookie": first}).json()["signed_in"]
    assert keyed.api("GET", SESSION, headers={"cookie": second}).json()["signed_in"]


def test_a_key_signs_in(keyed: Keyed) -> None:
    key = keyed.key("identify", galleries=("choir",))
    answer = sign_in(keyed, key=f" {key} ")
    shown, (pair, _) = answer.json(), cookie_of(answer)
    assert (shown["kind"], shown["id"], shown["scopes"]) == ("key", keyed.id_of(key), ["identify"])
    assert key not in answer.text
    keyed.registry.revoke(keyed.id_of(key))
    assert not keyed.api("GET", SESSION, headers={"cookie": pair}).json()["signed_in"]
    answer = sign_in(keyed, key=key)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert not answer.headers.get_list("set-cookie")


def test_a_session_is_not_taken_from_another_sites_page(keyed: Keyed) -> None:
    pair, _ = cookie_of(sign_in(keyed))
    for site in ("cross-site", "same-site"):
        headers = {"cookie": pair, "sec-fetch-site": site}
        assert keyed.api("GET", "/v1/galleries/choir", headers=headers).status_code == 401
    for site in ("same-origin", "none"):
        headers = {"cookie": pair, "sec-fetch-site": site}
        assert keyed.api("GET", "/v1/galleries/choir", headers=headers).status_code == 503
    foreign = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
    assert sign_in(keyed, foreign).json()["code"] == "origin_not_allowed"


def test_a_key_in_a_header_needs_no_csrf_token(keyed: Keyed) -> None:
    pair, _ = cookie_of(sign_in(keyed))
    answer = keyed.api("GET", "/v1/keys", headers={"cookie": pair, **bearer(keyed.key("admin"))})
    assert answer.status_code == 200
    assert keyed.api("GET", SESSION, headers={"cookie": pair, "x-api-key": "fg_wrong"}).json()["scopes"] == []


def test_whether_there_is_a_user_is_told_by_nothing(keyed: Keyed, hashed: str, monkeypatch: Any) -> None:
    Users(keyed.registry).add("gone", hashed, "viewer")
    Users(keyed.registry).change("gone", disabled=True)
    compared: list[str] = []
    matches = passwords.matches

    def counted(stored: str, password: str) -> bool:
        compared.append(stored)
        return matches(stored, password)

    monkeypatch.setattr(passwords, "matches", counted)
    said = set()
    for name, password in (("ada", "wrong password"), ("nobody", PASSWORD), ("gone", PASSWORD), ("a/b", PASSWORD)):
        answer = sign_in(keyed, name=name, password=password)
        assert answer.status_code == 401
        said.add((answer.json()["code"], answer.json()["detail"], frozenset(answer.headers) - {"x-request-id"}))
    assert {each[0] for each in said} == {"sign_in_refused"}
    assert len(said) == 1
    assert len(compared) == 4
    assert len({each.split("$")[3] for each in compared}) == 1  # the same work


def test_who_guesses_waits_longer_and_longer(keyed: Keyed, monkeypatch: Any) -> None:
    monkeypatch.setattr(passwords, "matches", lambda stored, password: password == PASSWORD)
    for name in ("ada", "nobody"):
        for _ in range(FREE_BY_NAME):
            assert sign_in(keyed, name=name, password="wrong").status_code == 401
        answer = sign_in(keyed, name=name, password=PASSWORD)  # even the right one
        assert (answer.status_code, answer.json()["code"]) == (429, "rate_limited")
        assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"name": "ada"},
        {"password": PASSWORD},
        {"name": "ada", "password": PASSWORD, "key": "fg_"},
        {"key": ["fg_"]},
        {"name": "ada", "password": 1},
        {"name": "x" * 201, "password": PASSWORD},
        {"name": "ada", "password": "x" * 4001},
        {"key": "x" * 221},
        {"name": "ada", "password": PASSWORD, "role": "admin"},
    ],
)
def test_bad_sign_ins(keyed: Keyed, body: Any) -> None:
    assert keyed.api.refused("POST", SESSION, json=body) == (400, "malformed_request")


@pytest.mark.parametrize("name", ["", "a/b", "x" * 200, "\x00", "ada\u0000", "😀", "' OR 1=1 --", "ａｄａ"])
def test_odd_names_are_refused_as_others_are(keyed: Keyed, name: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(passwords, "matches", lambda stored, password: True)
    assert keyed.api.refused("POST", SESSION, json={"name": name, "password": PASSWORD}) == (401, "sign_in_refused")


def test_a_hash_of_before_is_renewed_at_the_sign_in(keyed: Keyed) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    Users(keyed.registry).add("old", weak, "viewer")
    answer = sign_in(keyed, name="old", password=PASSWORD)
    assert answer.status_code == 201
    assert keyed.api("GET", SESSION, headers={"cookie": cookie_of(answer)[0]}).json()["name"] == "old"
    renewed = Users(keyed.registry).show("old").hash
    assert renewed != weak
    assert passwords.matches(renewed, PASSWORD)
    assert not passwords.is_outdated(renewed)


def test_sign_ins_are_in_the_audit_log(keyed: Keyed, monkeypatch: Any) -> None:
    noted: list[tuple[str, str]] = []

    class Noting(Nothing):
        async def ask(self, method: Any, gallery: str, event: Event, by: Origin, result: str = "") -> None:
            noted.append((event.what, by.actor))

    monkeypatch.setattr(passwords, "matches", lambda stored, password: password == PASSWORD)
    pipeline: Any = Noting()
    api = Api(build_api(keyed.settings, pipeline, keyed.checker))
    answer = api("POST", SESSION, json={"name": "ada", "password": PASSWORD})
    session = {"cookie": cookie_of(answer)[0], "x-csrf-token": answer.json()["csrf_token"]}
    api("DELETE", SESSION, headers=session)
    for _ in range(3):
        api("POST", SESSION, json={"name": "a secret", "password": "wrong"})
    asyncio.run(api.app.state.auditor.flush())
    assert noted == [("signed_in", "user ada"), ("signed_out", "user ada"), ("sign_in_refused", "http 127.0.0.1")]


def test_an_open_server_asks_nobody(tmp_path: Any) -> None:
    api = Api(build_api(load(store=f"sqlite:///{tmp_path}/g.db", network="retail-0095"), Nothing()))
    shown = api("GET", SESSION).json()
    assert (shown["asked"], shown["signed_in"], shown["scopes"]) == (False, False, ["admin"])
    assert api.refused("DELETE", SESSION) == (400, "malformed_request")
    assert api.refused("POST", SESSION, json={"name": "ada", "password": PASSWORD}) == (401, "sign_in_refused")


def test_servers_on_other_ports_of_a_host_have_sessions_of_their_own(keyed: Keyed) -> None:
    """A browser sends the cookies of all ports of a host to each."""
    at = {"host": "127.0.0.1:8001"}
    pairs = [cookie_of(sign_in(keyed, each))[0] for each in ({}, at, {"host": "127.0.0.1:8002"})]
    assert len({pair.partition("=")[0] for pair in pairs}) == 3
    both = {"cookie": "; ".join(pairs)}
    token = csrf_token(pairs[1].partition("=")[2])
    assert keyed.api("GET", SESSION, headers={**both, **at}).json()["csrf_token"] == token
    assert keyed.api("DELETE", SESSION, headers={**both, **at, "x-csrf-token": token}).json()["ended"] == 1
    assert keyed.api("GET", SESSION, headers=both).json()["signed_in"]
    assert not keyed.api("GET", SESSION, headers={**both, **at}).json()["signed_in"]


@pytest.mark.parametrize("host", ["127.0.0.1:80", "127.0.0.1:", "[::1]", "[::1]:443", "localhost"])
def test_the_port_of_the_scheme_is_not_in_the_cookies_name(keyed: Keyed, host: str) -> None:
    assert cookie_of(sign_in(keyed, {"host": host}))[0].startswith("facegroup_session=")
