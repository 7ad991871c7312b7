"""Several machines, started as docs/deployment.md says: each answers, all know every write, and one that is lost comes back.

The machines are Linux namespaces (machines.py), the devices are simulated, Redis is real.
"""

import httpx
import pytest

from facegroup.types import NOT_IN_DATASET
from tests.cluster.traffic import descriptor, photo
from tests.hosts.cluster import Cluster, until
from tests.hosts.machines import Machine

pytestmark = pytest.mark.timeout(1200)

GALLERY = "/v1/galleries/default"


def enrol(cluster: Cluster, at: Machine, person: str, kind: int) -> int:
    """Enrol a photo through a machine's HTTP server; return the gallery's version."""
    with cluster.client(at) as client:
        assert client.put(f"{GALLERY}/people/{person}", json={"name": person}).is_success
        answer = client.post(f"{GALLERY}/people/{person}/photos", files=[("photos", photo(kind, 0))])
    assert answer.status_code == 200, answer.text
    return int(answer.json()["gallery_version"])


def named(cluster: Cluster, at: Machine, *kinds: int) -> tuple[list[str], int]:
    """Return who is found on descriptors through a machine's HTTP server, and the gallery's version."""
    with cluster.client(at) as client:
        answer = client.post(f"{GALLERY}/identify", json={"descriptors": [descriptor(kind) for kind in kinds]})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return [face["name"] for face in told["faces"]], int(told["gallery_version"])


def finds(cluster: Cluster, at: Machine, kind: int, person: str) -> bool:
    """Return whether a machine answers, and names this person."""
    try:
        return named(cluster, at, kind)[0] == [person]
    except (AssertionError, httpx.TransportError):
        return False


def test_each_machine_has_its_share_and_an_http_server(two: Cluster) -> None:
    until(lambda: all(sorted(at) == ["first", "second"] for at in two.replicas().values()), "an even share")


def test_a_write_through_one_machine_is_known_through_the_other_at_once(two: Cluster) -> None:
    for number, (here, there) in enumerate([(two.head, two.workers[0]), (two.workers[0], two.head)]):
        version = enrol(two, here, f"person{number}", number)
        found, seen = named(two, there, number)
        assert (found, seen >= version) == ([f"person{number}"], True)
    assert (
        named(two, two.head, 0, 1, 2)[0]
        == named(two, two.workers[0], 0, 1, 2)[0]
        == ["person0", "person1", NOT_IN_DATASET]
    )


def test_photos_find_the_same_faces_through_both(two: Cluster) -> None:
    enrol(two, two.head, "ada", 7)
    answers = []
    for at in (two.head, *two.workers):
        with two.client(at) as client:
            answer = client.post(f"{GALLERY}/identify", files=[("photos", photo(7, 1)), ("photos", photo(9, 1))])
        assert answer.status_code == 200, answer.text
        answers.append([face["name"] for image in answer.json()["images"] for face in image["faces"]])
    assert answers == [["ada", NOT_IN_DATASET]] * 2


def test_nobody_goes_around_the_http_server(two: Cluster) -> None:
    """What the replicas and Serve's own proxy listen on is at the node's address, and takes HAProxy's requests only."""
    for machine in (two.head, *two.workers):
        told = [line.split()[3] for line in machine.run("ss -Hltn").splitlines()]
        carries = [each for each in told if 20_000 <= int(each.rpartition(":")[2]) <= 20_250]
        inner = [each for each in carries if int(each.rpartition(":")[2]) in (20_000, *range(20_010, 20_250))]
        assert inner, told
        assert all(each.startswith(f"{machine.address}:") for each in inner), inner
        for each in inner:
            answer = httpx.get(
                f"http://{each}/v1/galleries",
                headers={"authorization": f"Bearer {two.key}"},
                timeout=30,
                trust_env=False,
            )
            assert (answer.status_code, answer.json()["code"]) == (503, "stage_unavailable")


def test_a_weak_or_missing_token_is_refused(two: Cluster) -> None:
    for token, why in (("", "copy the head's token"), ("short", "shorter than 32 characters")):
        write = (
            f"printf {token} > /tmp/other/.ray/auth_token && chmod 600 /tmp/other/.ray/auth_token; " if token else ""
        )
        command = f"mkdir -p /tmp/other/.ray; {write}HOME=/tmp/other facegroup node --join first; echo status $?"
        said = two.workers[0].run(
            f"{{ {command}; }} 2>&1", {"FACEGROUP_NODE__PORTS": "30000", "FACEGROUP_NODE__PORT": "7380"}
        )
        assert why in said
        assert "status 2" in said


def test_a_worker_that_is_killed_comes_back_with_its_share(two: Cluster) -> None:
    """Its power is cut, and its command is started again, as systemd does. Nobody deploys."""
    (worker,) = two.workers
    enrol(two, worker, "grace", 11)
    worker.kill()
    until(lambda: finds(two, two.head, 11, "grace"), "an answer of the other machine")
    until(lambda: all("first" in at for at in two.replicas().values()), "a replica of each stage")
    enrol(two, two.head, "mary", 12)
    worker.start()
    two.start_worker(worker)
    two.wait_until_ready(worker)
    until(lambda: all("second" in at for at in two.replicas().values()), "its share")
    for kind, person in ((11, "grace"), (12, "mary")):
        until(lambda kind=kind, person=person: finds(two, worker, kind, person), person)  # type: ignore[misc]


def test_sigterm_ends_a_worker_in_order(two: Cluster) -> None:
    (worker,) = two.workers
    worker.run("pkill -TERM -f '[f]acegroup node'")
    until(lambda: not [line for line in worker.processes() if "ray" in line], "the end of all its processes")
    until(lambda: finds(two, two.head, 0, "person0"), "an answer of the head")
