"""What is so now → retained topics and their payloads; an event → where it is told (the list of topics: `mqtt`)."""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from facegroup.cameras.delivery.presence import Member, Now, Person
from facegroup.cameras.sightings.types import Event, Sighting

KINDS = ("began", "changed", "ended")
_TRACKED = "{{ 'None' if value_json.present is none else value_json.camera or 'not_home' }}"
"""Home Assistant's words for: it is not known, and nowhere. No camera can have one of them as its id."""


class Topics:
    """Names topics and writes payloads.

    Args:
        topic: first part of the topics.
        discovery: prefix of Home Assistant's discovery topics; empty: none.
        pictures: whether a camera has a topic with a face.
    """

    def __init__(self, topic: str, discovery: str, pictures: bool) -> None:
        self._topic = topic
        self._discovery = discovery
        self._pictures = pictures
        self._own = re.sub(r"[^A-Za-z0-9_-]", "_", topic)  # what Home Assistant knows this server's entities by
        self.status = f"{topic}/status"
        self.patterns = [f"{topic}/cameras/+/+", f"{topic}/people/+/+"]
        """Of all that this server may have retained."""
        if discovery:
            self.patterns.append(f"{discovery}/+/+/config")

    def retained(self, now: Now) -> dict[str, bytes]:
        """Return the payload of every topic that is retained now, in the order in which they are published."""
        told: dict[str, bytes] = {}
        for camera, sure in now.cameras.items():
            here = [each for each in now.here if each.camera == camera]
            base = self._camera(camera)
            told |= self._announced(camera)
            if here or sure:  # else nothing is said
                told[f"{base}/occupied"] = b"ON" if here else b"OFF"
                told[f"{base}/people"] = _json(sorted(each.name for each in here))
            if here:
                told[f"{base}/last"] = here[0].name.encode()
            if camera in now.faces:
                told[f"{base}/face"] = now.faces[camera]
            told[f"{base}/status"] = b"online" if sure else b"offline"
        for who, member in now.members.items():
            seen = [each for each in now.here if (each.gallery, each.person_id) == who]
            told |= self._tracked(who, member)
            told[self._person(*who)] = _where(member.name, seen, member.last_seen, lost=who in now.lost)
        for each in now.here:
            if each.unknown is not None:
                seen = [other for other in now.here if (other.gallery, other.unknown) == (each.gallery, each.unknown)]
                told[self._person(each.gallery, each.unknown)] = _where(each.name, seen, None)
        return told

    def sighting(self, event: Event) -> str:
        """Return where every event is told, however late."""
        return f"{self._camera(event.sighting.camera)}/sighting"

    def visit(self, event: Event) -> tuple[str, bytes]:
        """Return where an event is told that happened just now, and what."""
        seen = event.sighting
        parts = ("name", "person_id", "unknown", "gallery", "camera", "visit_id")
        told = {"event_type": event.kind, **{part: getattr(seen, part) for part in parts}, "sighting": seen.id}
        return f"{self._camera(seen.camera)}/visit", _json({**told, "at": event.at})

    def is_discovery(self, topic: str) -> bool:
        """Whether a topic is one by which Home Assistant finds something."""
        return bool(self._discovery) and topic.startswith(f"{self._discovery}/") and topic.endswith("/config")

    def is_ours(self, topic: str, payload: bytes) -> bool:
        """Whether what a broker retains is of this server, of now or of before."""
        if not self.is_discovery(topic):
            return topic.startswith(f"{self._topic}/")
        return topic.split("/")[-2].startswith(f"{self._own}_") and _json(f"{self._topic}/")[:-1] in payload

    def _camera(self, camera: str) -> str:
        return f"{self._topic}/cameras/{_part(camera)}"

    def _person(self, gallery: str, ident: str) -> str:
        return f"{self._topic}/people/{_part(gallery)}/{_part(ident)}"

    def _announced(self, camera: str) -> dict[str, bytes]:
        """Return what tells Home Assistant of a camera."""
        base = self._camera(camera)
        shared = {
            "availability": [{"topic": self.status}, {"topic": f"{base}/status"}],
            "availability_mode": "all",
            "device": {"identifiers": [f"{self._own}_{camera}"], "name": f"facegroup {camera}"},
        }
        state = f"{base}/%s"
        entities: list[tuple[str, str, dict[str, Any]]] = [
            ("sensor", "last", {"name": "last to come", "state_topic": state % "last"}),
            (
                "binary_sensor",
                "occupied",
                {"name": "somebody there", "state_topic": state % "occupied", "device_class": "occupancy"},
            ),
            ("event", "visit", {"name": "visit", "state_topic": state % "visit", "event_types": list(KINDS)}),
        ]
        if self._pictures:
            entities.append(("image", "face", {"name": "face", "image_topic": state % "face"}))
        return dict(self._entities(camera, entities, shared))

    def _tracked(self, who: Person, member: Member) -> dict[str, bytes]:
        """Return what tells Home Assistant of a member."""
        # Its names allow few characters, and two people must not share one.
        own = hashlib.sha256(_json(list(who))).hexdigest()[:16]
        config = {
            "name": member.name,
            "state_topic": self._person(*who),
            "value_template": _TRACKED,
            "json_attributes_topic": self._person(*who),
            "source_type": "router",
        }
        return dict(self._entities(own, [("device_tracker", "person", config)], {"availability_topic": self.status}))

    def _entities(
        self, own: str, entities: list[tuple[str, str, dict[str, Any]]], shared: dict[str, Any]
    ) -> Iterator[tuple[str, bytes]]:
        for kind, what, config in entities if self._discovery else ():
            ident = f"{self._own}_{own}_{what}"
            yield f"{self._discovery}/{kind}/{ident}/config", _json({**config, "unique_id": ident, **shared})


def _where(name: str, seen: list[Sighting], last_seen: float | None, *, lost: bool = False) -> bytes:
    """Return where somebody is, by the sightings that are open: where they came to last, or nowhere."""
    cameras = [each.camera for each in seen]
    present = None if lost and not cameras else bool(cameras)
    told = {"name": name, "present": present, "camera": cameras[0] if cameras else None, "cameras": cameras}
    return _json({**told, "last_seen": None if cameras else last_seen})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _part(name: str) -> str:
    """Return a name as one level of a topic: without what topics are made of."""
    return quote(name, safe=" ") or "_"
