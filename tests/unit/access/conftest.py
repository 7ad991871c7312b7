from collections.abc import Iterator
from pathlib import Path

import pytest

from facegroup.access.registry import PLACE, Registry
from facegroup.store.rows import open_rows
from tests.unit.access.times import Times


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each kind."""
    return str(request.getfixturevalue("redis_url")) if request.param == "redis" else f"sqlite:///{tmp_path}/g.db"


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def registry(url: str, times: Times) -> Iterator[Registry]:
    registry = Registry(open_rows(url, PLACE), times.wall)
    yield registry
    registry.close()
