"""What `facegroup.cameras.sightings.journal` promises, asked of every journal."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from facegroup import errors
from facegroup.cameras.journal import may_be_there, open_journal
from facegroup.cameras.sightings.journal import Filter, Journal, NewEvent
from facegroup.cameras.sightings.types import DeadLetter, Sighting, Video, Webhook
from facegroup.cameras.types import Camera
from facegroup.errors import FacegroupError
from tests.unit.cameras.journal.conftest import KEY
from tests.unit.cameras.journal.made import begin, descriptor, sighting, unknown

SECRET = "rtsp://root:s3cr3t-word@10.0.0.5/stream?token=t0ken-word"


def test_a_camera_is_kept_as_it_is(journal: Journal) -> None:
    region = ((0.0, 0.0), (1.0, 0.25), (0.5, 1.0))
    camera = Camera(
        "door", SECRET, "group", fps=0.5, regions=(region,), quality="strict", min_face_size=40, motion=False
    )
    made = journal.create_camera(camera, 2)
    assert made == replace(camera, created_at=made.created_at, updated_at=made.updated_at)
    assert made.created_at > 1.7e9
    assert journal.camera("door") == made
    other = journal.create_camera(Camera("attic", "rtsp://10.0.0.6/", "曾宏鈞"), 2)
    assert journal.cameras() == [other, made]
    changed = journal.replace_camera(replace(made, fps=9.0, created_at=5.0))
    assert (changed.fps, changed.created_at) == (9.0, made.created_at)
    assert journal.camera("door") == changed
    journal.delete_camera("door")
    assert journal.cameras() == [other]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda journal: journal.camera("none"), errors.UnknownCamera),
        (lambda journal: journal.replace_camera(Camera("none", "file:///x", "g")), errors.UnknownCamera),
        (lambda journal: journal.delete_camera("none"), errors.UnknownCamera),
        (lambda journal: journal.create_camera(Camera("first", "file:///x", "g"), 5), errors.CameraExists),
        (lambda journal: journal.create_camera(Camera("second", "file:///x", "g"), 1), errors.TooManyCameras),
        (lambda journal: journal.sighting("none"), errors.UnknownSighting),
        (lambda journal: journal.crop("none"), errors.UnknownSighting),
        (lambda journal: journal.sightings(Filter(), "nonsense"), errors.MalformedRequest),
        (lambda journal: journal.unknown("g", "unknown-1"), errors.UnknownStranger),
        (lambda journal: journal.promoted("g", "unknown-1", "p", "P"), errors.UnknownStranger),
        (lambda journal: journal.create_webhook(Webhook("first", "http://a/", "s"), 5), errors.WebhookExists),
        (lambda journal: journal.create_webhook(Webhook("second", "http://a/", "s"), 1), errors.TooManyWebhooks),
        (lambda journal: journal.delete_webhook("none"), errors.UnknownWebhook),
        (lambda journal: journal.video("none"), errors.UnknownVideo),
        (lambda journal: journal.delete_video("none"), errors.UnknownVideo),
    ],
)
def test_what_cannot_be_done_is_said(journal: Journal, call: Any, error: type[FacegroupError]) -> None:
    journal.create_camera(Camera("first", "file:///x", "g"), 1)
    journal.create_webhook(Webhook("first", "http://a/", "s"), 1)
    with pytest.raises(error):
        call(journal)


def test_passwords_are_sealed(journal: Journal, url: str, tmp_path: Any) -> None:
    journal.create_camera(Camera("door", SECRET, "group"), 1)
    journal.create_webhook(Webhook("hook", "https://user:wordpass@host/", "hmac-word"), 1)
    if url.startswith("sqlite"):
        kept = b"".join(each.read_bytes() for each in tmp_path.glob("g.cameras.db*"))
    else:
        import redis

        with redis.Redis.from_url(url) as client:
            kept = b"".join(b"".join(client.hgetall(key).values()) for key in client.keys("*rows:*"))
    assert b"door" in kept
    for word in (b"s3cr3t-word", b"t0ken-word", b"wordpass", b"hmac-word"):
        assert word not in kept
    other = open_journal(url, None)
    assert other.camera("door") == replace(journal.camera("door"), source="")
    (hook,) = other.webhooks()
    assert (hook.id, hook.url, hook.secret) == ("hook", "", "")
    with pytest.raises(errors.KeyMissing):
        other.create_camera(Camera("gate", SECRET, "group"), 5)
    with pytest.raises(errors.KeyMissing):
        other.replace_camera(Camera("door", SECRET, "group"))
    other.create_camera(Camera("gate", "rtsp://10.0.0.5/", "group"), 5)
    other.close()
    assert [each.id for each in journal.cameras()] == ["door", "gate"]


def test_a_source_that_cannot_be_opened_is_not_lost_by_a_change(journal: Journal, url: str) -> None:
    journal.create_camera(Camera("door", SECRET, "group"), 1)
    other = open_journal(url, None)
    changed = other.replace_camera(replace(other.camera("door"), fps=7.0))
    assert (changed.source, other.camera("door").source) == ("", "")
    assert (journal.camera("door").source, journal.camera("door").fps) == (SECRET, 7.0)
    other.replace_camera(replace(other.camera("door"), source="rtsp://10.0.0.9/"))
    assert journal.camera("door").source == "rtsp://10.0.0.9/"
    other.close()


def test_a_new_key_opens_what_the_old_one_sealed(journal: Journal, url: str) -> None:
    from pydantic import SecretStr

    from facegroup.cameras.journal.encryption import new_key

    journal.create_camera(Camera("door", SECRET, "group"), 1)
    both = open_journal(url, SecretStr(f"{new_key()}, {KEY.get_secret_value()}"))
    assert both.camera("door").source == SECRET
    both.close()
    with pytest.raises(errors.InvalidSettings) as caught:
        open_journal(url, SecretStr("no-key-at-all"))
    assert "no-key" not in str(caught.value)


def test_events_count_without_a_gap(journal: Journal) -> None:
    assert journal.span() == (1, 0)
    first = begin(journal, sighting(1), sighting(2), crop=b"face")
    second = journal.record([NewEvent("ended", replace(first[0].sighting, open=False))])
    assert journal.record([]) == []
    assert [each.seq for each in first + second] == [1, 2, 3]
    assert journal.events(0, 10) == first + second
    assert journal.events(1, 1) == first[1:]
    assert journal.events(3, 10) == []
    assert journal.span() == (1, 3)
    assert second[0].sighting.seq == 3
    assert journal.sighting(first[0].sighting.id) == second[0].sighting
    assert first[0].sighting.crop
    assert journal.crop(first[0].sighting.id) == b"face"
    assert len({each.id for each in first + second}) == 3


def test_a_sighting_is_found_by_everything_that_a_filter_has(journal: Journal) -> None:
    a = sighting(10, visit_id="v1")
    b = sighting(20, camera="gate", person_id=None, unknown="unknown-1", name="unknown-1", visit_id="v1")
    c = sighting(30, gallery="other", person_id="bob", name="Bob", open=False)
    begin(journal, a, b, c)
    cases: list[tuple[Filter, list[Sighting]]] = [
        (Filter(), [c, b, a]),
        (Filter(camera="door"), [c, a]),
        (Filter(gallery="group"), [b, a]),
        (Filter(person_id="ada"), [a]),
        (Filter(gallery="group", person_id="ada"), [a]),
        (Filter(gallery="other", person_id="ada"), []),
        (Filter(gallery="group", unknown="unknown-1"), [b]),
        (Filter(unknown="unknown-1"), [b]),
        (Filter(known=True), [c, a]),
        (Filter(known=False), [b]),
        (Filter(since=25), [c, b]),
        (Filter(until=20), [a]),
        (Filter(visit_id="v1"), [b, a]),
        (Filter(open=True), [b, a]),
        (Filter(open=False), [c]),
        (Filter(camera="door", gallery="other", known=True, since=0, until=1e12, open=False), [c]),
        (Filter(cameras=("gate", "door", "gate", "none")), [c, b, a]),
        (Filter(cameras=("gate",)), [b]),
        (Filter(cameras=("door", "gate"), galleries=("group",)), [b, a]),
        (Filter(galleries=("other", "group")), [c, b, a]),
        (Filter(galleries=("none", "other")), [c]),
        (Filter(cameras=()), []),
        (Filter(galleries=(), person_id="ada"), []),
        (Filter(camera="door", cameras=("gate",)), []),
        (Filter(gallery="group", cameras=("door",)), [a]),
        (Filter(person_id="ada", galleries=("other",)), []),
        (Filter(visit_id="v1", cameras=("gate", "yard")), [b]),
        (Filter(open=True, cameras=("door",)), [a]),
        (Filter(cameras=("door", "gate"), since=25, until=25), [b]),
    ]
    for wanted, expected in cases:
        assert [each.id for each in journal.sightings(wanted)] == [each.id for each in expected], wanted


def test_pages_follow_each_other_whatever_happens_between(journal: Journal) -> None:
    many = [sighting(float(number // 3), camera=f"c{number % 2}") for number in range(30)]
    begin(journal, *many)
    every = [each.id for each in journal.sightings(Filter())]
    assert every == [each.id for each in sorted(many, key=lambda each: (each.first_seen, each.id), reverse=True)]
    found, after = [], ""
    while page := journal.sightings(Filter(), after, 7):
        found += [each.id for each in page]
        after = page[-1].cursor
    assert found == every
    page = journal.sightings(Filter(camera="c1"), "", 4)
    cut = page[-1]
    journal.erase("group", "ada")
    begin(journal, *many[:9])
    left = sorted(many[:9], key=lambda each: (each.first_seen, each.id), reverse=True)
    expected = [
        each.id for each in left if (each.first_seen, each.id) < (cut.first_seen, cut.id) and each.camera == "c1"
    ]
    assert [each.id for each in journal.sightings(Filter(camera="c1"), cut.cursor)] == expected


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_pages_of_several_cameras_and_galleries(journal: Journal, limit: int) -> None:
    many = [
        sighting(float(number // 5), camera=f"c{number % 3}", gallery=f"g{number % 4}", id=f"{number:032x}")
        for number in range(60)
    ]
    begin(journal, *many)
    newest = sorted(many, key=lambda each: (each.first_seen, each.id), reverse=True)
    for cameras, galleries in ((("c2", "c0", "none"), None), (None, ("g3", "g1")), (("c1", "c2"), ("g0", "g1", "g2"))):
        found, after = [], ""
        while page := journal.sightings(Filter(cameras=cameras, galleries=galleries), after, limit):
            assert len(page) <= limit
            found += [each.id for each in page]
            after = page[-1].cursor
        assert found == [
            each.id
            for each in newest
            if (cameras is None or each.camera in cameras) and (galleries is None or each.gallery in galleries)
        ]


def test_an_update_is_no_event(journal: Journal) -> None:
    (event,) = begin(journal, sighting(10))
    later = replace(event.sighting, last_seen=90.0, frames=77, similarity=0.9)
    journal.update([(later, b"better")])
    assert journal.sighting(later.id) == later
    assert journal.crop(later.id) == b"better"
    assert journal.span() == (1, 1)
    journal.update([])


def test_a_change_is_found_by_the_new_person_only(journal: Journal) -> None:
    stranger = unknown(1)
    was = sighting(10, person_id=None, unknown=stranger.id, name=stranger.id)
    (event,) = journal.record([NewEvent("began", was, unknown=stranger)])
    now = replace(event.sighting, person_id="ada", unknown=None, name="Ada")
    journal.record([NewEvent("changed", now, was=event.sighting, forgotten=stranger.id)])
    assert journal.sightings(Filter(gallery="group", unknown=stranger.id)) == []
    assert [each.id for each in journal.sightings(Filter(gallery="group", person_id="ada"))] == [was.id]
    assert journal.unknowns() == []


def test_retention_leaves_no_gap(journal: Journal) -> None:
    events = [begin(journal, sighting(float(number), open=number == 3), crop=b"x")[0] for number in range(10)]
    assert journal.prune(before=-1000.0, keep=100) == 0
    assert journal.prune(before=-1000.0, keep=6) == 3  # nine are over
    left = journal.sightings(Filter())
    assert [each.first_seen for each in left] == [9, 8, 7, 6, 5, 4, 3]
    with pytest.raises(errors.UnknownSighting):
        journal.crop(events[0].sighting.id)
    assert journal.span() == (1, 10)
    assert journal.prune(before=-1000.0, keep=4) == 2
    oldest, newest = journal.span()
    assert (oldest, newest) == (3, 10)  # twice as many events as sightings are kept
    assert [each.seq for each in journal.events(0, 100)] == list(range(oldest, newest + 1))
    assert journal.prune(before=math.inf, keep=4) == 4
    assert [each.open for each in journal.sightings(Filter())] == [True]
    assert journal.span() == (11, 10)
    assert begin(journal, sighting(50))[0].seq == 11


def test_retention_goes_so_far_at_a_time(journal: Journal) -> None:
    begin(journal, *(sighting(float(number), open=False) for number in range(10)))
    assert journal.prune(before=7, keep=100, most=2) == 2  # last seen at 5, 6, 7
    assert journal.prune(before=7, keep=100, most=2) == 1
    assert journal.prune(before=7, keep=4, most=2) == 2
    assert [each.first_seen for each in journal.sightings(Filter())] == [9, 8, 7, 6, 5]


def test_whom_it_erases_nothing_tells_of_any_more(journal: Journal, url: str, tmp_path: Any) -> None:
    stranger = unknown(7, crop=b"STRANGER-FACE")
    seen = sighting(20, person_id=None, unknown=stranger.id, name=stranger.id)
    begin(journal, sighting(10, name="Ada-Word"), crop=b"FACE-OF-ADA")
    begin(journal, sighting(15, person_id="bob", name="Bob"), crop=b"OTHER-FACE")
    journal.record([NewEvent("began", seen, b"FACE-OF-STRANGER", stranger)])
    assert journal.erase("group", person_id="ada") == 1
    assert journal.erase("group", person_id="ada") == 0
    assert journal.erase("group", unknown=stranger.id) == 1
    assert [each.name for each in journal.sightings(Filter())] == ["Bob"]
    assert journal.unknowns() == []
    told = journal.events(0, 10)
    assert [each.seq for each in told] == [1, 2, 3]
    assert [each.sighting.name for each in told] == ["", "Bob", ""]
    assert told[0].sighting == replace(
        told[0].sighting,
        person_id=None,
        unknown=None,
        visit_id="",
        frames=0,
        similarity=None,
        first_seen=0,
        last_seen=0,
    )
    if url.startswith("sqlite"):
        journal.close()
        kept = b"".join(each.read_bytes() for each in tmp_path.glob("g.cameras.db*"))
        for word in (b"FACE-OF-ADA", b"Ada-Word", b"FACE-OF-STRANGER", b"STRANGER-FACE"):
            assert word not in kept


def test_a_whole_gallery_is_erased(journal: Journal) -> None:
    begin(journal, sighting(10), sighting(11, gallery="other"))
    journal.record([NewEvent("began", sighting(12, person_id=None, unknown="unknown-1"), unknown=unknown(1))])
    assert journal.erase("group") == 2
    assert [each.gallery for each in journal.sightings(Filter())] == ["other"]
    assert journal.unknowns("group") == []


def test_strangers_have_numbers_for_good(journal: Journal) -> None:
    assert [journal.next_unknown("g") for _ in range(3)] == ["unknown-1", "unknown-2", "unknown-3"]
    assert journal.next_unknown("h") == "unknown-1"
    first, second, other = unknown(1, at=5), unknown(2, at=9), unknown(1, gallery="a/b", at=7)
    journal.record([NewEvent("began", sighting(1), unknown=each) for each in (first, second, other)])
    assert [(each.gallery, each.id) for each in journal.unknowns()] == [
        ("group", "unknown-2"),
        ("a/b", "unknown-1"),
        ("group", "unknown-1"),
    ]
    with pytest.raises(errors.UnknownStranger):
        journal.unknown("a", "b/unknown-1")
    assert [each.crops for each in journal.unknowns()] == [1, 1, 1]
    found = journal.unknown("a/b", "unknown-1")
    assert (found.visits, found.first_seen, found.last_seen, found.network) == (1, 7, 12, "net")
    np.testing.assert_array_equal(found.centroid, descriptor(1))
    np.testing.assert_array_equal(found.shots[0].descriptor, descriptor(1))
    assert found.shots[0].crop == b"JPEG"
    assert journal.prune_unknowns(before=0, keep=2) == [("group", "unknown-1")]
    assert journal.prune_unknowns(before=13, keep=2) == [("a/b", "unknown-1")]
    assert journal.next_unknown("g") == "unknown-4"


def test_a_stranger_becomes_a_member(journal: Journal) -> None:
    seen = [sighting(float(at), person_id=None, unknown="unknown-1", name="unknown-1") for at in range(3)]
    journal.record([NewEvent("began", each, unknown=unknown(1)) for each in seen])
    begin(journal, sighting(9, person_id=None, unknown="unknown-2", name="unknown-2"))
    assert journal.promoted("group", "unknown-1", "ada", "Ada") == 3
    found = journal.sightings(Filter(gallery="group", person_id="ada"))
    assert [(each.name, each.unknown) for each in found] == [("Ada", None)] * 3
    assert journal.sightings(Filter(gallery="group", unknown="unknown-1")) == []
    assert len(journal.sightings(Filter(gallery="group", unknown="unknown-2"))) == 1
    assert journal.unknowns() == []


def test_receivers_go_on_where_they_were(journal: Journal) -> None:
    begin(journal, sighting(1))
    hook = journal.create_webhook(Webhook("hook", "https://host/in", "word", ("door",), "group"), 3)
    assert journal.webhooks() == [hook]
    assert journal.cursor("webhook:hook") == 1  # what was before is not for it
    assert journal.cursor("mqtt") is None
    (event,) = begin(journal, sighting(2))
    letter = DeadLetter("webhook:hook", event, 5.0, 4, "410 Gone")
    journal.advance("webhook:hook", 2, letter)
    assert journal.cursor("webhook:hook") == 2
    assert journal.dead_letters("webhook:hook") == [letter]
    assert journal.dead_letters("webhook:hook", after=2) == []
    journal.forget_dead_letters("webhook:hook", [2])
    assert journal.dead_letters("webhook:hook") == []
    journal.advance("webhook:hook", 2, letter)
    journal.advance("mqtt", 1)
    assert journal.cursor("mqtt") == 1
    journal.delete_webhook("hook")
    journal.advance("webhook:hook", 2, letter)  # was under way
    assert (journal.webhooks(), journal.cursor("webhook:hook"), journal.dead_letters("webhook:hook")) == ([], None, [])


def test_videos_are_kept(journal: Journal) -> None:
    videos = [Video(f"{number}", "a.mp4", "g", "waiting", 0.0, float(number)) for number in range(4)]
    for each in videos:
        journal.write_video(each)
    done = replace(videos[2], state="done", progress=1.0, result={"sightings": [{"name": "曾"}]})
    journal.write_video(done)
    assert journal.video("2") == done
    assert journal.videos(2) == [videos[3], replace(done, result=None)]
    assert journal.prune_videos(before=1.0, keep=2) == 2
    journal.delete_video("3")
    assert [each.id for each in journal.videos()] == ["2"]


@pytest.mark.parametrize(
    "name", ["曾宏鈞", "\U0001f469\u200d\U0001f680", "a:b", "{a}", "100%", "'; DROP TABLE rows", "a/b", "*?[x]", ""]
)
def test_odd_names_are_names(journal: Journal, name: str) -> None:
    (event,) = begin(journal, sighting(1, gallery=name, person_id=name or None, name=name, camera="c"))
    wanted = Filter(gallery=name, person_id=name or None)
    assert journal.sightings(wanted) == [event.sighting]
    assert journal.erase(name) == 1


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_not_written(journal: Journal, value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        begin(journal, sighting(1, similarity=value))
    assert journal.span() == (1, 0)


def test_a_journal_is_there_again(journal: Journal, url: str) -> None:
    begin(journal, sighting(1), crop=b"face")
    journal.create_camera(Camera("door", SECRET, "group"), 2)
    again = open_journal(url, KEY)
    again.ping()
    assert again.sightings(Filter()) == journal.sightings(Filter())
    assert again.camera("door") == journal.camera("door")
    assert begin(again, sighting(2))[0].seq == 2
    assert begin(journal, sighting(3))[0].seq == 3
    again.close()
    again.close()


def test_a_file_is_there_once_it_was_opened(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path}/group.db"
    assert not may_be_there(url)
    open_journal(url).close()
    assert may_be_there(url)
    assert may_be_there("redis://127.0.0.1:9/0")  # it may be any server's
