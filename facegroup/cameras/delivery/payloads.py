"""Payloads of events: one JSON object, the same for webhooks, MQTT and server-sent events."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from facegroup.cameras.sightings.types import Event, Sighting


@dataclass(frozen=True, slots=True)
class Gap:
    """Events that were erased from the journal before they were delivered to a receiver.

    Attributes:
        first: number of the first event.
        last: number of the last event.
    """

    first: int
    last: int

    @property
    def id(self) -> str:
        """Unique id, like an event's."""
        return f"gap-{self.first}-{self.last}"


def sighting(found: Sighting) -> dict[str, Any]:
    """Return a sighting as receivers and callers see it."""
    shown = asdict(found)
    event = shown.pop("seq")
    shown.pop("patience")
    similarity = None if found.similarity is None else round(found.similarity, 5)
    liveness = None if found.liveness is None else round(found.liveness, 4)
    return {**shown, "similarity": similarity, "liveness": liveness, "event": event}


def event(found: Event) -> dict[str, Any]:
    """Return an event as receivers see it."""
    fields = {"seq": found.seq, "id": found.id, "type": f"sighting.{found.kind}", "at": found.at}
    return {**fields, "sighting": sighting(found.sighting)}


def gap(found: Gap) -> dict[str, Any]:
    """Return a gap as receivers see it."""
    return {"id": found.id, "type": "gap", "from": found.first, "to": found.last}


def body(found: Event | Gap) -> bytes:
    """Return an event, or a gap, as JSON."""
    return json.dumps(gap(found) if isinstance(found, Gap) else event(found), ensure_ascii=False).encode()


def is_blank(found: Event) -> bool:
    """Return whether the person of an event was erased, so that nothing is left to deliver."""
    return not found.sighting.frames
