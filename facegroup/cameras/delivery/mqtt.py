"""Broker: publishes events and the current state to an MQTT broker.

    facegroup/status                           online, offline (the last will of the connection); retained
    facegroup/cameras/CAMERA/status            online, offline: whether it is known who is there; retained
    facegroup/cameras/CAMERA/occupied          ON, OFF; retained
    facegroup/cameras/CAMERA/people            names of who is there, as JSON; retained
    facegroup/cameras/CAMERA/last              name of the person who came last; retained
    facegroup/cameras/CAMERA/face              face of that person as JPEG, if the settings ask for it; retained
    facegroup/people/GALLERY/PERSON            where the person is, as JSON; retained
    facegroup/cameras/CAMERA/visit             an event that just happened, as JSON: once, and never late
    facegroup/cameras/CAMERA/sighting          every event, as JSON, in order and at least once: late after an outage

Retained topics hold the current state. They are published when the state changes and when a connection is made, with QoS
0: a message that is sent again later (QoS 1) would be outdated. Everything else that the broker retains of this server is
then removed. Home Assistant finds its entities by the discovery topics.
"""

import logging
import ssl
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from facegroup.cameras.delivery import payloads
from facegroup.cameras.delivery.topics import Topics
from facegroup.cameras.sightings.types import Event
from facegroup.errors import InvalidSettings
from facegroup.remote.addresses import ESCAPED, parted
from facegroup.settings import Cameras

log = logging.getLogger(__name__)

WAIT_SECONDS = 10.0
_AGAIN_SECONDS = 60
_PORTS = {"mqtt": 1883, "mqtts": 8883}


class Broker:
    """Connection to a broker, which is made again when it is lost. `tell` and `close` block.

    Args:
        settings: with the broker's address.

    Raises:
        InvalidSettings: the address is malformed.
    """

    def __init__(self, settings: Cameras) -> None:
        assert settings.mqtt is not None
        parts = parted(settings.mqtt.get_secret_value())
        if parts is None or parts.scheme not in _PORTS or not parts.hostname:
            raise InvalidSettings(
                f"FACEGROUP_CAMERAS__MQTT must be mqtt://user:password@host:1883, or mqtts://. {ESCAPED}"
            )
        port = parts.port or _PORTS[parts.scheme]
        self.where = f"{parts.hostname}:{port}"
        self.topics = Topics(settings.mqtt_topic.strip("/"), settings.mqtt_discovery.strip("/"), settings.mqtt_pictures)
        self._discovery = settings.mqtt_discovery.strip("/")
        self._connected = threading.Event()
        self._refused = ""
        self._wanted: dict[str, bytes] | None = None  # the current state; None: not known yet
        self._sent: dict[str, bytes] | None = None  # published over this connection; None: nothing
        self._lock = threading.RLock()  # states are published in the order in which they were current
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(20)
        if parts.username is not None:
            self._client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
        self._tls = parts.scheme == "mqtts"
        if self._tls:
            self._client.tls_set(None if settings.mqtt_ca is None else str(settings.mqtt_ca))
        self._client.will_set(self.topics.status, "offline", qos=1, retain=True)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, _AGAIN_SECONDS)
        self._client.connect_async(parts.hostname, port, keepalive=30)
        self._client.loop_start()

    def show(self, retained: Mapping[str, bytes]) -> None:
        """Have the broker retain the current state, and nothing else. Only what changed is published."""
        with self._lock:
            self._wanted = {topic: payload for topic, payload in retained.items() if payload}
            if self._connected.is_set():
                self._sync()

    def tell(self, event: Event, *, until: float) -> str | None:
        """Publish an event; return what went wrong, or None if the broker has it.

        Args:
            event: the event.
            until: when, by `time.monotonic`, it becomes history, on which no automation is to act.
        """
        if not self._connected.wait(WAIT_SECONDS):
            return self._refused or f"the broker at {self.where} does not answer"
        sent = self._client.publish(self.topics.sighting(event), payloads.body(event), qos=1)
        wrong = self._wait(sent)
        if wrong is None and time.monotonic() < until:  # the wait may have been long
            self._client.publish(*self.topics.visit(event), qos=0)
        return wrong

    def close(self) -> None:
        """Publish that this server is offline, and disconnect."""
        if self._connected.is_set():
            self._wait(self._client.publish(self.topics.status, b"offline", qos=1, retain=True))
        self._client.disconnect()
        self._client.loop_stop()

    def _sync(self) -> None:
        """Publish what changed since the last state."""
        if self._wanted is None:
            return
        first, sent = self._sent is None, self._sent or {}
        for topic in sent.keys() - self._wanted.keys():
            self._retain(topic, b"")
        for topic, payload in self._wanted.items():
            if sent.get(topic) != payload:
                self._retain(topic, payload)
        self._sent = dict(self._wanted)
        if first:
            for pattern in self.topics.patterns:  # `_on_message` gets what the broker retains
                self._client.subscribe(pattern, qos=0)
            self._retain(self.topics.status, b"online")

    def _retain(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, qos=0, retain=True)

    def _wait(self, sent: paho.MQTTMessageInfo) -> str | None:
        try:
            sent.wait_for_publish(WAIT_SECONDS)
        except (RuntimeError, ValueError):
            return f"the connection to the broker at {self.where} was lost"
        if not sent.is_published():
            return f"the broker at {self.where} did not acknowledge it in {WAIT_SECONDS:g} seconds"
        return None

    def _on_connect(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._refused = f"the broker at {self.where} refused the connection: {reason}"
            return
        with self._lock:
            self._refused = ""
            self._sent = None
            if self._discovery:
                client.subscribe(f"{self._discovery}/status", qos=1)
            self._connected.set()
            self._sync()

    def _on_connect_fail(self, client: paho.Client, data: Any) -> None:
        error = sys.exception()  # paho calls this in its except clause, and passes no error
        if isinstance(error, ssl.SSLCertVerificationError):
            self._refused = (
                f"the certificate of the broker at {self.where} is not trusted: {error.verify_message}; where an "
                "authority of your own signed it, set FACEGROUP_CAMERAS__MQTT_CA to the file of its certificate"
            )
        elif isinstance(error, ssl.SSLError | ConnectionResetError) and self._tls:
            self._refused = (
                f"the broker at {self.where} does not use TLS: write mqtt:// instead of mqtts://, or let it use TLS "
                f"({error})"
            )
        else:
            self._refused = f"the broker at {self.where} does not answer: {error}"

    def _on_disconnect(self, client: paho.Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if self._connected.is_set() and reason.is_failure:
            log.warning("the broker at %s is away: %s", self.where, reason)
        self._connected.clear()

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        with self._lock:
            if message.topic == f"{self._discovery}/status":
                if message.payload == b"online":  # Home Assistant started, and knows no entities
                    for topic, payload in (self._wanted or {}).items():
                        if self.topics.is_discovery(topic):
                            self._retain(topic, payload)
                return
            stale = message.retain and message.payload and message.topic not in (self._wanted or {})
            if stale and self.topics.is_ours(message.topic, bytes(message.payload)):
                self._retain(message.topic, b"")
