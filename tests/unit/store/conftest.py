from collections.abc import Iterator
from pathlib import Path

import pytest

from facegroup.store import open_store
from facegroup.store.contract import Store
from facegroup.store.encryption import SecretKeys
from facegroup.types import Gallery
from tests.unit.store.samples import NETWORK, D


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each kind."""
    return str(request.getfixturevalue("redis_url")) if request.param == "redis" else f"sqlite:///{tmp_path}/g.db"


@pytest.fixture
def keys() -> SecretKeys | None:
    """What encrypts the store; the tests of the contract run once more with a key."""
    return None


@pytest.fixture
def store(url: str, keys: SecretKeys | None) -> Iterator[Store]:
    store = open_store(url, keys=keys)
    yield store
    store.close()


@pytest.fixture
def gallery(store: Store) -> str:
    """The name of a gallery with nobody in it."""
    return store.create_gallery(Gallery("group", NETWORK, D, 0.4)).name
