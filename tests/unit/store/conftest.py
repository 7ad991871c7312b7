from collections.abc import Iterator
from pathlib import Path

import pytest

from facegroup.store import open_store
from facegroup.store.contract import Store
from facegroup.types import Gallery
from tests.unit.store.samples import NETWORK, D


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each kind."""
    return str(request.getfixturevalue("redis_url")) if request.param == "redis" else f"sqlite:///{tmp_path}/g.db"


@pytest.fixture
def store(url: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store, which is encrypted where a test gives a key (tests/unit/store/with_key.py)."""
    store = open_store(url, keys=getattr(request, "param", None))
    yield store
    store.close()


@pytest.fixture
def gallery(store: Store) -> str:
    """The name of a gallery with nobody in it."""
    return store.create_gallery(Gallery("group", NETWORK, D, 0.4)).name
