"""Parses addresses that may hold a password, by one rule.

An address is refused if its password could end in more than one place: a part of the password would be looked up as a host
name, and printed. So an `@` after the host is refused: a `/`, `#` or `?` that is not escaped in a password leaves one there.
"""

import re
from urllib.parse import SplitResult, urlsplit

ESCAPED = "In a user or password write @ / # ? : [ ] % as %40 %2F %23 %3F %3A %5B %5D %25"
"""What to do, for a message."""

_BEHIND = re.compile(r"[/?#]")
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+(%[\w.-]+)?")


def ambiguous(text: str) -> bool:
    """Return whether an `@` follows the host, so that a `/`, `?` or `#` before it may belong to the password."""
    _, *behind = _BEHIND.split(text.partition("://")[2], maxsplit=1)
    return any("@" in part for part in behind)


def without_secrets(store: str) -> str:
    """Return a store's address without its secrets: user, password and options."""
    if store.startswith("sqlite:"):
        return store
    scheme, _, rest = store.partition("://")
    return f"{scheme}://…" if ambiguous(store) else f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}"


def parted(text: str) -> SplitResult | None:
    """Return the parts of an address; None if it is invalid or ambiguous.

    The caller checks scheme and host. Python's own error is not passed on, because it quotes the address.
    """
    try:
        parts = urlsplit(text)
        readable = parts.port != 0 and _HOST.fullmatch(parts.hostname or "-") is not None
    except ValueError:
        return None
    return parts if readable and not (parts.netloc and ambiguous(text)) else None
