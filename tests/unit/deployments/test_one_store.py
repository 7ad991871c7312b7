"""On which machines of a cluster a store that is a file may be opened."""

from typing import Any

import pytest
import ray

from deployments import one_store
from facegroup.errors import StoreNotShared
from facegroup.settings import load

HEAD, WORKER = "a1", "b2"
NODES = [
    {"NodeID": HEAD, "Alive": True, "Resources": {"CPU": 2.0, "node:__internal_head__": 1.0}},
    {"NodeID": WORKER, "Alive": True, "Resources": {"CPU": 2.0}},
    {"NodeID": "c3", "Alive": False, "Resources": {}},
]


class Context:
    def __init__(self, node: str) -> None:
        self._node = node

    def get_node_id(self) -> str:
        return self._node


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Any:
    def at(node: str) -> None:
        monkeypatch.setattr(ray, "is_initialized", lambda: True)
        monkeypatch.setattr(ray, "nodes", lambda: NODES)
        monkeypatch.setattr(ray, "get_runtime_context", lambda: Context(node))

    return at


def test_a_file_is_opened_on_the_head_only(on: Any) -> None:
    file, shared = load(store="sqlite:////var/lib/gallery.db"), load(store="redis://redis:6379/0")
    one_store.check(file)  # in one process, without Ray
    on(HEAD)
    one_store.check(file)
    one_store.check(shared)
    on(WORKER)
    one_store.check(shared)
    with pytest.raises(StoreNotShared, match="redis://") as raised:
        one_store.check(file)
    assert raised.value.code == "store_not_shared"


def test_lost_machines_do_not_count(on: Any) -> None:
    assert one_store.count_nodes() == 1
    on(WORKER)
    assert one_store.count_nodes() == 2
