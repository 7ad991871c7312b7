"""The replica that a call goes to, in what Serve calls of its router."""

import asyncio
import inspect
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from deployments.shared_crops import SharedCrops, share
from facegroup.pipeline.batches import CropBatch
from facegroup.store.contract import Store

with warnings.catch_warnings():  # Ray's own, of pydantic
    warnings.simplefilter("ignore")
    from ray.exceptions import ActorUnavailableError
    from ray.serve._private.common import RequestMetadata
    from ray.serve.exceptions import RayServeException
    from ray.serve.request_router import PendingRequest, RunningReplica

    from deployments import watch as watch_module
    from deployments.router import READS, Router, Target
    from deployments.watch import Watch


class Result:
    """A call that was sent: it is answered by `done`."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.cancelled = False
        self._callbacks: list[Callable[[Any], None]] = []

    async def get_rejection_response(self) -> str:
        await self.done.wait()
        return "accepted"

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callbacks.append(callback)

    def cancel(self) -> None:
        self.cancelled = True
        for callback in self._callbacks:
            callback(self)


class Replica(Target):
    """A target without a replica: what is sent to it is kept."""

    def __init__(self, *, near: bool = True) -> None:
        self.up = asyncio.Event()
        self.watch = Watch("replica", self.up.wait, lambda: False, 5, near=near)
        self.sent: list[tuple[list[Any], Result]] = []

    @property
    def actor_id(self) -> Any:
        return _Id()


class _Id:
    def binary(self) -> bytes:
        return b"0" * 16


@pytest.fixture(autouse=True)
def unsent(monkeypatch: pytest.MonkeyPatch) -> None:
    def send(self: Replica, pr: PendingRequest, with_rejection: bool) -> Result:
        self.sent.append((list(pr.args), Result()))
        return self.sent[-1][1]

    monkeypatch.setattr(RunningReplica, "try_send_request", send)
    monkeypatch.setattr(watch_module, "PING_SECONDS", 0.02)


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


def request(method: str, *arguments: Any) -> PendingRequest:
    return PendingRequest(list(arguments), {}, RequestMetadata("1", "1", call_method=method))


def made() -> CropBatch:
    crops = np.zeros((3, 8, 8, 3), np.uint8)
    return CropBatch(crops, (3,), (None,), (True,), np.zeros((3, 2), np.float32), np.zeros(3, np.float32))


@pytest.mark.parametrize("near", [True, False])
def test_crops_are_shared_with_a_near_embedder_and_sent_to_a_far_one(near: bool) -> None:
    async def scenario() -> None:
        replica, cut = Replica(near=near), made()
        with share(cut) as shared:
            asked = request("embed", shared, 7)
            replica.try_send_request(asked, with_rejection=True)
        (came, seven), result = replica.sent[0]
        assert seven == 7
        assert isinstance(came, SharedCrops) if near else came is cut
        assert asked.args == [shared, 7], "another replica may be asked again"
        result.cancel()

    run(scenario)


def test_an_answer_arrives_as_it_is() -> None:
    async def scenario() -> None:
        replica = Replica()
        result = replica.try_send_request(request("embed"), with_rejection=True)
        assert replica.watch.under_way == 1
        replica.sent[0][1].done.set()
        assert str(await result.get_rejection_response()) == "accepted"

    run(scenario)


@pytest.mark.parametrize(
    "call",
    [
        ("see", []),
        ("embed", made()),
        ("match", 1),
        ("alive",),
        ("about",),
        ("ask", "person", "choir"),
        ("ask", "samples"),
    ],
)
def test_work_of_a_replica_that_hangs_is_given_to_serve_once_more(call: tuple[Any, ...]) -> None:
    async def scenario() -> None:
        asked = request(*call)
        for kind in (ActorUnavailableError, RayServeException):
            replica = Replica()
            waits: Awaitable[Any] = replica.try_send_request(asked, with_rejection=True).get_rejection_response()
            with pytest.raises(kind):
                await waits
            assert replica.watch.silent
            assert replica.sent[0][1].cancelled
            assert replica.watch.under_way == 0
            replica.up.set()

    run(scenario)


@pytest.mark.parametrize(
    "call",
    [("ask", "add_samples", "choir"), ("ask", "delete_person"), ("ask", "accept"), ("calibrate",), ("call", "person")],
)
def test_what_may_change_something_is_never_asked_again(call: tuple[Any, ...]) -> None:
    async def scenario() -> None:
        replica = Replica()
        waits = asyncio.ensure_future(
            replica.try_send_request(request(*call), with_rejection=True).get_rejection_response()
        )
        while not replica.watch.silent:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert not waits.done()
        replica.sent[0][1].done.set()
        assert str(await waits) == "accepted"
        replica.sent[0][1].cancel()
        replica.up.set()

    run(scenario)


def test_every_method_that_writes_says_for_whom() -> None:
    """The other methods change nothing, but are not all asked for by other processes."""
    for name in READS:
        assert "by" not in inspect.signature(getattr(Store, name)).parameters


def test_serve_is_offered_replicas_in_order_and_waits_between_tries() -> None:
    async def scenario() -> None:
        router = Router.__new__(Router)
        replicas = [Replica(near=False), Replica(), Replica(near=False)]
        replicas[0].watch.silent = True
        asked = request("embed")
        chosen = await router.choose_replicas(list(replicas), asked)
        assert [[replicas.index(each) for each in some] for some in chosen] == [[1], [2]]  # type: ignore[arg-type]
        assert asked.routing_context.should_backoff
        assert await router.choose_replicas([], None) == []

    run(scenario)
