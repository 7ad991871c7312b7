"""Somebody who listens to a broker, as Home Assistant does."""

import threading
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion


class Listener:
    """Hears everything on a broker from now on, and first what it retains.

    Attributes:
        heard: (topic, payload) in the order in which they came.
        kept: topic → payload of what the broker retains, as far as it said.
    """

    def __init__(self, port: int, password: str | None = None) -> None:
        self.heard: list[tuple[str, str]] = []
        self.kept: dict[str, str] = {}
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        if password is not None:
            self._client.username_pw_set("facegroup", password)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self._ready.wait(20)

    def on(self, topic: str) -> list[str]:
        """Return what came on a topic."""
        return [payload for name, payload in list(self.heard) if name == topic]

    def say(self, topic: str, payload: str, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(20)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload.decode()))
        if message.retain:
            self.kept[message.topic] = message.payload.decode()
