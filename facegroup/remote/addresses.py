"""Text → an address in parts, or nothing: one rule for every address that may hold a password.

Where it cannot be told what belongs to the password, nothing is guessed: a piece of it would be looked up as a host's name,
and shown. So an `@` behind the host is refused, for whoever does not escape a `/`, `#` or `?` in a password has one there.
"""

import re
from urllib.parse import SplitResult, urlsplit

ESCAPED = "In a user or password write @ / # ? : [ ] % as %40 %2F %23 %3F %3A %5B %5D %25"
"""What to do, for a message."""

_BEHIND = re.compile(r"[/?#]")
_HOST = re.compile(r"[\w.-]+|[0-9A-Fa-f:.]+(%[\w.-]+)?")


def ambiguous(text: str) -> bool:
    """Whether an `@` stands behind what is the host, unless a `/`, `?` or `#` before it belongs to the password."""
    _, *behind = _BEHIND.split(text.partition("://")[2], maxsplit=1)
    return any("@" in part for part in behind)


def parted(text: str) -> SplitResult | None:
    """Return an address in parts; None where it cannot be read, or not in one way only.

    A scheme and a host are the caller's to ask for. The error of Python is not passed on: it quotes the address.
    """
    try:
        parts = urlsplit(text)
        readable = parts.port != 0 and _HOST.fullmatch(parts.hostname or "-") is not None
    except ValueError:
        return None
    return parts if readable and not (parts.netloc and ambiguous(text)) else None
