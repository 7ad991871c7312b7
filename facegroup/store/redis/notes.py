"""The audit entry and the idempotency key that go with every write of a Redis store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from facegroup.store import audit_chain, idempotency, validation
from facegroup.store.audit import DONE, Entry, Event, Origin, Retention
from facegroup.store.encryption import SecretKeys
from facegroup.store.idempotency import IdempotencyKey, RecordedResult

Head: TypeAlias = tuple[int, bytes]

_HASHES = ("previous", "hash")


@dataclass(frozen=True, slots=True)
class Note:
    """Class of what every write leaves: an audit entry, and the result under its idempotency key.

    Attributes:
        gallery: whose log it is for.
        event: what is done.
        by: who does it.
        once: the key of the request, if it has one.
        added: the places of new samples in what was sent, for the answer to a repeated request.
        keys: that the values of the write are encrypted with.
        result: ``done``, or the code of the error that refused it.
        keep: how long entries are kept.
        head: number and hash of the newest entry, as they were read before; None: not read. Where they still hold, the new
            hash is the one that is computed here, and the script, which is slower at it, need not.
    """

    gallery: str
    event: Event
    by: Origin
    once: IdempotencyKey | None = None
    added: Sequence[int] = ()
    keys: SecretKeys = field(default_factory=SecretKeys)
    result: str = DONE
    keep: Retention = field(default_factory=Retention)
    head: Head | None = None

    def packed(self) -> dict[str, Any]:
        """Return the note as the scripts take it."""
        now, once = validation.now(), self.once
        digest = audit_chain.digest(self.gallery, now, self.event, self.by, self.result)
        return {
            "at": str(now),
            "kept": self.keep.entries,
            "oldest": str(self.keep.oldest(now)),
            "digest": digest,
            "expected": self.head and [self.head[1], audit_chain.link(self.head[1], digest, self.head[0] + 1)],
            "retention": validation.RETENTION,
            "what": self.event.what,
            "person": self.event.person_id or "",
            "detail": self.event.json(),
            "actor": self.by.actor,
            "request": self.by.request,
            "address": self.by.address,
            "result": self.result,
            "seal": seal(self.keys),
            "once": once
            and {
                "key": once.key,
                "oldest": str(now - idempotency.SECONDS),
                "answer": idempotency.write(once, now, self.event.person_id or "", self.added),
            },
        }


def seal(keys: SecretKeys) -> dict[str, str]:
    """Return what every write tells of its keys: the word that it writes under, and the words that it can read."""
    return {"own": keys.own, "known": " ".join(sorted(keys.known))}


def read_head(row: Sequence[bytes | None]) -> Head | None:
    """Return number and hash of the newest entry, as they are kept; None where no chain has begun."""
    number, found = row
    return None if number is None or found is None else (int(number), found)


def read_done(kept: bytes | None, key: IdempotencyKey) -> RecordedResult | None:
    """Return what was done under a key. Raises `IdempotencyConflict`."""
    if kept is None:
        return None
    version, _, answer = kept.partition(b" ")
    return idempotency.read(answer, int(version), key, validation.now())


def read_entry(gallery: str, number: bytes, fields: Sequence[bytes]) -> Entry:
    """Return an entry of the stream, as XRANGE answers it."""
    row: dict[str, Any] = {}
    for key, value in zip(fields[::2], fields[1::2], strict=True):
        name = key.decode(errors="replace")
        row[name] = value if name in _HASHES else value.decode(errors="replace")
    return Entry.read(gallery, number.decode(), row.get("at"), row)
