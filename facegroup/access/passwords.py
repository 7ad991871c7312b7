"""Passwords of users: which may be set, and how they are stored and compared.

A password is stored by argon2id, RFC 9106, with the parameters of its second recommended option (section 4): 3 passes over
64 MiB in 4 lanes. A comparison costs that much memory for about a tenth of a second.
"""

import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from facegroup.errors import WeakPassword

SHORTEST, LONGEST = 12, 1000
"""Characters of a password."""

_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$" + "A" * 22 + "$" + "A" * 43
"""Hash of no password, of the same work: it is compared with where no user has the name that was sent."""


def checked(password: str, name: str = "") -> str:
    """Return a password as it is hashed: normalised to NFC.

    Args:
        password: as it was typed.
        name: of the user, which it must not be.

    Raises:
        WeakPassword: it is too short or too long, or is the name, or holds half of a surrogate pair.
    """
    made = _normal(password)
    if made is None or not SHORTEST <= len(made) <= LONGEST:
        raise WeakPassword(f"a password has {SHORTEST} to {LONGEST:,} characters; several words are a good one")
    if made.casefold() == name.casefold() or len(set(made)) < 3:
        raise WeakPassword("the password is the name or one character; choose several words")
    return made


def hashed(password: str) -> str:
    """Return the hash of a password that is `checked`, with its parameters and a new salt."""
    return _HASHER.hash(password)


def matches(stored: str, password: str) -> bool:
    """Return whether a password is the one of a hash. It takes as long for each hash of the same parameters."""
    made = _normal(password)
    try:
        return made is not None and len(made) <= LONGEST and _HASHER.verify(stored, made)
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(stored: str) -> bool:
    """Return whether a hash has other parameters than those of today."""
    try:
        return _HASHER.check_needs_rehash(stored)
    except InvalidHashError:
        return False


def _normal(password: str) -> str | None:
    # Before normalising: NFC shortens a text threefold at most.
    if len(password) > 4 * LONGEST or any(0xD800 <= ord(each) <= 0xDFFF for each in password):
        return None
    return unicodedata.normalize("NFC", password)
