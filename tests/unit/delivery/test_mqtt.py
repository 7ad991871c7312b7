"""MQTT over a real mosquitto: what is told, what is retained, and what becomes of both when the broker goes and comes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from facegroup.delivery.mqtt import Broker
from facegroup.journal import open_journal
from facegroup.journal.base import Journal
from facegroup.settings import Cameras
from facegroup.sightings.types import Event, Sighting
from tests.conftest import BrokerProcess
from tests.unit.delivery.delivering import Delivering
from tests.unit.delivery.listener import Listener
from tests.unit.delivery.receiver import until
from tests.unit.journal.made import sighting

PASSWORD = "hunter2:/@ word"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = open_journal(f"sqlite:///{tmp_path}/g.db")
    yield journal
    journal.close()


@pytest.fixture
def listen(broker: BrokerProcess) -> Iterator[Callable[[], Listener]]:
    made: list[Listener] = []

    def listen() -> Listener:
        made.append(Listener(broker.port))
        return made[-1]

    yield listen
    for each in made:
        each.close()


def events(listener: Listener) -> list[int]:
    """Return the numbers of the events that were heard."""
    told = [payload for topic, payload in list(listener.heard) if topic.endswith("/sighting")]
    return [json.loads(payload)["seq"] for payload in told]


def at(broker: BrokerProcess) -> SecretStr:
    return SecretStr(f"mqtt://127.0.0.1:{broker.port}")


def test_who_is_where_is_told_and_kept(broker: BrokerProcess, journal: Journal, listen: Callable[[], Listener]) -> None:
    listener = listen()
    ada, stranger = sighting(), sighting(101.0, person_id=None, unknown="unknown-1", name="unknown-1")
    with Delivering(journal, mqtt=at(broker)) as delivering:
        until(lambda: journal.cursor("mqtt") == 0)
        delivering.record(ada, stranger)
        delivering.record(replace(ada, last_seen=109.0, open=False), kind="ended")
        until(lambda: journal.cursor("mqtt") == 3)
        until(lambda: events(listener) == [1, 2, 3])
        told = json.loads(listener.on("facegroup/cameras/door/sighting")[0])
        assert (told["type"], told["sighting"]["id"], told["sighting"]["name"]) == ("sighting.began", ada.id, "Ada")
        assert listener.on("facegroup/cameras/door/last") == ["Ada", "unknown-1", "Ada"]
        assert listener.on("facegroup/cameras/door/people") == ['["Ada"]', '["Ada", "unknown-1"]', '["unknown-1"]']
        late = listen()
        until(lambda: len(late.kept) == 8)
        assert json.loads(late.kept["facegroup/people/group/ada"]) == {
            "name": "Ada",
            "camera": "door",
            "present": False,
            "last_seen": 109.0,
        }
        assert json.loads(late.kept["facegroup/people/group/unknown-1"])["present"] is True
        assert late.kept["facegroup/cameras/door/occupied"] == "ON"
        assert late.kept["facegroup/status"] == "online"
        config = json.loads(late.kept["homeassistant/binary_sensor/facegroup_door_occupied/config"])
        assert (config["state_topic"], config["device_class"]) == ("facegroup/cameras/door/occupied", "occupancy")
        config = json.loads(late.kept["homeassistant/sensor/facegroup_door_last/config"])
        assert config["availability_topic"] == "facegroup/status"
        late.heard.clear()
        late.say("homeassistant/status", "online")  # it was started anew
        until(lambda: late.on("homeassistant/sensor/facegroup_door_last/config"))
        until(lambda: late.on("facegroup/cameras/door/occupied") == ["ON"])
    until(lambda: listener.on("facegroup/status")[-1] == "offline")


def test_somebody_who_was_somebody_else(
    broker: BrokerProcess, journal: Journal, listen: Callable[[], Listener]
) -> None:
    stranger = sighting(person_id=None, unknown="unknown-1", name="unknown-1")
    with Delivering(journal, mqtt=at(broker)) as delivering:
        until(lambda: journal.cursor("mqtt") == 0)
        delivering.record(stranger)
        delivering.record(replace(stranger, person_id="ada", unknown=None, name="Ada"), kind="changed")
        until(lambda: journal.cursor("mqtt") == 2)
        late = listen()
        until(lambda: "facegroup/people/group/ada" in late.kept)
        assert "facegroup/people/group/unknown-1" not in late.kept
        assert late.kept["facegroup/cameras/door/people"] == '["Ada"]'


def test_a_broker_that_comes_late_and_goes_misses_nothing(
    broker: BrokerProcess, journal: Journal, listen: Callable[[], Listener], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegroup.delivery.mqtt.WAIT_SECONDS", 0.3)
    monkeypatch.setattr("facegroup.delivery.mqtt._AGAIN_SECONDS", 1)
    broker.kill()
    with Delivering(journal, mqtt=at(broker)) as delivering:
        until(lambda: journal.cursor("mqtt") == 0)
        delivering.begin(5)
        until(lambda: "does not answer" in (delivering.couriers.error("mqtt") or ""))
        broker.start()
        listener = listen()
        until(lambda: journal.cursor("mqtt") == 5)
        until(lambda: sorted(set(events(listener))) == [1, 2, 3, 4, 5])
        assert delivering.couriers.error("mqtt") is None
        delivering.begin(30)
        until(lambda: len(events(listener)) > 7)
        broker.kill()
        broker.start()
        listener = listen()
        until(lambda: journal.cursor("mqtt") == 35)
        until(lambda: listener.on("facegroup/status") == ["online"])
        until(lambda: "facegroup/cameras/door/occupied" in dict(listener.heard))  # it had forgotten all of it
        until(lambda: "homeassistant/sensor/facegroup_door_last/config" in dict(listener.heard))
        listener.heard.clear()
        delivering.begin(2)
        until(lambda: events(listener)[-2:] == [36, 37])


def test_what_was_so_before_a_restart_is_known(
    broker: BrokerProcess, journal: Journal, listen: Callable[[], Listener]
) -> None:
    with Delivering(journal, mqtt=at(broker)) as delivering:
        until(lambda: journal.cursor("mqtt") == 0)
        (event,) = delivering.begin(1)
        until(lambda: journal.cursor("mqtt") == 1)
    broker.kill()
    broker.start()
    listener = listen()
    with Delivering(journal, mqtt=at(broker)) as delivering:
        until(lambda: listener.on("facegroup/cameras/door/people")[-1:] == ['["Ada"]'])
        delivering.record(replace(event.sighting, open=False), kind="ended")
        until(lambda: listener.on("facegroup/cameras/door/occupied")[-1:] == ["OFF"])


@pytest.mark.parametrize("whole", [False, True])
def test_of_whom_was_erased_nothing_is_kept(
    broker: BrokerProcess, journal: Journal, listen: Callable[[], Listener], whole: bool
) -> None:
    bob = sighting(person_id="bob", name="Bob", camera="gate", gallery="others")
    with Delivering(journal, mqtt=at(broker)) as delivering:
        until(lambda: journal.cursor("mqtt") == 0)
        delivering.record(sighting(), sighting(camera="yard"), bob)
        until(lambda: journal.cursor("mqtt") == 3)
    with Delivering(journal, mqtt=at(broker)) as delivering:  # another process does not know whom it retains
        listener = listen()
        until(lambda: delivering.couriers._broker is not None and delivering.couriers._broker._connected.is_set())
        until(lambda: journal.cursor("mqtt") == 3 and "facegroup/people/group/ada" in listener.kept)
        delivering.couriers.forget("group", None if whole else "ada")
        until(lambda: listener.on("facegroup/people/group/ada")[-1] == "")
        until(lambda: listener.on("facegroup/cameras/yard/last")[-1] == "")
    late = listen()
    until(lambda: "facegroup/cameras/gate/last" in late.kept)
    assert "Ada" not in str(late.kept)
    assert late.kept["facegroup/cameras/door/occupied"] == "OFF"
    assert json.loads(late.kept["facegroup/people/others/bob"])["name"] == "Bob"


def test_of_a_camera_that_was_removed_nothing_is_kept(
    broker: BrokerProcess, journal: Journal, listen: Callable[[], Listener]
) -> None:
    with Delivering(journal, mqtt=at(broker)) as delivering:
        until(lambda: journal.cursor("mqtt") == 0)
        delivering.begin(1)
        until(lambda: journal.cursor("mqtt") == 1)
        delivering.couriers.camera_gone("door")
    late = listen()
    until(lambda: "facegroup/status" in late.kept)
    assert set(late.kept) == {"facegroup/status", "facegroup/people/group/ada"}


def test_a_password_is_used_and_not_shown(
    tmp_path: Path, journal: Journal, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facegroup.delivery.mqtt.WAIT_SECONDS", 0.5)
    process = BrokerProcess(tmp_path, PASSWORD)
    process.start()
    address = f"mqtt://facegroup:{{}}@127.0.0.1:{process.port}"
    with Delivering(journal, mqtt=SecretStr(address.format("wrong"))) as delivering:
        until(lambda: journal.cursor("mqtt") == 0)
        delivering.begin(1)
        refused = until(
            lambda: "refused us" in (delivering.couriers.error("mqtt") or "") and delivering.couriers.error("mqtt")
        )
        assert "Not authorized" in refused
    with Delivering(journal, mqtt=SecretStr(address.format("hunter2%3A%2F%40%20word"))) as delivering:
        until(lambda: journal.cursor("mqtt") == 1)
    listener = Listener(process.port, PASSWORD)
    until(lambda: "facegroup/people/group/ada" in listener.kept)
    listener.close()
    process.kill()
    assert "wrong" not in caplog.text + refused
    assert "hunter2" not in caplog.text


def test_whoever_dies_is_offline(broker: BrokerProcess, listen: Callable[[], Listener]) -> None:
    listener = listen()
    script = "import sys, time; from facegroup.delivery.mqtt import Broker; from facegroup.settings import Cameras; "
    script += "Broker(Cameras(mqtt=sys.argv[1])); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", script, at(broker).get_secret_value()])
    try:
        until(lambda: listener.on("facegroup/status") == ["online"], 60)
    finally:
        process.kill()
        process.wait()
    until(lambda: listener.on("facegroup/status") == ["online", "offline"])


@pytest.mark.parametrize(
    ("given", "topic"),
    [
        ({"gallery": "a+b#c"}, "t/o/people/a%2Bb%23c/ada"),
        ({"gallery": "Группа $1"}, "t/o/people/%D0%93%D1%80%D1%83%D0%BF%D0%BF%D0%B0 %241/ada"),
        ({"gallery": "..%2f"}, "t/o/people/..%252f/ada"),
    ],
)
def test_no_name_makes_another_topic(
    broker: BrokerProcess, listen: Callable[[], Listener], given: dict[str, Any], topic: str
) -> None:
    speaker = Broker(Cameras(mqtt=at(broker), mqtt_topic="/t/o/", mqtt_discovery=""))
    seen: Sighting = sighting(name='"\n', **given)
    assert speaker.tell(Event(1, "a-1", "began", 1.0, seen)) is None
    speaker.close()
    late = listen()
    until(lambda: len(late.kept) == 5)
    assert set(late.kept) == {
        topic,
        "t/o/status",
        *(f"t/o/cameras/door/{each}" for each in ("last", "people", "occupied")),
    }
    assert json.loads(late.kept[topic])["name"] == '"\n'
