"""The chain of an audit log: whatever is removed, changed, inserted or moved shows, and what retention removes does not."""

import hashlib
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest
import redis

from facegroup.errors import MalformedRequest
from facegroup.store import expiry, open_store
from facegroup.store.audit import Entry, Event, Origin, Retention
from facegroup.store.audit_chain import Chain
from facegroup.store.audit_check import Head, anchor_of, check, verify
from facegroup.store.contract import Store
from facegroup.store.staging import import_copy
from facegroup.types import Gallery
from facegroup.wire.galleries import AuditEntry
from tests.unit.store.samples import NETWORK, D, sample


@pytest.fixture
def log(store: Store, gallery: str) -> list[Entry]:
    """Ten entries of a gallery."""
    for number in range(9):
        store.note(gallery, Event("exported", f"p{number}", {"é": 1.5, "n": number}), Origin("key k1", "r", "10.0.0.7"))
    return store.audit(gallery)


def test_the_hash_is_the_one_that_the_documentation_gives(store: Store, gallery: str, log: list[Entry]) -> None:
    previous = bytes(32)
    for number, each in enumerate(log, 1):
        told = {"gallery": gallery, "at": each.at, "what": each.event.what, "person_id": each.event.person_id}
        told |= {"detail": each.event.detail, "actor": each.origin.actor, "request_id": each.origin.request or None}
        told |= {"address": each.origin.address, "result": each.result}
        content = hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).digest()
        assert each.previous == previous.hex()
        previous = hashlib.sha256(previous + content + number.to_bytes(8, "big")).digest()
        assert (each.number, each.hash) == (number, previous.hex())
    assert store.audit_chain(gallery) == Chain(10, previous.hex())
    done = verify(store, gallery)
    assert (done.fault, done.entries, done.older, done.head) == (None, 10, 0, f"10:{previous.hex()}")


@pytest.mark.parametrize(
    ("change", "number", "why"),
    [
        (lambda rows: rows[:4] + rows[5:], 6, "entry 5 is missing"),
        (lambda rows: rows[3:], 4, "entries 1 to 3 are missing"),
        (lambda rows: rows[:8], 9, "entries 9 to 10 are missing at the end"),
        (lambda rows: [], 1, "entries 1 to 10 are missing at the end"),
        (lambda rows: [*rows[:4], rows[5], rows[4], *rows[6:]], 6, "entry 5 is missing"),
        (lambda rows: [*rows[:5], rows[4], *rows[5:]], 5, "inserted or moved"),
        (lambda rows: [*rows[:4], replace(rows[4], result="forbidden"), *rows[5:]], 5, "was changed"),
        (lambda rows: [*rows[:4], replace(rows[4], at=rows[4].at + 1), *rows[5:]], 5, "was changed"),
        (lambda rows: [*rows[:4], replace(rows[4], origin=Origin("cli")), *rows[5:]], 5, "was changed"),
        (lambda rows: [*rows[:4], replace(rows[4], gallery="other"), *rows[5:]], 5, "was changed"),
        (lambda rows: [*rows[:4], replace(rows[4], previous="zz"), *rows[5:]], 5, "was changed"),
        (lambda rows: [*rows[:4], replace(rows[4], number=0, hash="", previous=""), *rows[5:]], 5, "not in the chain"),
        (lambda rows: [replace(rows[0], number=0), *rows], 1, "not in the chain"),
    ],
)
def test_the_first_bad_entry_is_found(
    store: Store, gallery: str, log: list[Entry], change: Callable[[list[Entry]], list[Entry]], number: int, why: str
) -> None:
    found = check(change(log), store.audit_chain(gallery)).fault
    assert found is not None
    assert (found.number, why in found.why) == (number, True), found


def test_a_row_that_is_removed_from_the_database_shows(url: str, store: Store, gallery: str, log: list[Entry]) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
            db.execute("DELETE FROM audit WHERE key = ?", (int(log[5].id),))
            db.commit()
    else:
        with redis.Redis.from_url(url) as client:
            (key,) = client.keys("*:audit")
            client.xdel(key, log[5].id)
    found = verify(store, gallery).fault
    assert found is not None
    assert (found.entry, found.number, found.why) == (log[6].id, 7, "entry 6 is missing before it")


@pytest.mark.parametrize(
    ("field", "value"), [("detail", "["), ("at", "soon"), ("detail", '{"n": NaN}'), ("detail", "3")]
)
def test_an_entry_that_cannot_be_read_shows_and_hides_no_other(
    url: str, store: Store, gallery: str, log: list[Entry], field: str, value: str
) -> None:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
            db.execute("DROP TRIGGER audit_is_append_only")
            db.execute(f"UPDATE audit SET {field} = ? WHERE key = ?", (value, int(log[5].id)))
            db.commit()
    else:
        with redis.Redis.from_url(url) as client:
            (key,) = client.keys("*:audit")
            rows = client.xrange(key)
            client.delete(key)
            for name, row in rows:
                client.xadd(key, {**row, field: value} if name.decode() == log[5].id else row, name)
    entries = store.audit(gallery)
    assert [each.id for each in entries] == [each.id for each in log]
    assert (entries[5].event, entries[5].result) == (Event("damaged"), "damaged")
    assert [*entries[:5], *entries[6:]] == [*log[:5], *log[6:]]
    found = verify(store, gallery).fault
    assert found is not None
    assert (found.entry, found.number) == (log[5].id, 6)
    assert AuditEntry.of(entries[5]).struct() == entries[5]


