"""The audit log: who did what to whom, and when. Every write appends its entry in the same step.

An entry holds ids, counts and settings: no name of a person, no metadata, nothing biometric. It outlives the person and
the gallery that it is about; only the oldest go, beyond `KEPT`.
"""

import json
from dataclasses import dataclass, field
from typing import Any, Self

KEPT = 100_000
"""How many entries are kept: of each gallery in Redis (a few more, since it trims by blocks), of the file in SQLite."""

_LONGEST = 100  # characters of who


@dataclass(frozen=True, slots=True)
class Origin:
    """Class of the caller of a write.

    Attributes:
        actor: ``http`` and the client's address, ``cli``, ``sweep``, or ``library``.
        request: the request's id, where there is one.
    """

    actor: str
    request: str = ""

    def __post_init__(self) -> None:
        for name in ("actor", "request"):
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
        gallery: the gallery's name.
        event: what was done.
        origin: who did it.
    """

    id: str
    at: float
    gallery: str
    event: Event
    origin: Origin

    @classmethod
    def read(cls, gallery: str, number: str, at: float, row: dict[str, str]) -> Self:
        """Return an entry of what is kept: what, person ("" for none), detail, actor, request."""
        event = Event(row["what"], row["person"] or None, json.loads(row["detail"]))
        return cls(number, at, gallery, event, Origin(row["actor"], row["request"]))
