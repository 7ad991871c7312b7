"""Minutes of writers and readers while Redis, gallery actors and the ingress are killed in turn, at random."""

import random
import time
from collections import defaultdict

import pytest

from facegroup.store import open_store
from tests.cluster.processes import REPLICA, Processes
from tests.cluster.server import Server
from tests.cluster.test_faults import PEOPLE, caller, database, fill, names, ready, server, until  # noqa: F401
from tests.cluster.traffic import Caller, photo, traffic
from tests.conftest import RedisProcess

SECONDS = 180
BETWEEN = 20
SEED = 4


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_minutes_of_kills(server: Server, database: RedisProcess, caller: Caller) -> None:  # noqa: F811
    fill(server, caller, "soak")
    acknowledged: dict[str, list[str]] = defaultdict(list)
    asked: dict[int, list[str]] = {0: [], 1: []}  # by writer, so that no two threads change one
    answers = 0

    def write(caller: Caller, offset: int) -> None:
        number = 2 * len(asked[offset]) + 2 + offset  # no two photos are the same
        person = list(PEOPLE)[number % len(PEOPLE)]
        asked[offset].append(person)
        done = caller.enrol("soak", person, photo(PEOPLE[person], number), tries=60)
        acknowledged[person] += [each["photo_id"] for each in done["enrolled"]]

    def look(caller: Caller) -> None:
        nonlocal answers
        assert names(caller.identify("soak", *PEOPLE.values(), tries=60)) == list(PEOPLE), "a wrong name"
        answers += 1

    chance = random.Random(SEED)
    killed: dict[str, int] = defaultdict(int)
    with traffic(server.url) as running:
        for offset in (0, 1):
            running.go(lambda caller, offset=offset: write(caller, offset))  # type: ignore[misc]
        for _ in range(2):
            running.go(look)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            time.sleep(BETWEEN)
            assert running.goes_on()
            what = chance.choice(("Redis", "GalleryActor", "Ingress"))
            killed[what] += 1
            if what == "Redis":
                database.kill()
                time.sleep(chance.uniform(0.1, 2))
                database.start()
            else:
                Processes(server.pid, f"{REPLICA}{what}").kill_one()
        before = sum(map(len, acknowledged.values()))
        until(lambda: running.goes_on() and sum(map(len, acknowledged.values())) > before + 20, "it is not written on")
    until(lambda: ready(server)["status"] == "ready", "not ready after all")
    store = open_store(database.url)
    for person in PEOPLE:
        kept = [sample.id for sample in store.samples("soak", person)]
        lost = set(acknowledged[person]) - set(kept)
        assert not lost, f"{len(lost)} acknowledged photos of {person} are lost"
        assert len(kept) == len(set(kept)) <= 1 + sum(each.count(person) for each in asked.values())
    store.close()
    written = sum(map(len, acknowledged.values()))
    longest = max(each.longest for each in running.callers)
    retried = {code for each in running.callers for code in each.retried}
    print(
        f"\nkilled {dict(killed)}; {written} photos, {answers} answers, longest {longest:.1f} s, asked again: {retried}"
    )
