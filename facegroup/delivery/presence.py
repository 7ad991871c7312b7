"""Events in, what is published of them out: who is before each camera, who was last, where everybody is (topics: `mqtt`)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote

from facegroup.delivery import letters
from facegroup.sightings.types import Event, Sighting

Message: TypeAlias = tuple[str, bytes, bool]
"""Topic, payload, whether the broker keeps it for those who come later; an empty payload removes what it kept."""


@dataclass(slots=True)
class _Place:
    """What is so before a camera: who is there, by sighting, and who was seen last."""

    here: dict[str, Sighting] = field(default_factory=dict)
    last: Sighting | None = None


class Presence:
    """Who is where, as far as events were told.

    Args:
        topic: first part of the topics.
        discovery: prefix of Home Assistant's discovery topics; empty: none.
    """

    def __init__(self, topic: str, discovery: str) -> None:
        self._topic = topic
        self._discovery = discovery
        self._places: dict[str, _Place] = {}

    def begin(self, cameras: Iterable[str], latest: Iterable[Sighting], present: Iterable[Sighting]) -> None:
        """Learn what is so before the first event: the cameras, their latest sightings, newest first, and who is there."""
        self._places = {camera: _Place() for camera in cameras}
        for each in latest:
            place = self._places.setdefault(each.camera, _Place())
            place.last = place.last or each
        for each in present:
            self._places.setdefault(each.camera, _Place()).here[each.id] = each

    def told(self, event: Event) -> list[Message]:
        """Return what to publish of an event."""
        seen = event.sighting
        new = seen.camera not in self._places
        place = self._places.setdefault(seen.camera, _Place())
        before = place.here.pop(seen.id, None)
        if event.kind != "ended":
            place.here[seen.id] = seen
        place.last = seen
        messages = self._announced(seen.camera) if new else []
        messages += [(f"{self._camera(seen.camera)}/sighting", letters.body(event), False), *self._state(seen.camera)]
        if before is not None and _whose(before) != _whose(seen):  # it was somebody else, after all
            messages.append((self._person(*_whose(before)), b"", True))
        where = {"camera": seen.camera, "present": event.kind != "ended", "last_seen": seen.last_seen}
        return [*messages, (self._person(*_whose(seen)), _json({"name": seen.name, **where}), True)]

    def all(self) -> list[Message]:
        """Return what is so before every camera: for a broker that may have lost it, or a Home Assistant that has."""
        return [message for camera in self._places for message in (*self._announced(camera), *self._state(camera))]

    def without(self, gallery: str, ident: str | None) -> list[Message]:
        """Forget somebody who was erased, or everybody of a gallery; return what to publish for it."""

        def concerns(seen: Sighting | None) -> bool:
            return seen is not None and seen.gallery == gallery and ident in (None, _whose(seen)[1])

        messages: list[Message] = [] if ident is None else [(self._person(gallery, ident), b"", True)]
        for camera, place in self._places.items():
            if concerns(place.last) or any(map(concerns, place.here.values())):
                place.here = {key: seen for key, seen in place.here.items() if not concerns(seen)}
                place.last = None if concerns(place.last) else place.last
                messages += self._state(camera)
        return messages

    def without_camera(self, camera: str) -> list[Message]:
        """Forget a camera that was removed; return what to publish for it."""
        self._places.pop(camera, None)
        topics = [f"{self._camera(camera)}/{what}" for what in ("last", "people", "occupied")]
        return [(topic, b"", True) for topic in (*topics, *(topic for topic, _, _ in self._announced(camera)))]

    def people_of(self, gallery: str) -> str:
        """Return the topics of all people of a gallery."""
        return f"{self._topic}/people/{_part(gallery)}/+"

    def _camera(self, camera: str) -> str:
        return f"{self._topic}/cameras/{_part(camera)}"

    def _person(self, gallery: str, ident: str) -> str:
        return f"{self._topic}/people/{_part(gallery)}/{_part(ident)}"

    def _state(self, camera: str) -> list[Message]:
        place, base = self._places[camera], self._camera(camera)
        return [
            (f"{base}/last", b"" if place.last is None else place.last.name.encode(), True),
            (f"{base}/people", _json(sorted(seen.name for seen in place.here.values())), True),
            (f"{base}/occupied", b"ON" if place.here else b"OFF", True),
        ]

    def _announced(self, camera: str) -> list[Message]:
        """Return what tells Home Assistant of a camera."""
        if not self._discovery:
            return []
        name, base = _part(camera), self._camera(camera)
        shared: dict[str, Any] = {
            "availability_topic": f"{self._topic}/status",
            "device": {"identifiers": [f"facegroup_{camera}"], "name": f"facegroup {camera}"},
        }
        last = {"name": "last person", "unique_id": f"facegroup_{camera}_last", "state_topic": f"{base}/last", **shared}
        occupied = {
            "name": "somebody there",
            "unique_id": f"facegroup_{camera}_occupied",
            "state_topic": f"{base}/occupied",
            "device_class": "occupancy",
            "json_attributes_topic": f"{base}/sighting",
            **shared,
        }
        kinds = (("sensor", "last", last), ("binary_sensor", "occupied", occupied))
        return [
            (f"{self._discovery}/{kind}/facegroup_{name}_{what}/config", _json(config), True)
            for kind, what, config in kinds
        ]


def _whose(seen: Sighting) -> tuple[str, str]:
    return seen.gallery, seen.person_id or seen.unknown or ""


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _part(name: str) -> str:
    """Return a name as one level of a topic: without what topics are made of."""
    return quote(name, safe=" ") or "_"
