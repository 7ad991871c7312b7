"""Events → what receivers read: one JSON object, the same for webhooks, MQTT and server-sent events."""

import json
from dataclasses import asdict
from typing import Any

from facegroup.sightings.types import Event, Sighting


def sighting(found: Sighting) -> dict[str, Any]:
    """Return a sighting as receivers and callers see it."""
    shown = asdict(found)
    event = shown.pop("seq")
    similarity = None if found.similarity is None else round(found.similarity, 5)
    return {**shown, "similarity": similarity, "event": event}


def event(found: Event) -> dict[str, Any]:
    """Return an event as receivers see it."""
    told = {"seq": found.seq, "id": found.id, "type": f"sighting.{found.kind}", "at": found.at}
    return {**told, "sighting": sighting(found.sighting)}


def body(found: Event) -> bytes:
    """Return an event as JSON."""
    return json.dumps(event(found), ensure_ascii=False).encode()


def is_blank(found: Event) -> bool:
    """Whether the person whom it told of was erased: nothing is left to tell."""
    return not found.sighting.frames
