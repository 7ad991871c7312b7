from collections.abc import Iterator

import pytest

from facegroup.cameras.delivery import event_delivery
from tests.unit.cameras.delivery.receiver import Receiver
from tests.unit.cameras.journal.conftest import journal, url

__all__ = ["journal", "url"]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow each other at once: nothing here waits for minutes."""
    monkeypatch.setattr(event_delivery, "FIRST", 0.05)
    monkeypatch.setattr(event_delivery, "LONGEST", 0.2)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()
