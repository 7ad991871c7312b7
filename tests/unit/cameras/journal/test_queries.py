"""Pages of sightings: what little is asked of the database, and cursors and moments that are none."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facegroup.cameras.journal import open_journal
from facegroup.cameras.sightings.journal import Filter, Journal
from facegroup.errors import MalformedRequest, StoreInvalid
from facegroup.store.rows.rows import Put, Row, Span
from facegroup.store.rows.sqlite_rows import SqliteRows
from tests.unit.cameras.journal.made import begin, sighting


@pytest.fixture
def read(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> list[Row | None]:
    """The rows that were read so far."""
    rows: list[Row | None] = []
    database = journal._rows  # type: ignore[attr-defined]

    def watched(call: Callable[..., list[Row | None]]) -> Callable[..., list[Row | None]]:
        def noted(*given: Any, **named: Any) -> list[Row | None]:
            found = call(*given, **named)
            rows.extend(found)
            return found

        return noted

    for name in ("page", "get"):
        monkeypatch.setattr(database, name, watched(getattr(database, name)))
    return rows


def test_the_last_minutes_cost_the_last_minutes(journal: Journal, read: list[Row | None]) -> None:
    begin(journal, *(sighting(float(at), open=False) for at in range(0, 20_000, 10)))
    del read[:]
    assert len(journal.sightings(Filter(since=19_900.0), limit=100)) == 10
    assert len(read) < 50


def test_a_page_far_back_costs_no_more_than_the_first(tmp_path: Path) -> None:
    rows = SqliteRows(tmp_path / "rows.db", "journal of cameras", 0x66676A6F)
    rows.apply([Put("t", f"{at:05d}", float(at)) for at in range(20_000)])
    steps: list[None] = []

    def counted(**given: Any) -> int:
        with rows._file.read() as db:
            db.set_progress_handler(lambda: steps.append(None), 100)
        del steps[:]
        assert len(rows.page("t", Span(10, **given))) == 10
        return len(steps)

    for newest in (True, False):
        first = counted(newest=newest)
        assert counted(newest=newest, after=(10_000.0, "10000")) <= first + 2
    rows.close()


def test_whoever_stayed_long_is_found(journal: Journal) -> None:
    begin(journal, *(sighting(float(at), open=False) for at in range(0, 1000, 10)))
    long = sighting(50.0, last_seen=990.0, open=False)
    begin(journal, long)
    found = journal.sightings(Filter(since=980.0))
    assert [each.first_seen for each in found] == [990, 980, 50]
    assert found[-1].id == long.id


def test_who_is_there_costs_as_many_as_there_are(journal: Journal, read: list[Row | None]) -> None:
    begin(journal, *(sighting(float(at), open=at % 500 == 0) for at in range(1500)))
    del read[:]
    first = journal.sightings(Filter(open=True, gallery="group"), limit=2)
    assert [each.first_seen for each in first] == [1000, 500]
    assert [each.first_seen for each in journal.sightings(Filter(open=True), first[-1].cursor)] == [0]
    assert journal.sightings(Filter(open=True, until=10), first[0].cursor)[0].first_seen == 0
    assert len(read) < 50


@pytest.mark.parametrize("cursor", ["nonsense", "nan@x", "@", "1.0@\ud800", "1,0@x"])
def test_what_is_no_cursor(journal: Journal, cursor: str) -> None:
    begin(journal, sighting(1))
    for wanted in (Filter(), Filter(open=True)):
        with pytest.raises(MalformedRequest):
            journal.sightings(wanted, cursor)


@pytest.mark.parametrize("cursor", ["inf@x", "1e400@x", "1.5@", "1.5", "1.5@\x00"])
def test_what_may_be_a_cursor(journal: Journal, cursor: str) -> None:
    begin(journal, sighting(1), sighting(2))
    assert [each.first_seen for each in journal.sightings(Filter(), cursor)][-1] == 1


@pytest.mark.parametrize("moment", [math.inf, -math.inf, 1e308, -1e308])
def test_moments_out_of_all_reason(journal: Journal, moment: float) -> None:
    begin(journal, sighting(1))
    assert len(journal.sightings(Filter(since=moment))) == (moment < 0)
    assert len(journal.sightings(Filter(until=moment))) == (moment > 0)


def test_moments_that_are_none(journal: Journal) -> None:
    for wanted in (Filter(since=math.nan), Filter(until=math.nan), Filter(open=True, until=math.nan)):
        with pytest.raises(MalformedRequest):
            journal.sightings(wanted)


@pytest.mark.parametrize("number", [-5, 1 << 62, 1 << 70, 10**400])
def test_numbers_that_no_event_has(journal: Journal, number: int) -> None:
    begin(journal, sighting(1))
    assert len(journal.events(number, 5)) == (number < 0)
    assert journal.dead_letters("webhook:x", number) == []


@pytest.mark.parametrize("url", ["sqlite:///", "sqlite:////", "sqlite:///."])
def test_an_address_without_a_file(url: str) -> None:
    with pytest.raises(StoreInvalid):
        open_journal(url)
