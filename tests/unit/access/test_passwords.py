"""Passwords: which may be set, and that a stored one is slow to guess and never in the clear."""

import pytest

from facegroup.access import passwords
from facegroup.errors import WeakPassword

GOOD = "correct horse battery"


def test_a_password_matches_its_hash_only() -> None:
    stored = passwords.hashed(passwords.checked(GOOD))
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")  # RFC 9106, section 4, second option
    assert GOOD not in stored
    assert passwords.hashed(GOOD) != stored
    assert passwords.matches(stored, GOOD)
    for wrong in ("", GOOD + " ", GOOD.upper(), "x" * 5000, "\ud800" + GOOD, stored):
        assert not passwords.matches(stored, wrong)


def test_a_password_is_the_same_however_its_accents_are_typed() -> None:
    stored = passwords.hashed(passwords.checked("un mot de passe préféré"))
    assert passwords.matches(stored, "un mot de passe pre\u0301fe\u0301re\u0301")


@pytest.mark.parametrize(
    "weak", ["", "short", "elevenchars", "é" * 11, "a" * 20, "x" * 1001, "x" * 10_000, "long enough \ud800", " " * 12]
)
def test_weak_passwords(weak: str) -> None:
    with pytest.raises(WeakPassword):
        passwords.checked(weak)


def test_the_name_is_no_password() -> None:
    with pytest.raises(WeakPassword):
        passwords.checked("Ada.Lovelace@Choir", "ada.lovelace@choir")


def test_nobody_has_a_password_of_the_same_work() -> None:
    assert not passwords.matches(passwords.NOBODY, "")
    assert not passwords.is_outdated(passwords.NOBODY)
    assert passwords.NOBODY.split("$")[:4] == passwords.hashed(GOOD).split("$")[:4]


@pytest.mark.parametrize("damaged", ["", "x", "$argon2id$v=19$m=65536,t=3,p=4$", "$2b$12$abc", "\x00"])
def test_a_damaged_hash_matches_nothing(damaged: str) -> None:
    assert not passwords.matches(damaged, GOOD)
    assert not passwords.is_outdated(damaged)


def test_a_hash_of_other_parameters_is_outdated() -> None:
    assert passwords.is_outdated(passwords.hashed(GOOD).replace("t=3", "t=2"))
