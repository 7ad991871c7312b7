"""Damaged rows, foreign data, a database that is away."""

import asyncio
import json
import logging
import math
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
import redis

from facegroup.access.rates import Rates
from facegroup.access.registry import open_registry
from facegroup.access.types import Caller, Grant, RateLimits
from facegroup.cameras.journal import open_journal
from facegroup.cameras.sightings.book import SightingBook
from facegroup.cameras.sightings.journal import Filter, Journal, NewEvent
from facegroup.cameras.types import Camera
from facegroup.errors import StoreInvalid, StoreUnavailable
from facegroup.settings import Cameras
from tests.conftest import RedisProcess
from tests.unit.cameras.journal.made import begin, sighting, unknown


def _damage(url: str, table: str, key: str, value: bytes) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///").replace("g.db", "g.cameras.db")) as db:
            assert (
                db.execute("UPDATE rows SET value = ? WHERE place = ? AND key = ?", (value, table, key)).rowcount == 1
            )
        db.close()
    else:
        with redis.Redis.from_url(url) as client:
            assert client.hset(f"facegroup:{{cameras}}:rows:{table}", key, value) == 0


@pytest.mark.parametrize(
    "value", [b"", b"\xff\xfe", b"[]", b"{}", b'{"id": 7}', b"null", b'{"id":"x","first_seen":1e999}']
)
def test_a_damaged_row_is_skipped_and_named(
    journal: Journal, url: str, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = begin(journal, sighting(1), sighting(2))
    _damage(url, "sightings", bad.sighting.id, value)
    _damage(url, "events", f"{1:016d}", value)
    with caplog.at_level(logging.ERROR):
        assert journal.sightings(Filter()) == [good.sighting]
        assert journal.events(0, 5) == [good]
    assert bad.sighting.id in caplog.text
    with pytest.raises(StoreInvalid):
        journal.sighting(bad.sighting.id)
    assert journal.erase("group") == 2  # whoever is in the damaged one
    assert journal.sightings(Filter()) == []
    assert begin(journal, sighting(3))[0].seq == 3


def test_a_damaged_event_hides_no_later_one(journal: Journal, url: str) -> None:
    events = begin(journal, *(sighting(float(at)) for at in range(4)))
    for seq in (2, 3):
        _damage(url, "events", f"{seq:016d}", b"{")
    assert journal.events(0, 1) == events[:1]
    assert journal.events(1, 1) == events[3:]
    assert journal.prune(before=events[0].at - 1000, keep=100) == 0
    assert journal.events(0, 9) == [events[0], events[3]]  # nothing of it is old


@pytest.mark.parametrize(
    ("table", "key", "fault"),
    [
        ("cameras", "door", {"cooldown": "long"}),
        ("cameras", "door", {"id": 7}),
        ("cameras", "door", {"gallery": None}),
        ("unknowns", "group/unknown-1", {"centroid": ""}),
        ("unknowns", "group/unknown-1", {"centroid": "AAAA"}),
        ("unknowns", "group/unknown-1", {"last_seen": "late"}),
        ("sightings", "s", {"frames": "many"}),
        ("sightings", "s", {"first_seen": 10**400}),
        ("sightings", "s", {"last_seen": math.nan}),
        ("sightings", "s", {"id": "[" * 100_000}),
    ],
)
def test_whatever_is_damaged_lists_go_on(
    journal: Journal, url: str, table: str, key: str, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    for camera in ("door", "gate"):
        journal.create_camera(Camera(camera, "file:///x", "g"), 5)
    for at, one in enumerate("st"):
        journal.record([NewEvent("began", sighting(at, id=one), unknown=unknown(at + 1, at=at))])
    (row,) = journal._rows.get(table, [key])  # type: ignore[attr-defined]
    value = json.dumps(json.loads(row.value) | fault).encode()
    _damage(url, table, key, b"[" * 100_000 if "[[" in str(fault) else value)
    with caplog.at_level(logging.ERROR):
        SightingBook(journal, Cameras(), lambda gallery: 0.5)
        found = {
            "cameras": [each.id for each in journal.cameras()],
            "unknowns": [each.id for each in journal.unknowns()],
            "sightings": [each.id for each in journal.sightings(Filter())],
        }
    every = {"cameras": ["door", "gate"], "unknowns": ["unknown-2", "unknown-1"], "sightings": ["t", "s"]}
    gone = key.removeprefix("group/")
    assert found == every | {table: [each for each in every[table] if each != gone]}
    assert key in caplog.text


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "g.cameras.db"
    path.write_bytes(b"no database" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreInvalid, match="journal of cameras"):
        open_journal(f"sqlite:///{tmp_path}/g.db")
    assert path.read_bytes() == before


def test_the_gallery_is_no_journal(tmp_path: Path) -> None:
    from facegroup.store import open_store

    open_store(f"sqlite:///{tmp_path}/g.cameras.db").close()
    with pytest.raises(StoreInvalid, match="another program"):
        open_journal(f"sqlite:///{tmp_path}/g.db")


def test_foreign_keys_of_redis_are_named_and_nothing_is_half_done(redis_url: str) -> None:
    journal = open_journal(redis_url)
    with redis.Redis.from_url(redis_url) as client:
        client.set("facegroup:{cameras}:order:events", "x")
        with pytest.raises(StoreInvalid, match="order:events"):
            begin(journal, sighting(1))
        client.delete("facegroup:{cameras}:order:events")
    assert journal.sightings(Filter()) == []
    assert begin(journal, sighting(1))[0].seq == 1
    journal.close()


def test_numbers_are_never_given_twice_by_a_redis_that_lost_them(redis_url: str) -> None:
    journal = open_journal(redis_url)
    first = begin(journal, sighting(1), sighting(2))
    journal.next_unknown("group")
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    assert journal.span() == (1, 0)
    (event,) = begin(journal, sighting(3))
    assert event.seq == 3
    assert journal.span() == (3, 3)
    assert journal.events(first[-1].seq, 9) == [event]  # whoever had read the first two goes on
    assert journal.next_unknown("group") == "unknown-2"
    journal.close()


def test_the_user_that_the_page_tells_to_make_can_keep_a_journal(tmp_path: Path) -> None:
    page = Path(__file__).parents[4] / "docs/gallery.md"
    (line,) = re.findall(r"^ACL SETUSER (facegroup .*)$", page.read_text(), re.MULTILINE)
    process = RedisProcess(tmp_path)
    process.start()
    with redis.Redis.from_url(process.url) as admin:
        words = line.replace(">PASSWORD", ">s3cr3t").split()
        if tuple(map(int, admin.info()["redis_version"].split(".")[:2])) < (7, 2):
            words.remove("+waitaof")
        admin.execute_command("ACL", "SETUSER", *words)
    journal = open_journal(process.url.replace("redis://", "redis://facegroup:s3cr3t@"))
    journal.create_camera(Camera("door", "file:///x", "g"), 5)
    (event,) = journal.record([NewEvent("began", sighting(1, open=False), b"face", unknown(1))])
    assert journal.sightings(Filter(since=0)) == [event.sighting]
    assert journal.sightings(Filter(), event.sighting.cursor) == journal.sightings(Filter(open=True)) == []
    assert journal.unknown("group", "unknown-1").shots
    assert journal.prune(before=2, keep=9) == 0
    assert journal.prune(before=1e9, keep=9) == 1
    journal.erase("group")
    journal.close()
    given = process.url.replace("redis://", "redis://facegroup:s3cr3t@")
    registry = open_registry(given)
    registry.touch({registry.add(Grant(frozenset({"identify"})))[0].id: 1.0})
    assert registry.url_secret()
    assert [key.last_used for key in registry.all()] == [1.0]
    registry.close()
    caller = Caller("0123", "key", "", Grant(frozenset({"identify"}), limits=RateLimits(requests=9)))

    async def count() -> list[int]:
        shared = Rates(given), Rates(given)  # which Redis refuses would count alone
        return [(await each.spend(caller, "127.0.0.1", "requests", 2))[0].remaining for each in (*shared, *shared)]

    assert asyncio.run(count()) == [7, 5, 3, 1]
    with redis.Redis.from_url(process.url) as admin:
        assert admin.execute_command("ACL", "LOG") == []
    process.kill()


def test_a_redis_that_is_away_is_said(tmp_path: Path) -> None:
    process = RedisProcess(tmp_path)
    process.start()
    journal = open_journal(process.url)
    (event,) = begin(journal, sighting(1))
    process.kill()
    for call in (journal.ping, lambda: journal.events(0, 1), lambda: begin(journal, sighting(2)), journal.span):
        with pytest.raises(StoreUnavailable):
            call()
    process.start()
    assert journal.events(0, 5) == [event]
    journal.close()
    process.kill()
