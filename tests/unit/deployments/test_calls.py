"""Which methods of a class another process may call by their names."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from facegroup.store.contract import RemoteStore, Store

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ray's own, while it is imported


def method_of(contract: type, name: str) -> Callable[..., Any]:
    from deployments import calls

    return calls.method_of(contract, name)


def test_a_method_of_the_contract_is_found_by_its_name() -> None:
    assert method_of(RemoteStore, "person") is Store.person
    assert method_of(Store, "person") is Store.person  # inherited ones, too


@pytest.mark.parametrize(
    "name", ["close", "centroid_pages", "nobody", "", "_is_protocol", "__init__", "__class__", "register", "mro"]
)
def test_nothing_else_of_the_class_is(name: str) -> None:
    with pytest.raises(ValueError, match="RemoteStore has no method"):
        method_of(RemoteStore, name)


def test_the_replicas_of_a_stage_are_those_that_its_router_knows() -> None:
    from deployments.calls import replicas

    class Knows:
        curr_replicas: ClassVar = {"one": 1, "two": 2}

    handle: Any = SimpleNamespace(_router=None)
    assert replicas(handle) == 1, "nothing was called yet"
    handle._router = SimpleNamespace(_asyncio_router=SimpleNamespace(_request_router=None))
    assert replicas(handle) == 1, "the router is not told yet"
    handle._router._asyncio_router._request_router = Knows()
    assert replicas(handle) == 2
    Knows.curr_replicas = {}
    assert replicas(handle) == 1
