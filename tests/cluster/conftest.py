"""Two real servers, one after the other: SQLite behind HAProxy and gRPC, Redis behind Ray's own proxy and actor calls."""

from collections.abc import Iterator

import pytest

from tests.cluster.server import RAY_DEFAULTS, Server
from tests.conftest import SHARED, RedisProcess


@pytest.fixture(scope="module", params=["sqlite-haproxy", "redis-defaults"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the galleries of the server live; its name says how the server is reached."""
    if request.param == "sqlite-haproxy":
        return f"sqlite:///{tmp_path_factory.mktemp('store') / 'gallery.db'}"
    process: RedisProcess = request.getfixturevalue("redis_process")
    return process.url


@pytest.fixture(scope="module")
def network() -> dict[str, str]:
    """The best network to be had: on real photos where ../shared is there, else dlib's."""
    if (SHARED / "models").is_dir():
        return {"FACEGROUP_NETWORK": "retail-0095", "FACEGROUP_MODEL_DIR": str(SHARED / "models")}
    return {"FACEGROUP_NETWORK": "dlib-resnet29"}


@pytest.fixture(scope="module")
def server(store: str, network: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ray = RAY_DEFAULTS if store.startswith("redis") else {}
    server = Server(tmp_path_factory.mktemp("server"), FACEGROUP_STORE=store, **network, **ray)
    server.start()
    yield server
    server.close()
