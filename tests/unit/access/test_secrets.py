"""Keys: what one looks like, and what is none."""

from itertools import count

import pytest

from facegroup.access import secrets

MADE = secrets.make()


def test_a_key_is_read_as_it_was_made() -> None:
    assert len(MADE.text) == secrets.LENGTH
    assert secrets.read(MADE.text) == MADE
    assert MADE.text.startswith(MADE.prefix + "_")
    assert len({secrets.make().text for _ in range(100)}) == 100


def test_the_hash_is_not_the_key_and_nothing_shows_the_key() -> None:
    secret = MADE.text[12:]
    assert secret not in MADE.hash
    assert secret not in repr(MADE)
    assert secret not in str(MADE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fg_",
        MADE.text[:-1],
        MADE.text + "a",
        MADE.text + "\n",
        " " + MADE.text,
        MADE.text.replace("fg_", "FG_", 1),
        MADE.text.replace("fg_", "xx_", 1),
        MADE.text[:20] + "\x00" + MADE.text[21:],
        MADE.text[:20] + "é" + MADE.text[21:],
        MADE.text[:20] + "４" + MADE.text[21:],  # a digit, but not one of ASCII
        MADE.text[:20] + "\udcff" + MADE.text[21:],
        MADE.text * 1000,
        "fg_" * 100_000,
    ],
    ids=count(),  # not the keys, which every process of the tests makes for itself
)
def test_other_text_is_no_key(text: str) -> None:
    assert secrets.read(text) is None


def test_hashes_are_compared_whole() -> None:
    assert secrets.same(MADE.hash, MADE.hash)
    assert not secrets.same(MADE.hash, MADE.hash[:-1] + ("0" if MADE.hash[-1] != "0" else "1"))
    assert not secrets.same("", MADE.hash)
    assert not secrets.same("é", MADE.hash)
