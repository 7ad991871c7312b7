"""Signing in with a real OpenID Connect provider, which runs as a process of its own, and what goes wrong with one."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import httpx
import pytest

from facegroup.settings import load
from facegroup.store.audit import Event, Origin
from serve.api.provider import CALLBACK, COOKIE
from tests.serve.keyed import Keyed, Nothing

GO = "/v1/session/provider"
USERS = [
    {"sub": "ada", "preferred_username": "Ada", "groups": ["staff"]},
    {"sub": "grace", "groups": ["board", "staff"]},
    {"sub": "eve", "groups": ["strangers"]},
]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    words = [word for user in USERS for word in ("--user-claims", json.dumps(user))]
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(port), *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{url}/jwks", trust_env=False, timeout=60)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield url
    finally:
        process.kill()
        process.wait()


def server(issuer: str, folder: Any, **more: Any) -> Keyed:
    secret = Path(folder) / "secret"
    secret.write_text("a secret: of / the client\n")
    oidc = {
        "issuer": issuer,
        "client_secret_file": secret,
        "roles": {"staff": "editor", "board": "admin"},
        "name": "the choir",
        **more,
    }
    return Keyed(load(store=f"sqlite:///{folder}/g.db", network="retail-0095", oidc=oidc))


@pytest.fixture(scope="module")
def keyed(issuer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    galleries = {"staff": ["choir"], "board": ["*"]}
    made = server(issuer, tmp_path_factory.mktemp("provider"), galleries=galleries)
    made.key("admin")
    yield made
    made.close()


def begin(keyed: Keyed) -> tuple[str, str]:
    """Return where the browser is sent, and the cookie that it keeps meanwhile."""
    answer = keyed.api("GET", GO)
    assert answer.status_code == 303, answer.text
    (said,) = answer.headers.get_list("set-cookie")
    assert {"HttpOnly", "SameSite=lax", f"Path={CALLBACK}"} <= set(said.split("; "))
    return answer.headers["location"], said.partition(";")[0]


def allow(url: str, who: str, **changed: str) -> str:
    """Let somebody sign in at the provider; return the path that it sends the browser back to."""
    parts = urlsplit(url)
    query = {**{name: value for name, (value, *_) in parse_qs(parts.query).items()}, **changed}
    url = urlunsplit(parts._replace(query=urlencode(query)))
    answer = httpx.post(url, data={"sub": who}, trust_env=False, timeout=60)
    assert answer.status_code in (302, 303), answer.text
    return answer.headers["location"].removeprefix("http://127.0.0.1")


def refused(keyed: Keyed, path: str, cookie: str) -> tuple[int, str]:
    """Return status and code, for a program; and check that a browser is shown the same on the page."""
    shown = keyed.api("GET", path, headers={"cookie": cookie.encode(), "accept": "text/html,*/*"})
    answer = keyed.api("GET", path, headers={"cookie": cookie.encode()})
    assert (shown.status_code, shown.headers["location"]) == (303, f"/?refused={answer.json()['code']}")
    for each in (shown, answer):
        assert not any("facegroup_session" in said for said in each.headers.get_list("set-cookie"))
    return answer.status_code, answer.json()["code"]


def test_signing_in_and_out(keyed: Keyed, issuer: str) -> None:
    shown = keyed.api("GET", "/v1/session").json()
    assert (shown["ways"], shown["provider"]) == (["key", "password", "provider"], "the choir")
    url, cookie = begin(keyed)
    query = parse_qs(urlsplit(url).query)
    assert url.startswith(issuer)
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"] == [f"http://127.0.0.1{CALLBACK}"]
    assert {"state", "nonce", "code_challenge"} <= query.keys()
    back = allow(url, "ada")
    answer = keyed.api("GET", f"{back}&session_state=what+others+send&iss=x", headers={"cookie": cookie})
    assert (answer.status_code, answer.headers["location"]) == (303, "/"), answer.text
    session, forgotten = answer.headers.get_list("set-cookie")
    assert "SameSite=strict" in session
    assert forgotten.startswith(f'{COOKIE}="";')
    pair = session.partition(";")[0]
    shown = keyed.api("GET", "/v1/session", headers={"cookie": pair}).json()
    assert (shown["kind"], shown["name"], shown["role"]) == ("user", "oidc:Ada", "editor")
    assert shown["galleries"] == ["choir"]
    assert keyed.api("GET", "/v1/galleries/choir", headers={"cookie": pair}).status_code == 503
    assert keyed.api.refused("GET", "/v1/keys", headers={"cookie": pair}) == (403, "forbidden")
    gone = keyed.api("DELETE", "/v1/session", headers={"cookie": pair, "x-csrf-token": shown["csrf_token"]}).json()
    assert gone["provider"].startswith(f"{issuer}/")
    assert keyed.api("GET", "/v1/galleries/choir", headers={"cookie": pair}).status_code == 401
    # The provider takes a code once.
    assert refused(keyed, back, cookie) == (401, "sign_in_refused")


def test_the_audit_log_names_whom_the_provider_knows(keyed: Keyed, monkeypatch: Any) -> None:
    noted: list[tuple[str, str]] = []

    class Noting(Nothing):
        async def ask(self, method: Any, gallery: str, event: Event, by: Origin, result: str = "") -> None:
            noted.append((event.what, by.actor))

    monkeypatch.setattr(keyed.api.app.state.auditor, "_pipeline", Noting())
    keyed.api.app.state.auditor._waiting.clear()  # of other tests
    for who in ("ada", "eve"):
        url, cookie = begin(keyed)
        keyed.api("GET", allow(url, who), headers={"cookie": cookie, "accept": "text/html"})
    asyncio.run(keyed.api.app.state.auditor.flush())
    assert ("signed_in", "user oidc:Ada") in noted
    assert ("sign_in_refused", "http 127.0.0.1") in noted
    assert len([what for what, _ in noted if what == "signed_in"]) == 1


def test_a_group_gives_the_role(keyed: Keyed) -> None:
    url, cookie = begin(keyed)
    answer = keyed.api("GET", allow(url, "grace"), headers={"cookie": cookie})
    pair = answer.headers.get_list("set-cookie")[0].partition(";")[0]
    shown = keyed.api("GET", "/v1/session", headers={"cookie": pair}).json()
    assert (shown["name"], shown["role"], shown["galleries"]) == ("oidc:grace", "admin", None)


def test_who_is_in_no_group_is_refused(keyed: Keyed) -> None:
    for who in ("eve", "somebody new"):
        url, cookie = begin(keyed)
        back = allow(url, who)
        answer = keyed.api("GET", back, headers={"cookie": cookie})
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_refused")
        assert "none of your groups" in answer.json()["detail"]


def test_a_wrong_nonce(keyed: Keyed) -> None:
    url, cookie = begin(keyed)
    answer = keyed.api("GET", allow(url, "ada", nonce="of somebody else"), headers={"cookie": cookie})
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_refused")
    assert "nonce" in answer.json()["detail"]


def test_another_browser_and_another_sign_in(keyed: Keyed) -> None:
    url, cookie = begin(keyed)
    back, (_, other) = allow(url, "ada"), begin(keyed)
    state = parse_qs(urlsplit(back).query)["state"][0]
    for path, kept in (
        (back, ""),
        (back, other),
        (back, cookie[:-1]),
        (back, f"{COOKIE}=e30.00"),
        (back, f"{COOKIE}=é"),
        (back.replace(state, "another"), cookie),
        (f"{CALLBACK}?state={state}", cookie),
        (f"{CALLBACK}?state={state}&error=access_denied", cookie),
        (f"{CALLBACK}?state={state}&code=unknown", cookie),
        (CALLBACK, cookie),
    ):
        assert refused(keyed, path, kept) == (401, "sign_in_refused"), path


def test_a_token_for_another_client(keyed: Keyed, issuer: str, tmp_path: Any) -> None:
    other = server(issuer, tmp_path, client_id="another")
    other.key("admin")
    url, cookie = begin(other)
    back = allow(url, "ada", client_id="facegroup")
    assert refused(other, back, cookie) == (401, "sign_in_refused")
    other.close()


def test_a_provider_that_is_away_or_none(tmp_path: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    away = server(f"http://127.0.0.1:{port}", tmp_path)
    away.key("admin")
    assert refused(away, GO, "") == (503, "provider_unavailable")
    assert away.api("GET", "/v1/session").json()["provider"] == "the choir"
    away.close()


def test_a_server_that_is_no_provider(keyed: Keyed, issuer: str, tmp_path: Any) -> None:
    other = server(f"{issuer}/", tmp_path)  # which calls itself by another address
    wrong = server(f"{issuer}/missing", tmp_path)
    for each in (other, wrong):
        assert refused(each, GO, "") == (503, "provider_unavailable")
        each.close()


def test_a_server_without_a_provider(tmp_path: Any) -> None:
    plain = Keyed(load(store=f"sqlite:///{tmp_path}/g.db", network="retail-0095"))
    for path in (GO, CALLBACK):
        assert refused(plain, path, "") == (404, "no_provider")
    assert plain.api("GET", "/v1/session").json()["ways"] == ["key", "password"]
    plain.close()
