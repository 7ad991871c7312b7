"""Event delivery over both journals and real receivers: every event, in order, whatever fails."""

import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from facegroup.cameras.delivery import signature, webhook
from facegroup.cameras.journal import open_journal
from facegroup.cameras.sightings.journal import Journal
from tests.conftest import RedisProcess
from tests.unit.cameras.delivery.delivering import Delivering
from tests.unit.cameras.delivery.receiver import DIE, HANG, Receiver, until
from tests.unit.cameras.journal.conftest import KEY
from tests.unit.cameras.journal.made import sighting


def test_all_is_told_in_order_whatever_is_answered(journal: Journal, receiver: Receiver) -> None:
    journal.record([])
    with Delivering(journal) as delivering:
        delivering.begin(3)  # before it was there: not told
        hook = delivering.hook("hook", receiver.url)
        receiver.answers = [503, DIE, 429, 204, 500]
        delivering.begin(60)
        until(lambda: journal.cursor("webhook:hook") == 63)
        assert receiver.numbers() == list(range(4, 64))
        assert len(receiver.got) == 64
        ids = {headers["webhook-id"] for headers, _ in receiver.got}
        assert ids == {each["id"] for each in receiver.taken}
        assert all(signature.verified(hook.secret, headers, body) for headers, body in receiver.got)
        assert delivering.delivery.error("webhook:hook") is None
    with Delivering(journal) as delivering:  # it goes on where it was
        delivering.begin(1)
        until(lambda: receiver.numbers()[-1] == 64)
    assert len(receiver.got) == 65


def test_who_is_down_holds_up_nobody_and_loses_nothing(
    journal: Journal, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.3)
    down, hanging = Receiver(), Receiver()
    down.stop()
    hanging.answers = [HANG] * 1000
    with Delivering(journal) as delivering:
        for name, each in (("down", down), ("hanging", hanging), ("well", receiver)):
            delivering.hook(name, each.url)
        delivering.begin(20)
        until(lambda: journal.cursor("webhook:well") == 20)
        assert "ConnectError" in until(lambda: delivering.delivery.error("webhook:down"))
        assert "ReadTimeout" in until(lambda: delivering.delivery.error("webhook:hanging"))
        assert (journal.cursor("webhook:down"), journal.cursor("webhook:hanging")) == (0, 0)
        down.start()
        hanging.answers.clear()
        hanging.released.set()
        until(lambda: journal.cursor("webhook:down") == journal.cursor("webhook:hanging") == 20)
        assert down.numbers() == hanging.numbers() == receiver.numbers() == list(range(1, 21))
    down.stop()
    hanging.stop()


@pytest.mark.parametrize("answer", [410, 404, 400, 301])
def test_what_is_refused_for_good_holds_up_nothing(journal: Journal, receiver: Receiver, answer: int) -> None:
    with Delivering(journal) as delivering:
        hook = delivering.hook("hook", receiver.url)
        receiver.answers = [(answer, {"location": "http://169.254.169.254/"})]
        delivering.begin(3)
        until(lambda: journal.cursor("webhook:hook") == 3)
        assert receiver.numbers() == [2, 3]
        (dead,) = journal.dead_letters("webhook:hook")
        assert (dead.event.seq, dead.attempts) == (1, 1)
        assert str(answer) in dead.detail
        receiver.answers = [500]
        assert delivering.run(delivering.delivery.retry(hook)) == 0
        assert delivering.run(delivering.delivery.retry(hook)) == 1
        assert receiver.numbers() == [2, 3, 1]
        assert journal.dead_letters("webhook:hook") == []


def test_what_is_not_taken_for_long_is_given_up(journal: Journal, receiver: Receiver) -> None:
    with Delivering(journal, give_up_hours=0.3 / 3600) as delivering:
        delivering.hook("hook", receiver.url)
        receiver.answers = [500] * 1000
        delivering.begin(2)
        until(lambda: journal.cursor("webhook:hook") == 2)
        assert [each.event.seq for each in journal.dead_letters("webhook:hook")] == [1, 2]
        assert journal.dead_letters("webhook:hook")[0].attempts > 1


def test_whoever_was_erased_is_not_told_of(journal: Journal, receiver: Receiver) -> None:
    with Delivering(journal) as delivering:
        hook = delivering.hook("hook", receiver.url)
        receiver.answers = [410]
        delivering.begin(1, person_id="ada", name="Ada")
        until(lambda: journal.dead_letters("webhook:hook"))
        receiver.stop()
        delivering.begin(2, person_id="ada", name="Ada")
        delivering.begin(1, person_id="bob", name="Bob")
        until(lambda: "ConnectError" in (delivering.delivery.error("webhook:hook") or ""))
        assert journal.erase("group", "ada") == 3
        receiver.got.clear()
        receiver.start()
        until(lambda: journal.cursor("webhook:hook") == 4)
        assert [each["sighting"]["name"] for each in receiver.taken] == ["Bob"]
        assert delivering.run(delivering.delivery.retry(hook)) == 0
        assert journal.dead_letters("webhook:hook") == []
        assert b"Ada" not in b"".join(body for _, body in receiver.got)


