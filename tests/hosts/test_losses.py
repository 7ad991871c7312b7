"""What a cluster answers while machines, cables, the head and Redis are lost and come back, and while it is deployed.

Bounds (issue of the cluster): no acknowledged enrolment is lost, no name is wrong, errors are 429 and 503 only and fewer
than 1 % outside windows of 5 s, and any live HTTP server answers again within 10 s of a worker's loss, and 30 s of the
head's. The seconds are always printed. They are held to where the machine has time for the cluster.
"""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from facegroup.store import open_store
from tests.conftest import RedisProcess
from tests.hosts.cluster import Cluster, cluster, config, until
from tests.hosts.load import PEOPLE, Load, load
from tests.hosts.machines import Machine, needs_machines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2400)]

JOINED = "has joined"
WORKER_SECONDS, HEAD_SECONDS = 10.0, 30.0
_BUSY = 2.0
"""Load for each core above which seconds are printed only."""


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head without replicas that keeps its state in Redis, and two workers with a replica of each stage."""
    needs_machines()
    RedisProcess(tmp_path_factory.mktemp("redis"))
    with cluster(tmp_path_factory.mktemp("machines"), ["second", "third"], kept=True, served=False) as running:
        running.deploy(config(2))
        running.wait_until_ready(*running.workers)
        yield running


def held_to(what: str, seconds: float | None, most: float) -> None:
    """Print how long something took, and hold it to a bound where the machine is not busy with other work."""
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    print(
        f"\n{what}: {'never' if seconds is None else f'{seconds:.1f} s'} (at most {most:g}; load {busy:.1f} a core)",
        end="",
    )
    assert seconds is not None
    assert seconds <= most or busy > _BUSY


def check(cluster: Cluster, running: Load, events: list[tuple[float, float]]) -> None:
    """Hold the answers to the bounds that are not in seconds."""
    assert not running.wrong
    outside = running.errors(events)
    assert len(outside) <= len(running.asked) / 100, outside[:20]
    assert {each.status for each in running.asked if each.status} <= {200, 429, 503}
    store = open_store(f"redis://{cluster.machines['redis'].address}:6379/0")
    for person, ids in running.acknowledged.items():
        assert ids
        assert set(ids) <= {sample.id for sample in store.samples("default", person)}, person
    store.close()


def settle(running: Load, *machines: Machine) -> None:
    """Return when the load has been answered through each of the machines for some seconds."""
    for machine in machines:
        start = time.monotonic()
        until(lambda: running.answered(machine, start) is not None, f"an answer of {machine.name}")  # noqa: B023
    time.sleep(5)


def test_a_worker_is_killed_or_cut_off_and_comes_back(three: Cluster) -> None:
    second, third = three.workers

    def kill() -> None:
        second.kill()

    def power_on() -> None:
        second.start()
        three.start_worker(second)

    ways: list[tuple[str, Callable[[], None], Callable[[], None]]] = [
        ("killed", kill, power_on),
        ("cut off", second.cut, second.mend),
    ]
    for name, lose, bring_back in ways:
        with load(three, three.workers) as running:
            settle(running, second, third)
            joined = second.logs(1 << 30).count(JOINED)
            lost = time.monotonic()
            lose()
            until(lambda: running.answered(third, lost + 0.5) is not None, "an answer of the other worker")  # noqa: B023
            held_to(f"a worker {name}, the other answers after", running.answered(third, lost + 0.5), WORKER_SECONDS)
            time.sleep(15)
            bring_back()
            three.wait_for_log(second, JOINED, joined + 1)  # one that was cut off goes on until the head tells it
            three.wait_until_ready(second)
            until(lambda: all("second" in at for at in three.replicas().values()), "its share")
            back = time.monotonic()
            settle(running, second, third)
        check(three, running, [(lost, back)])


def test_the_head_is_killed_and_comes_back(three: Cluster) -> None:
    with load(three, three.workers) as running:
        settle(running, *three.workers)
        lost = time.monotonic()
        three.head.kill()
        for worker in three.workers:
            until(lambda: running.answered(worker, lost + 0.5) is not None, "an answer without a head")  # noqa: B023
            held_to("the head killed, a worker answers after", running.answered(worker, lost + 0.5), HEAD_SECONDS)
        time.sleep(20)
        three.head.start()
        three.start_head()
        until(three.serves, "Serve's controller")
        back = time.monotonic()
        settle(running, *three.workers)
        found = three.replicas()
        assert all(sorted(at) == ["second", "third"] for at in found.values()), found
    check(three, running, [(lost, lost), (back, back)])


def test_redis_is_killed_and_comes_back(three: Cluster) -> None:
    with load(three, three.workers) as running:
        settle(running, *three.workers)
        lost = time.monotonic()
        three.machines["redis"].run("pkill -9 -f '[r]edis-server.*:6379'")
        time.sleep(5)
        three.start_redis()
        back = time.monotonic()
        settle(running, *three.workers)
    check(three, running, [(lost, back)])


def test_a_deployment_of_another_scale_and_threshold_fails_no_request(three: Cluster) -> None:
    with load(three, three.workers) as running:
        settle(running, *three.workers)
        start = time.monotonic()
        three.deploy(config(4, 2, threshold=0.35))
        end = time.monotonic()
        settle(running, *three.workers)
        three.deploy(config(2))
        settle(running, *three.workers)
    held_to("a deployment took", end - start, 600)
    check(three, running, [])


def test_an_empty_redis_is_noticed(three: Cluster) -> None:
    """Nobody is told that a person is not in the dataset because the dataset was lost. It comes last: all is lost."""
    with three.client(three.workers[0]) as client, three.redis() as redis:
        redis.flushall()
        until(lambda: client.get("/readyz").status_code == 503, "a word of it")
        answer = client.get(f"/v1/galleries/default/people/{next(iter(PEOPLE))}")
        assert answer.status_code in (401, 503), answer.text
