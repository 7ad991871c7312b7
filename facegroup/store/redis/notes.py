"""What every write of a Redis store takes along: its audit entry and its idempotency key, for the end of a script's ARGV."""

from collections.abc import Sequence
from dataclasses import dataclass

from facegroup.store import idempotency as once
from facegroup.store import validation
from facegroup.store.audit import KEPT, Entry, Event, Origin
from facegroup.store.idempotency import IdempotencyKey, RecordedResult


@dataclass(frozen=True, slots=True)
class Note:
    """What is noted of a step, in the step.

    Attributes:
        event: what is done.
        by: who does it.
        once: the key of the request, if it has one.
        added: the places of new samples in what was sent, for the answer to a repeated request.
    """

    event: Event
    by: Origin
    once: IdempotencyKey | None = None
    added: Sequence[int] = ()

    def args(self) -> list[str | float]:
        """Return the arguments that `redis_scripts` take off the end, the last one first."""
        now = validation.now()
        person = self.event.person_id or ""
        kept = once.write(self.once, now, person, self.added) if self.once else ""
        return [
            *(kept, self.once.key if self.once else "", now - once.SECONDS),
            *(now, KEPT, self.by.request, self.by.actor, self.event.json(), person, self.event.what),
        ]


def read_done(kept: bytes | None, key: IdempotencyKey) -> RecordedResult | None:
    """Return what was done under a key. Raises `IdempotencyConflict`."""
    if kept is None:
        return None
    version, _, answer = kept.partition(b" ")
    return once.read(answer, int(version), key, validation.now())


def read_entry(gallery: str, number: bytes, fields: Sequence[bytes]) -> Entry:
    """Return an entry of the stream, as XRANGE answers it."""
    row = {name.decode(): value.decode() for name, value in zip(fields[::2], fields[1::2], strict=True)}
    return Entry.read(gallery, number.decode(), float(row["at"]), row)
