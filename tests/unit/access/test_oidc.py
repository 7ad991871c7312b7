"""What a provider says is believed only if it holds, and groups give roles and galleries."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from facegroup.access.oidc import Provider, check_token, session_of
from facegroup.access.types import ROLES
from facegroup.errors import InvalidSettings, SignInRefused
from facegroup.settings import Oidc, load

ISSUER, CLIENT, NONCE = "https://login.example.org", "facegroup", "a nonce"
KEY = RSAKey.generate_key(2048, {"kid": "one"})
OTHER = RSAKey.generate_key(2048, {"kid": "one"})
KEYS = KeySet([KEY])


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    right = {"iss": ISSUER, "aud": CLIENT, "sub": "ada", "exp": now + 300, "iat": now, "nonce": NONCE}
    return {name: value for name, value in {**right, **changed}.items() if value is not None}


def token(key: Any = KEY, alg: str = "RS256", **changed: Any) -> str:
    return jwt.encode({"alg": alg, "kid": "one"}, claims(**changed), key, algorithms=[alg])


def check(text: str) -> dict[str, Any]:
    return check_token(text, KEYS, ISSUER, CLIENT, NONCE)


def test_a_token_that_holds() -> None:
    assert check(token())["sub"] == "ada"
    assert check(token(aud=[CLIENT]))["sub"] == "ada"
    assert check(token(aud=[CLIENT, "other"], azp=CLIENT))["sub"] == "ada"
    assert check(token(exp=int(time.time()) - 30))["sub"] == "ada"  # clocks differ a little


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["other"]},
        {"aud": [CLIENT, "other"]},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"aud": None},
        {"azp": "other"},
        {"sub": None},
        {"sub": 5},
        {"exp": 1},
        {"exp": int(time.time()) - 600},
        {"exp": None},
        {"exp": "soon"},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
        {"nonce": "another"},
        {"nonce": ""},
        {"nonce": None},
    ],
)
def test_tokens_whose_claims_do_not_hold(changed: dict[str, Any]) -> None:
    with pytest.raises(SignInRefused):
        check(token(**changed))


def test_tokens_that_the_provider_did_not_sign() -> None:
    told = ".".join(_part(each) for each in ({"alg": "HS256", "kid": "one"}, claims()))
    taken = _encoded(hmac.digest(KEY.as_pem(private=False), told.encode(), "sha256"))  # the public key for a secret
    unsigned = ".".join((_part({"alg": "none"}), _part(claims()), ""))
    head, body, signature = token().split(".")
    for text in (
        token(OTHER),
        f"{told}.{taken}",
        unsigned,
        f"{head}.{body}.",
        f"{head}.{body[:-2]}.{signature}",
        "",
        "x",
        "a.b.c",
        "é.b.c",
        "." * 5,
        "x" * 100_000,
    ):
        with pytest.raises(SignInRefused):
            check(text)


def _part(given: dict[str, Any]) -> str:
    return _encoded(json.dumps(given).encode())


def _encoded(given: bytes) -> str:
    return urlsafe_b64encode(given).decode().rstrip("=")


def settings(**more: Any) -> Oidc:
    return Oidc.model_validate({"issuer": ISSUER, "roles": {"staff": "editor", "board": "admin"}, **more})


def test_the_highest_role_of_all_groups() -> None:
    session = session_of({**claims(), "groups": ["staff", "board", "other"], "preferred_username": "Ada"}, settings())
    assert (session.role, session.name, session.kind) == ("admin", "oidc:Ada", "oidc")
    assert session.grant is not None
    assert (session.grant.scopes, session.grant.galleries) == (frozenset(ROLES["admin"]), None)
    again = session_of({**claims(), "groups": "staff"}, settings())
    assert (again.role, again.subject, again.name) == ("editor", session.subject, "oidc:ada")
    assert session_of({**claims(sub="eve"), "groups": "staff"}, settings()).subject != session.subject


@pytest.mark.parametrize("groups", [None, [], "other", ["STAFF"], 5, {"staff": True}, [["staff"]], [None]])
def test_who_is_in_no_known_group_is_refused(groups: Any) -> None:
    with pytest.raises(SignInRefused, match="none of your groups"):
        session_of({**claims(), "groups": groups}, settings())


def test_galleries_of_groups() -> None:
    wanted = settings(galleries={"staff": ["choir", "band"], "guests": ["band"], "board": ["*"]})
    for groups, galleries in ((["staff", "guests"], ("choir", "band")), (["board", "staff"], None)):
        grant = session_of({**claims(), "groups": groups}, wanted).grant
        assert grant is not None
        assert grant.galleries == galleries
    with pytest.raises(SignInRefused, match="gallery"):
        session_of({**claims(), "groups": ["staff"]}, settings(galleries={"guests": ["band"]}))
    with pytest.raises(SignInRefused, match=r"oidc\.galleries"):
        session_of({**claims(), "groups": ["staff"]}, settings(galleries={"staff": ["a/b"]}))


@pytest.mark.parametrize("name", ["\x1b[31m", "x" * 1000, "", " ", 5, None, "admin"])
def test_a_name_of_a_provider_is_never_that_of_a_user(name: Any) -> None:
    session = session_of({**claims(), "groups": ["staff"], "preferred_username": name}, settings())
    assert session.name.startswith("oidc:")
    assert session.name.isprintable()
    assert len(session.name) < 80


@pytest.mark.parametrize(
    "issuer",
    ["", "login.example.org", "http://login.example.org", "https://", "https://a:b@c", "https://a?b", "ftp://a"],
)
def test_addresses_of_no_provider(issuer: str) -> None:
    with pytest.raises(InvalidSettings):
        load(oidc={"issuer": issuer})
    assert load(oidc={"issuer": "http://localhost:9400"}).oidc.issuer


def test_a_secret_that_cannot_be_read(tmp_path: Any) -> None:
    with pytest.raises(InvalidSettings, match="client_secret_file"):
        Provider(settings(client_secret_file=tmp_path / "missing"))
