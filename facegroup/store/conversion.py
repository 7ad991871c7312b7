"""Encrypts what a store holds with the first key of the settings, beside servers that read and write it.

The words of a store (`facegroup.store.encryption`) are marked, every value is looked at, and the words that still bear the
mark go. Each value is replaced by itself, if it is still the same. So a run may end at any point, and the next goes on.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from facegroup.store.encryption import SecretKeys, held_by

TURNS = 3
"""How often all values are looked at while others go on to write under another key."""


@dataclass(frozen=True, slots=True)
class Converted:
    """Class of what became of a store's values.

    Attributes:
        values: how many were encrypted, or decrypted.
        unreadable: how many were left as they are, because they cannot be decrypted.
        complete: whether all others are under the first key now, and nobody writes under another.
    """

    values: int = 0
    unreadable: int = 0
    complete: bool = True

    def __add__(self, other: "Converted") -> "Converted":
        return Converted(
            self.values + other.values, self.unreadable + other.unreadable, self.complete and other.complete
        )


class Converts(Protocol):
    """Class of a store that can encrypt what it holds."""

    def rows(self) -> int:
        """Return how many rows or values there are to look at. May raise `KeyMissing`, as `convert` does."""

    def convert(self, tell: Callable[[int], None] = lambda _: None) -> Converted:
        """Encrypt all values with the first key, beside others who read and write; `tell`: how many were looked at.

        Raises:
            KeyMissing: a value may be under a key that is not there.
            StoreUnavailable: the store does not answer. What was done stays done.
        """

    def clean(self) -> None:
        """Remove what the database still holds of values that were replaced."""

    def holds_plain(self) -> bool:
        """Whether a value may be plain."""

    def close(self) -> None:
        """Close it."""


def turn(
    keys: SecretKeys, set_words: Callable[[Callable[[str], str]], str], look: Callable[[], Converted]
) -> Converted:
    """Return what one look at all values did.

    Args:
        keys: that encrypt.
        set_words: changes the words that are kept, in one step, and returns them.
        look: replaces all values that are not under the first key.
    """
    mark = secrets.token_hex(4)
    set_words(lambda words: keys.marked(words, mark))
    done = look()
    words = set_words(lambda words: keys.swept(words, mark))
    return done + Converted(complete=held_by(words) == {keys.own})


def until_complete(turn: Callable[[], Converted]) -> Converted:
    """Return what some turns did, one after the other until one is complete."""
    done = turn()
    for _ in range(TURNS - 1):
        if done.complete:
            break
        again = turn()
        done = Converted(done.values + again.values, again.unreadable, again.complete)
    return done
