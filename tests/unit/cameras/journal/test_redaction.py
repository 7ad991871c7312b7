"""Whoever is erased is named nowhere any more: not in old events, dead letters, videos, files or keys."""

from dataclasses import replace
from pathlib import Path

import redis

from facegroup.cameras.sightings.journal import Filter, Journal, NewEvent
from facegroup.cameras.sightings.types import DeadLetter, Event, Video, Webhook
from tests.unit.cameras.journal.made import begin, sighting, unknown


def _kept(url: str, folder: Path) -> bytes:
    """Everything that the database holds."""
    if url.startswith("sqlite"):
        return b"".join(each.read_bytes() for each in folder.glob("g.cameras.db*"))
    with redis.Redis.from_url(url) as client:
        tables = [client.hgetall(key) for key in client.keys("*") if client.type(key) == b"hash"]
        return b"".join(word for table in tables for pair in table.items() for word in pair) + b"".join(
            client.keys("*")
        )


def _names(events: list[Event]) -> list[str]:
    return [each.sighting.name for each in events]


def test_events_outlive_their_sightings_but_no_name_does(journal: Journal, url: str, tmp_path: Path) -> None:
    begin(journal, *(sighting(float(at), name="Ada-Word", open=False) for at in range(4)), crop=b"FACE-OF-ADA")
    begin(journal, sighting(9, person_id="bob", name="Bob-Word", open=False))
    assert journal.prune(before=-1, keep=3) == 2  # events stay for as many sightings again
    assert journal.erase("group", "ada") == 2
    assert _names(journal.events(0, 9)) == ["", "", "", "", "Bob-Word"]
    assert journal.erase("group", "ada") == 0
    journal.close()
    kept = _kept(url, tmp_path)
    assert b"Bob-Word" in kept
    for word in (b"Ada-Word", b"FACE-OF-ADA", b'"ada"'):
        assert word not in kept


def test_what_a_sighting_was_taken_for_goes_with_whom_it_was(journal: Journal) -> None:
    (event,) = begin(journal, sighting(1, name="Ada"))
    bob = replace(event.sighting, person_id="bob", name="Bob")
    journal.record([NewEvent("changed", bob, was=event.sighting)])
    assert journal.erase("group", "ada") == 0
    assert _names(journal.events(0, 9)) == ["", "Bob"]
    assert [each.name for each in journal.sightings(Filter())] == ["Bob"]
    assert journal.erase("group", "bob") == 1
    assert _names(journal.events(0, 9)) == ["", ""]


def test_dead_letters_name_nobody_who_was_erased(journal: Journal, url: str, tmp_path: Path) -> None:
    hook = journal.create_webhook(Webhook("hook", "https://host/in", "word"), 3)
    ada, bob = begin(journal, sighting(1, name="Ada-Word"), sighting(2, person_id="bob", name="Bob"))
    subscriber = f"webhook:{hook.id}"
    for event in (ada, bob):
        journal.advance(subscriber, event.seq, DeadLetter(subscriber, event, 5.0, 1, "410"))
    journal.erase("group", "ada")
    assert _names([each.event for each in journal.dead_letters(subscriber)]) == ["", "Bob"]
    assert b"Ada-Word" not in _kept(url, tmp_path)


def test_results_of_videos_lose_a_member_and_go_with_the_gallery(journal: Journal) -> None:
    seen = [{"person_id": "ada", "name": "Ada"}, {"person_id": None, "name": "unknown-1"}]
    video = Video("1", "a.mp4", "group", "done", 1.0, 5.0, None, {"sightings": seen, "gallery": "group"})
    other = replace(video, id="2", gallery="other")
    waiting = replace(video, id="3", state="waiting", result=None)
    for each in (video, other, waiting):
        journal.write_video(each)
    journal.erase("group", "ada")
    assert journal.video("1").result == {"sightings": seen[1:], "gallery": "group"}
    assert journal.video("2") == other
    assert journal.video("3") == waiting
    journal.erase("group")
    assert [each.id for each in journal.videos()] == ["2"]


def test_somebody_of_the_same_id_elsewhere_stays(journal: Journal) -> None:
    other = unknown(1, gallery="other")
    begin(journal, sighting(1), sighting(2, gallery="other", name="Other Ada"))
    begin(journal, sighting(3, gallery="other", person_id=None, unknown="unknown-1", name="unknown-1"))
    journal.record([NewEvent("began", sighting(4, person_id=None, unknown="unknown-1"), unknown=unknown(1))])
    journal.record([NewEvent("began", sighting(5, gallery="other"), unknown=other)])
    assert journal.erase("group", "ada") == 1
    assert journal.erase("group", unknown="unknown-1") == 1
    assert {each.gallery for each in journal.sightings(Filter())} == {"other"}
    assert [each.gallery for each in journal.unknowns()] == ["other"]
    assert [each.sighting.gallery for each in journal.events(0, 9) if each.sighting.name] == ["other"] * 3


def test_a_gallery_of_hundreds_is_erased_whole(journal: Journal) -> None:
    begin(journal, *(sighting(float(at)) for at in range(1100)))
    begin(journal, sighting(5, gallery="other", name="Bob"))
    assert journal.erase("group") == 1100
    assert [each.gallery for each in journal.sightings(Filter(), limit=2000)] == ["other"]
    assert {each for each in _names(journal.events(0, 2000)) if each} == {"Bob"}
    assert journal.span() == (1, 1101)