def test_what_retention_removes_leaves_an_anchor(url: str, store: Store, gallery: str, log: list[Entry]) -> None:
    with closing(open_store(url, keep=Retention(entries=4))) as short:
        short.note(gallery, Event("exported"))
        chain = short.audit_chain(gallery)
        assert (chain.number, chain.anchor.number, chain.anchor.id, chain.anchor.hash) == (
            11,
            7,
            log[6].id,
            log[6].hash,
        )
        done = verify(short, gallery, [Head(log[8].hash), Head(log[6].hash, 7)])
        assert (done.fault, done.entries) == (None, 4)
        gone = verify(short, gallery, [Head(log[1].hash, 2)]).fault
        assert gone is not None
        assert "retention removed entries up to 7" in gone.why
    with closing(open_store(url, keep=Retention(days=1e-9))) as none:
        assert expiry.trim(none) == 4
        assert none.audit(gallery) == []
        chain = none.audit_chain(gallery)
        assert (chain.number, chain.anchor.number) == (11, 11)
        assert verify(none, gallery, [Head.read(chain.head)]).fault is None
    store.note(gallery, Event("exported"))
    assert [each.number for each in store.audit(gallery)] == [12]
    assert verify(store, gallery).fault is None


def test_a_chain_that_was_computed_anew_does_not_lead_to_a_noted_head(
    store: Store, gallery: str, log: list[Entry]
) -> None:
    noted = Head.read(store.audit_chain(gallery).head)
    other = store.create_gallery(Gallery("other", NETWORK, D, 0.4)).name
    for _ in range(11):
        store.note(other, Event("exported"))
    assert verify(store, other).fault is None
    for head in (noted, Head(noted.hash)):
        found = verify(store, other, [head]).fault
        assert found is not None
        assert "written anew" in found.why
    for text in ("", "12", "x" * 64, "1:2:" + "0" * 64, "0" * 63):
        with pytest.raises(MalformedRequest):
            Head.read(text)


def test_heads_are_logged_once_a_day(store: Store, gallery: str, caplog: pytest.LogCaptureFixture) -> None:
    day = [0.0]
    heads = expiry.Heads(store, lambda: day[0] * 86_400)
    with caplog.at_level("INFO"):
        for day[0] in (1.0, 1.5, 2.0):
            heads.tell()
    head = store.audit_chain(gallery).head
    assert [each.getMessage() for each in caplog.records] == [f"head of the audit log of gallery {gallery}: {head}"] * 2


def test_exported_entries_are_checked_alone(log: list[Entry]) -> None:
    assert check(log, anchor_of(log)).fault is None
    assert check(log[3:], anchor_of(log[3:])).fault is None
    assert check([log[3], *log[5:]], anchor_of([log[3], *log[5:]])).fault is not None
    assert anchor_of([]) == Chain()


def test_the_server_has_a_log_of_its_own(store: Store, gallery: str) -> None:
    store.note("", Event("key_made", None, {"key": "k1"}), Origin("cli"), "done")
    store.note("", Event("refused", None, {"count": 3}), Origin("http 10.0.0.7"), "unauthorised")
    assert [(each.gallery, each.number, each.result) for each in store.audit("")] == [
        ("", 1, "done"),
        ("", 2, "unauthorised"),
    ]
    assert len(store.audit(gallery)) == 1
    assert store.audit(" ") == store.audit(import_copy(gallery)) == store.audit("a/b") == []
    assert verify(store, "").fault is None
    assert store.audits() == [gallery]
    store.delete_gallery(gallery)
    assert store.audits() == [gallery]
    assert store.audits(gallery) == store.audits(limit=0) == []
    assert verify(store, gallery).entries == 2


def test_a_gallery_made_anew_goes_on_with_its_chain(store: Store, gallery: str) -> None:
    store.delete_gallery(gallery)
    store.create_gallery(Gallery(gallery, NETWORK, D, 0.4))
    done = verify(store, gallery)
    assert (done.entries, done.fault) == (3, None)


def test_eight_writers_at_once_make_one_chain_and_lose_nothing(url: str, store: Store, gallery: str) -> None:
    people = [store.create_person(gallery, "x", person_id=f"p{number}").id for number in range(8)]

    def enrol(number: int) -> None:
        with closing(open_store(url)) as own:
            for each in range(10):
                own.add_samples(gallery, people[number], [sample(100 * number + each + 1)], NETWORK)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enrol, range(8)))
    assert [store.person(gallery, each).samples for each in people] == [10] * 8
    done = verify(store, gallery)
    assert (done.entries, done.fault) == (1 + 8 + 80, None)
