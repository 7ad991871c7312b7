"""Events → an MQTT broker: told once more per event, at least once (QoS 1), and what is so now, retained.

    facegroup/status                           online, offline: the broker says so itself when we are gone
    facegroup/cameras/CAMERA/sighting          every event, as JSON
    facegroup/cameras/CAMERA/last              name of whom it saw last; retained
    facegroup/cameras/CAMERA/people            names of who is there now, as JSON; retained
    facegroup/cameras/CAMERA/occupied          ON, OFF; retained
    facegroup/people/GALLERY/PERSON            where they are or were seen last, as JSON; retained

Home Assistant finds a sensor and a binary sensor for each camera by its discovery topics.
"""

import json
import logging
import threading
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from facegroup.delivery import letters
from facegroup.errors import InvalidSettings
from facegroup.settings import Cameras
from facegroup.sightings.types import Event, Sighting

log = logging.getLogger(__name__)

WAIT_SECONDS = 10.0
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Broker:
    """A connection to a broker, made again whenever it is lost. Methods block.

    Args:
        settings: with the broker's address.

    Raises:
        InvalidSettings: the address cannot be read.
    """

    def __init__(self, settings: Cameras) -> None:
        assert settings.mqtt is not None
        parts = urlsplit(settings.mqtt.get_secret_value())
        try:
            port = parts.port or _PORTS[parts.scheme]
            if not parts.hostname:
                raise ValueError
        except (KeyError, ValueError):
            raise InvalidSettings(
                "FACEGROUP_CAMERAS__MQTT must be mqtt://user:password@host:1883, or mqtts://"
            ) from None
        self.where = f"{parts.hostname}:{port}"
        self._topic = settings.mqtt_topic.strip("/")
        self._discovery = settings.mqtt_discovery.strip("/")
        self._connected = threading.Event()
        self._refused = ""
        self._announced: set[str] = set()
        self._here: dict[str, dict[str, str]] = {}  # camera → sighting → name
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(20)
        if parts.username is not None:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        if parts.scheme == "mqtts":
            self._client.tls_set()
        self._client.will_set(f"{self._topic}/status", "offline", qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 60)
        self._client.connect_async(parts.hostname, port, keepalive=30)
        self._client.loop_start()

    def begin(self, present: Iterable[Sighting]) -> None:
        """Learn who is in front of which camera, before the first event."""
        for each in present:
            self._here.setdefault(each.camera, {})[each.id] = each.name

    def tell(self, event: Event) -> str | None:
        """Publish an event and what follows from it; return what went wrong, None when the broker has it all."""
        if not self._connected.wait(WAIT_SECONDS):
            return self._refused or f"the broker at {self.where} does not answer"
        seen = event.sighting
        here = self._here.setdefault(seen.camera, {})
        if event.kind == "ended":
            here.pop(seen.id, None)
        else:
            here[seen.id] = seen.name
        camera = f"{self._topic}/cameras/{_part(seen.camera)}"
        self._announce(seen.camera)
        person = f"{self._topic}/people/{_part(seen.gallery)}/{_part(seen.person_id or seen.unknown or '')}"
        where = {
            "name": seen.name,
            "camera": seen.camera,
            "present": event.kind != "ended",
            "last_seen": seen.last_seen,
        }
        told = [
            (f"{camera}/sighting", letters.body(event), False),
            (f"{camera}/last", seen.name.encode(), True),
            (f"{camera}/people", json.dumps(sorted(here.values()), ensure_ascii=False).encode(), True),
            (f"{camera}/occupied", b"ON" if here else b"OFF", True),
            (person, json.dumps(where, ensure_ascii=False).encode(), True),
        ]
        return self._publish(told)

    def forget(self, gallery: str, ident: str) -> None:
        """Remove what is retained of somebody who was erased."""
        self._client.publish(f"{self._topic}/people/{_part(gallery)}/{_part(ident)}", b"", qos=1, retain=True)

    def close(self) -> None:
        """Say goodbye."""
        if self._connected.is_set():
            self._publish([(f"{self._topic}/status", b"offline", True)])
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, told: list[tuple[str, bytes, bool]]) -> str | None:
        sent = [self._client.publish(topic, payload, qos=1, retain=retain) for topic, payload, retain in told]
        for each in sent:
            try:
                each.wait_for_publish(WAIT_SECONDS)
            except (RuntimeError, ValueError):
                return f"the connection to the broker at {self.where} was lost"
            if not each.is_published():
                return f"the broker at {self.where} did not take it in {WAIT_SECONDS:g} seconds"
        return None

    def _announce(self, camera: str) -> None:
        """Tell Home Assistant of a camera, once a connection."""
        if not self._discovery or camera in self._announced:
            return
        self._announced.add(camera)
        name, base = _part(camera), f"{self._topic}/cameras/{_part(camera)}"
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
        for kind, what, config in (("sensor", "last", last), ("binary_sensor", "occupied", occupied)):
            topic = f"{self._discovery}/{kind}/facegroup_{name}_{what}/config"
            self._client.publish(topic, json.dumps(config), qos=1, retain=True)

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refused = f"the broker at {self.where} refused us: {reason}"
            return
        self._refused = ""
        self._announced.clear()
        client.publish(f"{self._topic}/status", b"online", qos=1, retain=True)
        if self._discovery:
            client.subscribe(f"{self._discovery}/status", qos=1)
        self._connected.set()

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        self._connected.clear()
        if reason != MQTTErrorCode.MQTT_ERR_SUCCESS:
            log.warning("the broker at %s is away: %s", self.where, reason)

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        if message.payload == b"online":  # Home Assistant started, and has forgotten
            self._announced.clear()
            for camera in list(self._here):
                self._announce(camera)


def _part(name: str) -> str:
    """Return a name as one level of a topic: without what topics are made of."""
    return quote(name, safe=" ") or "_"
