"""Damaged rows, foreign data, a database that is away."""

import logging
import sqlite3
from pathlib import Path

import pytest
import redis

from facegroup.errors import StoreInvalid, StoreUnavailable
from facegroup.journal import open_journal
from facegroup.journal.base import Filter, Journal
from tests.conftest import RedisProcess
from tests.unit.journal.made import begin, sighting


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
    with pytest.raises(StoreInvalid, match="another program's"):
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
