"""The hash chain of an audit log, so that an entry that was removed, changed, inserted or moved shows.

The content of an entry is its canonical JSON: `gallery`, `at`, `what`, `person_id`, `detail`, `actor`, `request_id`,
`address` and `result`, with sorted keys, in ASCII, without spaces. With the digest D = SHA-256(content), and the number n of
the entry as 8 bytes, big-endian:

    hash(n) = SHA-256(hash(n - 1) ‖ D(n) ‖ n),  hash(0) = 32 zero bytes

The store computes the hash in the step that writes the entry, because only there the entry before it is known. In Redis that
is a Lua script, and Redis gives Lua no hash but SHA-1: `lua/prelude.lua` has SHA-256 over these 72 bytes, whatever an entry
holds. Measured: 66 µs in Redis, beside the 1 ms that a write waits for the disk. A change of a person brings the hash that
follows the head that it read, so that the script need not compute it where that is still the head. The other ways were
refused: SHA-1, because collisions of it are made; writing only if the head is still the same, because each writer of a
gallery would wait for all the others.

Whoever can write to the store can compute a chain anew. They cannot make it lead to a head that was noted elsewhere
(`audit_check.check`, ``heads``).
"""

import hashlib
import json
from dataclasses import dataclass

from facegroup.store.audit import Entry, Event, Origin

GENESIS = bytes(32)
"""The hash before the first entry."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Class of where the entries that are kept begin: the last entry that retention removed.

    Attributes:
        id: of that entry. Before the first removal: of the last entry that an older facegroup wrote, which is in no chain.
        number: of that entry in the chain, and so how many of the chain were removed.
        hash: of that entry, 64 hexadecimal digits.
    """

    id: str = ""
    number: int = 0
    hash: str = GENESIS.hex()


@dataclass(frozen=True, slots=True)
class Chain:
    """Class of where the chain of a log begins and ends.

    Attributes:
        number: of the newest entry, and so how many the chain ever had.
        hash: of the newest entry, 64 hexadecimal digits.
        anchor: where the entries that are kept begin.
    """

    number: int = 0
    hash: str = GENESIS.hex()
    anchor: Anchor = Anchor()

    @property
    def head(self) -> str:
        """What to note elsewhere: number, colon, hash."""
        return f"{self.number}:{self.hash}"


def digest(gallery: str, at: float, event: Event, by: Origin, result: str) -> bytes:
    """Return the SHA-256 of the content of an entry, 32 bytes."""
    content = {
        "gallery": gallery,
        "at": at,
        "what": event.what,
        "person_id": event.person_id or None,
        "detail": event.detail,
        "actor": by.actor,
        "request_id": by.request or None,
        "address": by.address,
        "result": result,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()).digest()


def link(previous: bytes, content: bytes, number: int) -> bytes:
    """Return the hash of an entry, 32 bytes.

    Args:
        previous: hash of the entry before it, 32 bytes.
        content: its `digest`.
        number: its place in the chain, from 1.
    """
    return hashlib.sha256(previous + content + number.to_bytes(8, "big")).digest()


def fits(entry: Entry) -> bool:
    """Whether an entry's hash is the one of its content, its number and the hash before it that it names."""
    try:
        content = digest(entry.gallery, entry.at, entry.event, entry.origin, entry.result)
        return link(bytes.fromhex(entry.previous), content, entry.number).hex() == entry.hash
    except (ValueError, OverflowError):
        return False
