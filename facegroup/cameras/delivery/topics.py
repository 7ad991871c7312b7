"""Topics and payloads of MQTT; `mqtt` lists the topics."""

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
"""Home Assistant's states for unknown and for nowhere. No camera can have one of them as its id."""


class Topics:
    """Names topics and writes payloads.

    Args:
        topic: first level of the topics.
        discovery: prefix of Home Assistant's discovery topics; empty: no discovery.
        pictures: whether a camera has a topic with a face.
    """

    def __init__(self, topic: str, discovery: str, pictures: bool) -> None:
        self._topic = topic
        self._discovery = discovery
        self._pictures = pictures
        self._own = re.sub(r"[^A-Za-z0-9_-]", "_", topic)  # prefix of this server's entities in Home Assistant
        self.status = f"{topic}/status"
        self.patterns = [f"{topic}/cameras/+/+", f"{topic}/people/+/+"]
        """Match all that this server may have retained."""
        if discovery:
            self.patterns.append(f"{discovery}/+/+/config")

    def retained(self, now: Now) -> dict[str, bytes]:
        """Return the payload of every topic that is retained now, in the order in which they are published."""
        retained: dict[str, bytes] = {}
        for camera, sure in now.cameras.items():
            here = [each for each in now.here if each.camera == camera]
            base = self._camera(camera)
            retained |= self._camera_entities(camera)
            if here or sure:  # else it is not known
                retained[f"{base}/occupied"] = b"ON" if here else b"OFF"
                retained[f"{base}/people"] = _json(sorted(each.name for each in here))
            if here:
                retained[f"{base}/last"] = here[0].name.encode()
            if camera in now.faces:
                retained[f"{base}/face"] = now.faces[camera]
            retained[f"{base}/status"] = b"online" if sure else b"offline"
        for who, member in now.members.items():
            seen = [each for each in now.here if (each.gallery, each.person_id) == who]
            retained |= self._member_entities(who, member)
            retained[self._person(*who)] = _place(member.name, seen, member.last_seen, lost=who in now.lost)
        for each in now.here:
            if each.unknown is not None:
                seen = [other for other in now.here if (other.gallery, other.unknown) == (each.gallery, each.unknown)]
                retained[self._person(each.gallery, each.unknown)] = _place(each.name, seen, None)
        return retained

    def sighting(self, event: Event) -> str:
        """Return the topic of every event, however late."""
        return f"{self._camera(event.sighting.camera)}/sighting"

    def visit(self, event: Event) -> tuple[str, bytes]:
        """Return the topic and payload of an event that just happened."""
        seen = event.sighting
        parts = ("name", "person_id", "unknown", "gallery", "camera", "visit_id")
        fields = {"event_type": event.kind, **{part: getattr(seen, part) for part in parts}, "sighting": seen.id}
        return f"{self._camera(seen.camera)}/visit", _json({**fields, "at": event.at})

    def is_discovery(self, topic: str) -> bool:
        """Return whether a topic is a discovery topic of Home Assistant."""
        return bool(self._discovery) and topic.startswith(f"{self._discovery}/") and topic.endswith("/config")

    def is_ours(self, topic: str, payload: bytes) -> bool:
        """Return whether a retained message is of this server, from now or from before."""
        if not self.is_discovery(topic):
            return topic.startswith(f"{self._topic}/")
        return topic.split("/")[-2].startswith(f"{self._own}_") and _json(f"{self._topic}/")[:-1] in payload

    def _camera(self, camera: str) -> str:
        return f"{self._topic}/cameras/{_part(camera)}"

    def _person(self, gallery: str, ident: str) -> str:
        return f"{self._topic}/people/{_part(gallery)}/{_part(ident)}"

    def _camera_entities(self, camera: str) -> dict[str, bytes]:
        """Return the discovery messages of a camera."""
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

    def _member_entities(self, who: Person, member: Member) -> dict[str, bytes]:
        """Return the discovery messages of a member."""
        # Home Assistant's ids allow few characters, and two people must not share one.
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


def _place(name: str, seen: list[Sighting], last_seen: float | None, *, lost: bool = False) -> bytes:
    """Return where somebody is, by their open sightings: the latest, or nowhere."""
    cameras = [each.camera for each in seen]
    present = None if lost and not cameras else bool(cameras)
    place = {"name": name, "present": present, "camera": cameras[0] if cameras else None, "cameras": cameras}
    return _json({**place, "last_seen": None if cameras else last_seen})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _part(name: str) -> str:
    """Return a name as one level of a topic, without separators and wildcards."""
    return quote(name, safe=" ") or "_"
