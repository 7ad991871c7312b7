from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from facegroup.cameras.journal import open_journal
from facegroup.cameras.journal.encryption import new_key
from facegroup.cameras.sightings.journal import Journal

KEY = SecretStr(new_key())


@pytest.fixture(params=["sqlite", "redis"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each kind."""
    return str(request.getfixturevalue("redis_url")) if request.param == "redis" else f"sqlite:///{tmp_path}/g.db"


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    journal = open_journal(url, KEY)
    yield journal
    journal.close()
