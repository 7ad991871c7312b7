from collections.abc import Iterator

import pytest

from facegroup.cameras.delivery import mqtt_publisher, subscription
from tests.unit.cameras.delivery.receiver import Receiver
from tests.unit.cameras.journal.conftest import journal, url

__all__ = ["journal", "url"]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once: nothing here waits for minutes."""
    monkeypatch.setattr(subscription, "FIRST", 0.05)
    monkeypatch.setattr(subscription, "LONGEST", 0.2)
    monkeypatch.setattr(mqtt_publisher, "_BROKEN_SECONDS", 0.2)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()
