"""Two real servers, one after the other: SQLite behind HAProxy and gRPC, Redis behind Ray's own proxy and actor calls.

All tests that ask for them run on the same two: pytest puts those of one server next to each other. The last one kills it.
"""

from collections.abc import Iterator

import pytest

from tests.cluster.server import RAY_DEFAULTS, Server
from tests.conftest import SHARED, RedisProcess

STORES = ("sqlite-haproxy", "redis-defaults")


@pytest.fixture(scope="session", params=STORES)
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the galleries of the server live; its name says how the server is reached."""
    if request.param == "sqlite-haproxy":
        return f"sqlite:///{tmp_path_factory.mktemp('store') / 'gallery.db'}"
    process: RedisProcess = request.getfixturevalue("redis_process")
    return process.url


@pytest.fixture(scope="session")
def network() -> dict[str, str]:
    """The best network to be had: on real photos where ../shared is there, else dlib's."""
    if (SHARED / "models").is_dir():
        return {"FACEGROUP_NETWORK": "retail-0095", "FACEGROUP_MODEL_DIR": str(SHARED / "models")}
    return {"FACEGROUP_NETWORK": "dlib-resnet29"}


@pytest.fixture(scope="session")
def server(store: str, network: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ray = RAY_DEFAULTS if store.startswith("redis") else {}
    patience = {"FACEGROUP_LIMITS__REQUEST_SECONDS": "600"}  # as long as requests take on a busy machine
    server = Server(tmp_path_factory.mktemp("server"), FACEGROUP_STORE=store, **network, **ray, **patience)
    server.start()
    yield server
    server.close()
