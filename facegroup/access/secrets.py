"""Makes API keys, and tells one from another.

A key is ``fg_``, eight letters and digits that may be shown, ``_``, and 32 random bytes in base64url. Of a key its SHA-256
is stored. Slow hashes such as argon2 protect what people think up, which can be guessed: 256 random bits cannot be, however
fast the hash is, and a slow one would cost every request its time.
"""

import hmac
import re
import secrets
import string
from dataclasses import dataclass
from hashlib import sha256

_LETTERS = string.ascii_letters + string.digits
_KEY = re.compile(r"(?P<prefix>fg_[A-Za-z0-9]{8})_[A-Za-z0-9_-]{43}", re.ASCII)
LENGTH = 55
"""Characters of a key."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Class of a key that was just made, or sent.

    Attributes:
        text: the whole key; whoever has it may use it.
        prefix: the part of it that may be shown.
        hash: what is stored of it.
    """

    text: str
    prefix: str
    hash: str

    def __repr__(self) -> str:
        return f"Secret({self.prefix}_…)"


def make() -> Secret:
    """Return a new key."""
    prefix = "fg_" + "".join(secrets.choice(_LETTERS) for _ in range(8))
    made = read(f"{prefix}_{secrets.token_urlsafe(32)}")
    assert made is not None
    return made


def read(text: str) -> Secret | None:
    """Return the key that a text is; None if it cannot be one."""
    found = _KEY.fullmatch(text) if len(text) == LENGTH else None
    return None if found is None else Secret(text, found["prefix"], sha256(text.encode("ascii")).hexdigest())


def same(hashed: str, other: str) -> bool:
    """Return whether two hashes are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(hashed.encode("utf-8", "replace"), other.encode("utf-8", "replace"))
