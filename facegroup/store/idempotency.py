"""Idempotency keys: a write is done once, however often it is sent with the same key.

Kept are the key, a hash of what was asked, and of the answer only ids, places and the version: no name, no hash of a photo
by itself. So a repeated answer has the version of the first, and tells the person as it is now; one who was erased since
is unknown.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from facegroup.errors import IdempotencyConflict, MalformedRequest

SECONDS = 24 * 3600
"""For so long a key is known."""

_KEY = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """Class of the key of one write, with a hash of the request. The same key for another request is a conflict."""

    key: str
    asked: str

    @classmethod
    def of(cls, key: str, *parts: str | bytes) -> Self:
        """Return the key with the hash of what is asked, in its parts. Raises `MalformedRequest` for an odd key."""
        if _KEY.fullmatch(key) is None:
            raise MalformedRequest("An idempotency key must be 1 to 128 printable ASCII characters without spaces.")
        seen = hashlib.sha256(key.encode())
        for part in parts:
            data = part if isinstance(part, bytes) else part.encode("utf-8", "replace")
            seen.update(hashlib.sha256(data).digest())
        return cls(key, seen.hexdigest())


@dataclass(frozen=True, slots=True)
class RecordedResult:
    """Class of what was done under a key.

    Attributes:
        person_id: to whom.
        added: places, in the samples that were sent, of those that were new.
        version: the gallery's version after it.
    """

    person_id: str
    added: tuple[int, ...]
    version: int

    def split(self, ids: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return which of the `ids` sent (again) were added the first time, and which were there before."""
        new = {place for place in self.added if place < len(ids)}
        return tuple(ids[place] for place in sorted(new)), tuple(
            key for place, key in enumerate(ids) if place not in new
        )


def write(once: IdempotencyKey, at: float, person_id: str, added: Sequence[int]) -> str:
    """Return what is kept beside a write."""
    return json.dumps({"asked": once.asked, "at": at, "person": person_id, "added": list(added)})


def read(kept: str | bytes, version: int, once: IdempotencyKey, now: float) -> RecordedResult | None:
    """Return what was done under a key; None where it is too long ago.

    Raises:
        IdempotencyConflict: it was something else.
    """
    values = json.loads(kept)
    if values["at"] < now - SECONDS:
        return None
    if values["asked"] != once.asked:
        raise IdempotencyConflict("This idempotency key was already used for a different request. Use a new key.")
    return RecordedResult(values["person"], tuple(values["added"]), version)
