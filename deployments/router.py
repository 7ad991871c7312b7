"""Choose the replica for each call of a stage: near ones first, and none that hangs (watch.py).

Ray Serve's own router takes the less busy one of two replicas, wherever they are, and waits for its answer for ever. This
one replaces it by Serve's own setting, `request_router_config`, in the process of each caller.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ray.exceptions import ActorUnavailableError
from ray.serve._private.replica_result import ReplicaResult
from ray.serve._private.request_router.pow_2_router import PowerOfTwoChoicesRequestRouter
from ray.serve.exceptions import RayServeException
from ray.serve.request_router import PendingRequest, RunningReplica

from deployments.shared_crops import SharedCrops
from deployments.watch import PING_SECONDS, Watch, ordered
from facegroup.store.contract import Store

WORK = ("see", "embed", "match")
"""Methods of a stage's work. They change nothing, so that another replica can be asked again."""

READS = frozenset(
    method.__name__
    for method in (
        Store.gallery,
        Store.galleries,
        Store.person,
        Store.people,
        Store.samples,
        Store.cohort,
        Store.version,
        Store.standing,
        Store.skipped,
        Store.audit,
        Store.audits,
    )
)
"""Methods of the store that change nothing."""


class Target(RunningReplica):
    """A replica as one of its callers sees it.

    Args:
        info: what Serve knows of the replica.
        watch: makes the watch of this replica.
    """

    def __init__(self, info: Any, watch: "Callable[[Target], Watch]") -> None:
        super().__init__(info)
        self.watch = watch(self)

    def try_send_request(self, pr: PendingRequest, with_rejection: bool) -> ReplicaResult:
        """Send a call, and answer `ActorUnavailableError` if the replica hangs, so that Serve calls another one.

        Crops in shared memory are sent whole to another machine.
        """
        given = pr.args
        if not self.watch.near:
            pr.args = [each.whole if isinstance(each, SharedCrops) else each for each in given]
        result = super().try_send_request(pr, with_rejection)
        pr.args = given
        self.watch.sent(result)
        result.add_done_callback(lambda done: self.watch.ended(result))
        if with_rejection and changes_nothing(pr):
            # With gRPC Serve waits here for the answer itself, with Ray's own calls until the replica has accepted.
            wait = partial(self._answer, pr, result, result.get_rejection_response)
            result.get_rejection_response = wait  # type: ignore[method-assign]
        return result

    async def _answer(self, pr: PendingRequest, result: ReplicaResult, wait: Callable[[], Awaitable[Any]]) -> Any:
        try:
            async with self.watch.answer(counts=pr.metadata.call_method in WORK):
                return await wait()
        except TimeoutError:
            result.cancel()  # type: ignore[no-untyped-call]
            # Serve keeps this object when it chooses again.
            if vars(pr).get("asked_again"):
                raise RayServeException("Two replicas did not answer.") from None
            vars(pr)["asked_again"] = True
            raise ActorUnavailableError("The replica does not answer.", self.actor_id.binary()) from None


def changes_nothing(pr: PendingRequest) -> bool:
    """Return whether another replica can be asked instead, although this one may have done it."""
    method = pr.metadata.call_method
    return method in (*WORK, "alive", "about") or (method == "ask" and pr.args[0] in READS)


class Router(PowerOfTwoChoicesRequestRouter):
    """Class that chooses replicas for the calls of one process to one stage."""

    _seconds = 0.0

    def initialize_state(self, **kwargs: Any) -> None:
        """Take `seconds`, after which a replica that answers no call is stuck."""
        self._seconds = float(kwargs["seconds"])

    def create_replica_wrapper(self, replica_info: Any) -> Target:
        """Return the replica with its watch."""
        return Target(replica_info, self._watch)

    async def choose_replicas(
        self, candidate_replicas: list[RunningReplica], pending_request: PendingRequest | None = None
    ) -> list[list[RunningReplica]]:
        """Return the replicas in the order in which Serve is to try them."""
        if pending_request is not None:
            pending_request.routing_context.should_backoff = True
        targets = [each for each in candidate_replicas if isinstance(each, Target)]
        return [[targets[index]] for index in ordered([each.watch for each in targets])]

    def _watch(self, target: Target) -> Watch:
        return Watch(
            str(target.replica_id),
            lambda: target.get_queue_len(deadline_s=PING_SECONDS),
            partial(self._alone, target),
            self._seconds,
            near=target.node_id == self._self_node_id,
        )

    def _alone(self, target: Target) -> bool:
        others = (each for each in self.curr_replicas.values() if each.replica_id != target.replica_id)
        return all(isinstance(each, Target) and each.watch.silent for each in others)
