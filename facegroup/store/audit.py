"""The audit log: who did what to whom, and when. Every write appends its entry in the same step.

An entry holds ids, counts and settings: no name of a person, no metadata, nothing biometric. It outlives the person and
the gallery that it is about; only the oldest go, as `Retention` says. Each gallery has a log of its own, and so has the
server, under the name "": what belongs to no gallery, such as sign-ins, keys, cameras and refusals. The entries of a log
are a hash chain (`facegroup.store.audit_chain`).
"""

import json
import math
from dataclasses import dataclass, field
from typing import Any, Self

from facegroup.settings import Audit

KEPT = 100_000
"""How many entries are kept of each log, unless `Retention` says otherwise."""

SERVER = ""
"""The name of the server's own log."""

DONE = "done"
"""The result of what was not refused."""

DAMAGED = "damaged"
"""What and result of an entry that cannot be read."""

_LONGEST = 100  # characters of who
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Origin:
    """Class of the caller of a write.

    Attributes:
        actor: ``key`` and its id, ``user`` and the name, ``http`` and the client's address where a server asks for neither,
            ``cli``, ``sweep``, ``server``, or ``library``.
        request: the request's id, where there is one.
        address: of the client, where there is one.
    """

    actor: str
    request: str = ""
    address: str = ""

    def __post_init__(self) -> None:
        for name in ("actor", "request", "address"):
            text = str(getattr(self, name)).encode("utf-8", "replace").decode()[:_LONGEST]
            object.__setattr__(self, name, text)


@dataclass(frozen=True, slots=True)
class Event:
    """Class of what a write tells the audit log. The store adds who and when.

    Attributes:
        what: one word: created, changed, erased (of galleries and people), enrolled, renamed, merged, expired …
        person_id: whom it was done to; None for the gallery itself.
        detail: counts, settings and ids.
    """

    what: str
    person_id: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    def json(self) -> str:
        """Return the detail as it is kept."""
        return json.dumps(self.detail, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Entry:
    """Class of one entry of the audit log.

    Attributes:
        id: its place in the gallery's log: the cursor of what follows.
        at: seconds since the epoch.
        gallery: the gallery's name; "" for the server's own log.
        event: what was done.
        origin: who did it.
        result: ``done``, or the code of the error that refused it.
        number: its place in the chain, from 1; 0 where an older facegroup wrote it, which had no chain.
        previous: hash of the entry before it, 64 hexadecimal digits; "" where it is not in the chain.
        hash: of this entry.
    """

    id: str
    at: float
    gallery: str
    event: Event
    origin: Origin
    result: str = DONE
    number: int = 0
    previous: str = ""
    hash: str = ""

    @classmethod
    def read(cls, gallery: str, number: str, at: Any, row: dict[str, Any]) -> Self:
        """Return an entry of a row as it is kept; `person` is "" for none. Rows of before the chain lack its columns.

        One that cannot be read is `DAMAGED` and not in the chain, so that it shows, and hides no other.
        """
        try:
            detail, at = json.loads(row["detail"], parse_constant=_refuse), float(at)
            words = [row["what"], row["actor"], row["request"], row.get("address", ""), row.get("result", DONE)]
            place = int(row.get("number", 0))
            if not (isinstance(detail, dict) and math.isfinite(at) and 0 <= place < 1 << 53):
                raise ValueError
            what, actor, request, address, result = map(_text, words)
            event, origin = Event(what, _text(row["person"]) or None, detail), Origin(actor, request, address)
            hashes = (bytes(row.get(name, b"")).hex() for name in ("previous", "hash"))
            return cls(number, at, gallery, event, origin, result, place, *hashes)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return cls(number, 0.0, gallery, Event(DAMAGED), Origin("unknown"), DAMAGED)


def _text(found: object) -> str:
    if not isinstance(found, str):
        raise TypeError
    return found


def _refuse(constant: str) -> float:
    raise ValueError(constant)


@dataclass(frozen=True, slots=True)
class Retention:
    """Class of how long entries are kept. The oldest of a log go, as long as one of the two limits is passed.

    Attributes:
        days: how long; 0: without a limit.
        entries: how many of each log.
    """

    days: float = 365.0
    entries: int = KEPT

    @classmethod
    def of(cls, settings: Audit) -> Self:
        """Return what settings say."""
        return cls(settings.keep_days, settings.entries)

    def oldest(self, now: float) -> float:
        """Return the time before which entries go."""
        return now - self.days * _DAY if self.days else 0.0
