"""What a grant covers, and which grant is within which."""

import unicodedata
from typing import Any

import pytest

from facegroup.access.types import EVERYBODY, ROLES, SCOPES, STRANGER, Caller, Grant, RateLimits, Scope, cleaned
from facegroup.errors import Forbidden, InvalidName, MalformedRequest

ALL = Grant(frozenset({"admin"}))


def grant(*scopes: Scope, **more: Any) -> Grant:
    return Grant(frozenset(scopes or ("identify",)), **more)


def test_admin_has_every_scope_and_nobody_none() -> None:
    assert all(EVERYBODY.grant.has(scope) for scope in SCOPES)
    assert not any(STRANGER.grant.has(scope) for scope in SCOPES)
    assert grant("identify").has("identify")
    assert grant("identify").has("enrol", "identify")
    assert not grant("identify").has("enrol", "manage")
    assert not grant("identify").has()


def test_roles_are_bundles_of_scopes() -> None:
    assert all(set(scopes) <= set(SCOPES) for scopes in ROLES.values())
    assert set(ROLES["viewer"]) < set(ROLES["editor"])


def test_a_limit_covers_what_it_names_and_nothing_else() -> None:
    limited = grant(galleries=("choir", "Köln"), cameras=("door",))
    assert limited.covers("choir")
    assert limited.covers("Köln")
    assert not limited.covers("choir ")
    assert not limited.covers("Choir")
    assert not limited.covers("choi")
    assert limited.covers_camera("door", "choir")
    assert not limited.covers_camera("door", "other")
    assert not limited.covers_camera("yard", "choir")
    assert ALL.covers("anything")
    assert ALL.covers_camera("any", "thing")


def test_names_are_compared_as_they_are_stored() -> None:
    decomposed = unicodedata.normalize("NFD", "Köln")
    assert decomposed != "Köln"
    made, _ = cleaned(grant(galleries=(f" {decomposed} ", "Köln", "50%")))
    assert made.galleries == ("Köln", "50%")


@pytest.mark.parametrize(
    ("other", "within"),
    [
        (grant("identify"), True),
        (grant("identify", "enrol"), True),
        (grant("identify", galleries=("choir",)), True),
        (grant("manage"), False),
        (grant("admin"), False),
        (grant("identify", expires_at=99.0), True),
    ],
)
def test_scopes_of_a_grant(other: Grant, within: bool) -> None:
    assert grant("identify", "enrol").includes(other) is within
    assert ALL.includes(other)


@pytest.mark.parametrize(
    ("own", "other", "within"),
    [
        ({"galleries": ("a", "b")}, {"galleries": ("b",)}, True),
        ({"galleries": ("a", "b")}, {"galleries": ("b", "c")}, False),
        ({"galleries": ("a", "b")}, {}, False),
        ({"cameras": ("a",)}, {"cameras": ("a",)}, True),
        ({"cameras": ("a",)}, {}, False),
        ({"expires_at": 100.0}, {"expires_at": 100.0}, True),
        ({"expires_at": 100.0}, {"expires_at": 100.1}, False),
        ({"expires_at": 100.0}, {}, False),
        ({"limits": RateLimits(requests=5)}, {"limits": RateLimits(requests=5, photos=1)}, True),
        ({"limits": RateLimits(requests=5)}, {"limits": RateLimits(requests=6)}, False),
        ({"limits": RateLimits(requests=5)}, {}, False),
    ],
)
def test_limits_of_a_grant(own: dict[str, Any], other: dict[str, Any], within: bool) -> None:
    assert grant("admin", **own).includes(grant(**other)) is within


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (Grant(frozenset()), MalformedRequest),
        (Grant(frozenset({"root"})), MalformedRequest),  # type: ignore[arg-type]
        (grant(galleries=()), MalformedRequest),
        (grant(cameras=()), MalformedRequest),
        (grant(galleries=("a/b",)), InvalidName),
        (grant(galleries=("",)), InvalidName),
        (grant(cameras=("Door",)), InvalidName),
        (grant(expires_at=0.0), MalformedRequest),
        (grant(expires_at=float("nan")), MalformedRequest),
        (grant(expires_at=float("inf")), MalformedRequest),
    ],
)
def test_a_grant_that_means_nothing_is_refused(given: Grant, error: type[Exception]) -> None:
    with pytest.raises(error):
        cleaned(given)


@pytest.mark.parametrize("note", ["n" * 201, "two\nlines", "\x1b[31m", "\u202etxt"])
def test_a_note_that_cannot_be_shown_is_refused(note: str) -> None:
    with pytest.raises(MalformedRequest):
        cleaned(grant(), note)


def test_a_refusal_does_not_say_whether_there_is_such_a_thing() -> None:
    caller = Caller("k", "key", "", grant(galleries=("choir",), cameras=("door",)))
    with pytest.raises(Forbidden) as refused:
        caller.require("secret-gallery")
    assert "secret-gallery" not in str(refused.value)
    with pytest.raises(Forbidden):
        caller.require_camera("yard")
    caller.require("choir")
    caller.require_camera("door")
