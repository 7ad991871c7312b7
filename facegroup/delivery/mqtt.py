"""Events → an MQTT broker: told once more per event, at least once (QoS 1), and what is so now, retained.

    facegroup/status                           online, offline: the broker says so itself when we are gone
    facegroup/cameras/CAMERA/sighting          every event, as JSON
    facegroup/cameras/CAMERA/last              name of whom it saw last; retained
    facegroup/cameras/CAMERA/people            names of who is there now, as JSON; retained
    facegroup/cameras/CAMERA/occupied          ON, OFF; retained
    facegroup/people/GALLERY/PERSON            where they are or were seen last, as JSON; retained

Home Assistant finds a sensor and a binary sensor for each camera by its discovery topics.
"""

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from facegroup.delivery.presence import Message, Presence
from facegroup.errors import InvalidSettings
from facegroup.settings import Cameras
from facegroup.sightings.types import Event, Sighting

log = logging.getLogger(__name__)

WAIT_SECONDS = 10.0
_AGAIN_SECONDS = 60
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Broker:
    """A connection to a broker, made again whenever it is lost. `tell` and `close` block.

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
        self._presence = Presence(self._topic, self._discovery)
        self._connected = threading.Event()
        self._refused = ""
        self._erased: set[str] = set()  # galleries
        self._lock = threading.RLock()  # what is published last is what is so
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
        self._client.reconnect_delay_set(1, _AGAIN_SECONDS)
        self._client.connect_async(parts.hostname, port, keepalive=30)
        self._client.loop_start()

    def begin(self, cameras: Iterable[str], latest: Iterable[Sighting], present: Iterable[Sighting]) -> None:
        """Learn what is so before the first event; see `Presence.begin`."""
        with self._lock:
            self._presence.begin(cameras, latest, present)
            if self._connected.is_set():
                self._publish(self._presence.all())

    def tell(self, event: Event) -> str | None:
        """Publish an event and what follows from it; return what went wrong, None when the broker has it all."""
        if not self._connected.wait(WAIT_SECONDS):
            return self._refused or f"the broker at {self.where} does not answer"
        with self._lock:
            sent = self._publish(self._presence.told(event))
        return self._wait(sent)

    def forget(self, gallery: str, ident: str | None) -> None:
        """Remove what is retained of somebody who was erased, or of everybody of a gallery."""
        with self._lock:
            self._publish(self._presence.without(gallery, ident))
            if ident is None:
                self._erased.add(gallery)
                self._erase()

    def camera_gone(self, camera: str) -> None:
        """Remove what is retained of a camera."""
        with self._lock:
            self._publish(self._presence.without_camera(camera))

    def close(self) -> None:
        """Say goodbye."""
        if self._connected.is_set():
            self._wait(self._publish([(f"{self._topic}/status", b"offline", True)]))
        self._client.disconnect()
        self._client.loop_stop()

    def _publish(self, told: Sequence[Message]) -> list[paho.MQTTMessageInfo]:
        return [self._client.publish(topic, payload, qos=1, retain=retain) for topic, payload, retain in told]

    def _wait(self, sent: Sequence[paho.MQTTMessageInfo]) -> str | None:
        end = time.monotonic() + WAIT_SECONDS
        for each in sent:
            try:
                each.wait_for_publish(max(0.0, end - time.monotonic()))
            except (RuntimeError, ValueError):
                return f"the connection to the broker at {self.where} was lost"
            if not each.is_published():
                return f"the broker at {self.where} did not take it in {WAIT_SECONDS:g} seconds"
        return None

    def _erase(self) -> None:
        """Have the broker say what it retains of people of erased galleries; `_on_message` removes it."""
        for gallery in self._erased:
            self._client.subscribe(self._presence.people_of(gallery), qos=1)

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refused = f"the broker at {self.where} refused us: {reason}"
            return
        with self._lock:
            self._refused = ""
            self._publish([(f"{self._topic}/status", b"online", True)])
            if self._discovery:
                client.subscribe(f"{self._discovery}/status", qos=1)
            self._erase()
            self._publish(self._presence.all())
            self._connected.set()

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if self._connected.is_set() and reason.is_failure:
            log.warning("the broker at %s is away: %s", self.where, reason)
        self._connected.clear()

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        with self._lock:
            if message.topic.startswith(f"{self._topic}/people/"):
                if message.retain and message.payload:
                    self._publish([(message.topic, b"", True)])
            elif message.payload == b"online":  # Home Assistant started, and has forgotten
                self._publish(self._presence.all())