@pytest.mark.parametrize("more", [True, False])
def test_what_was_erased_by_age_is_told_as_a_gap(journal: Journal, receiver: Receiver, more: bool) -> None:
    receiver.stop()
    with Delivering(journal) as delivering:
        delivering.hook("hook", receiver.url)
        delivering.record(*(replace(sighting(float(number)), open=False) for number in range(5)), kind="ended")
        until(lambda: delivering.delivery.error("webhook:hook"))
        assert journal.prune(time.time() + 1, 1000) == 5
        if more:
            delivering.begin(1)
        receiver.start()
        until(lambda: journal.cursor("webhook:hook") == 5 + more)
        gaps = [each for each in receiver.taken if each["type"] == "gap"]
        assert [number for gap in gaps for number in range(gap["from"], gap["to"] + 1)] == [1, 2, 3, 4, 5]
        assert [each["seq"] for each in receiver.taken if each["type"] != "gap"] == [6] * more
        assert {headers["webhook-id"] for headers, _ in receiver.got} >= {each["id"] for each in gaps}


def test_one_that_is_made_again_is_another(journal: Journal, receiver: Receiver) -> None:
    other = Receiver()
    with Delivering(journal) as delivering:
        delivering.hook("hook", receiver.url)
        delivering.begin(1)
        until(lambda: receiver.numbers() == [1])
        journal.delete_webhook("hook")  # both before the delivery looks
        delivering.hook("hook", other.url)
        until(lambda: delivering.delivery._hooks["webhook:hook"][0].url == other.url)
        delivering.begin(2)
        until(lambda: other.numbers() == [2, 3])
        delivering.remove("hook")
        until(lambda: not delivering.delivery._hooks)
        delivering.begin(1)
        assert journal.cursor("webhook:hook") is None
    assert receiver.numbers() == [1]
    assert other.numbers() == [2, 3]
    other.stop()


def test_who_wants_some_is_told_of_those(journal: Journal, receiver: Receiver) -> None:
    with Delivering(journal) as delivering:
        delivering.hook("hook", receiver.url, cameras=("door", "gate"), gallery="group")
        for camera, gallery in (
            ("door", "group"),
            ("door", "others"),
            ("yard", "group"),
            ("gate", "group"),
            ("yard", "x"),
        ):
            delivering.begin(1, camera=camera, gallery=gallery)
        until(lambda: journal.cursor("webhook:hook") == 5)
    assert receiver.numbers() == [1, 4]


def test_a_journal_that_is_away_is_waited_for(receiver: Receiver, tmp_path: Path) -> None:
    redis = RedisProcess(tmp_path)
    redis.start()
    journal = open_journal(redis.url, KEY)
    with Delivering(journal) as delivering:
        delivering.hook("hook", receiver.url)
        receiver.answers = [500] * 1000
        delivering.begin(5)
        until(lambda: receiver.got)
        redis.kill()
        until(lambda: "journal" in (delivering.delivery.error("webhook:hook") or ""))
        receiver.answers.clear()
        redis.start()
        until(lambda: receiver.numbers() == [1, 2, 3, 4, 5])
        until(lambda: delivering.delivery.error("webhook:hook") is None)
    journal.close()
    redis.kill()


def test_killed_at_any_moment_nothing_is_left_out(url: str, receiver: Receiver) -> None:
    journal = open_journal(url, KEY)
    made = Delivering(journal)
    with made:
        made.hook("hook", receiver.url)
    for turn in range(3):
        command = [sys.executable, "-m", "tests.unit.cameras.delivery.delivery_process", url, KEY.get_secret_value()]
        receiver.came.clear()
        process = subprocess.Popen(command)
        try:
            assert receiver.came.wait(60)
            time.sleep(random.Random(turn).uniform(0.05, 0.4))
        finally:
            process.kill()
            process.wait()
    newest = journal.span()[1]
    assert newest > 10
    with Delivering(journal):
        until(lambda: journal.cursor("webhook:hook") == newest)
    journal.close()
    first = list(dict.fromkeys(receiver.numbers()))
    assert first == list(range(1, newest + 1))
    assert len({(each["seq"], each["id"]) for each in receiver.taken}) == newest  # twice, perhaps, but under one id
    assert len(receiver.taken) <= newest + 3
