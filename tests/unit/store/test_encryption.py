"""Values under a key: read with it and in their place only; keys change beside readers and writers; nothing plain stays."""

import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from facegroup.errors import FacegroupError, InvalidSettings, KeyMissing, StoreUnavailable
from facegroup.gallery.matching import Matcher
from facegroup.networks.registry import spec
from facegroup.pipeline.messages import Query
from facegroup.store import check_store, open_store
from facegroup.store.audit import Event
from facegroup.store.encryption import OVERHEAD, SecretKeys, new_key, place, read_keys
from facegroup.store.paging import everybody
from facegroup.store.redis.keys import Keys
from facegroup.store.sqlite.store import SqliteStore
from facegroup.store.staging import import_copy, previous_copy
from facegroup.transfer.archive_reader import Archive
from facegroup.transfer.export_import import export, take_in
from facegroup.types import Gallery, Sample
from tests.conftest import RedisProcess
from tests.unit.store.samples import NETWORK, D, counter, descriptor, photo_id, sample, strangers

OLD, NEW = (SecretKeys([bytes([number]) * 32]) for number in (1, 2))
BOTH = SecretKeys([bytes([2]) * 32, bytes([1]) * 32])
NONE = SecretKeys()


class Opens:
    """Opens the same store with several keys."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._opened: list[Any] = []

    def __call__(self, keys: SecretKeys | None) -> Any:
        self._opened.append(open_store(self.url, keys=keys))
        return self._opened[-1]

    def close(self) -> None:
        for each in self._opened:
            each.close()


@pytest.fixture
def at(url: str) -> Iterator[Opens]:
    with closing(Opens(url)) as opens:
        yield opens


def fill(store: Any, *ids: str, gallery: str = "group") -> None:
    store.create_gallery(Gallery(gallery, NETWORK, D, 0.4))
    for number, who in enumerate(ids):
        store.create_person(gallery, who, person_id=who)
        store.add_samples(
            gallery, who, [sample(10 * number), sample(10 * number + 1), counter(10 * number + 2)], NETWORK
        )
    store.add_cohort(gallery, strangers(500, 501), NETWORK)


def content(store: Any, *ids: str, gallery: str = "group") -> Any:
    read, cohort = store.centroids(gallery), store.cohort(gallery)
    samples = [
        (who, each.id, each.crop, each.counter, each.descriptor.tobytes())
        for who in ids
        for each in store.samples(gallery, who, crops=True, counter=None)
    ]
    counters = {who: rows.tobytes() for who, rows in read.counters.items()}
    return read.ids, read.matrix.tobytes(), counters, samples, cohort.ids, cohort.matrix.tobytes()


def raw(url: str, tmp_path: Path) -> bytes:
    """Everything that is kept: of a file with its log, of a server all values."""
    if url.startswith("sqlite"):
        return b"".join(path.read_bytes() for path in sorted(tmp_path.glob("g.db*")))
    with closing(redis.Redis.from_url(url)) as client:
        return b"".join(client.dump(key) or b"" for key in client.scan_iter("*"))


def traces(url: str, tmp_path: Path) -> list[int]:
    """Which descriptors can be found in the bytes, by their first three numbers, which no compression breaks up."""
    kept = raw(url, tmp_path)
    return [n for n in (0, 1, 2, 10, 11, 12, 500, 501) if descriptor(n).astype("<f4").tobytes()[:12] in kept]


def test_a_value_is_read_in_its_place_only() -> None:
    where = place("centroid", "group", "ann")
    kept = OLD.encrypt(b"value", where)
    cipher = OLD.cipher(OLD.own)
    assert len(kept) == 5 + OVERHEAD
    assert kept != OLD.encrypt(b"value", where)
    assert cipher.decrypt(kept, where) == b"value"
    assert cipher.decrypt(kept, place("centroid", "group/next", "ann")) == b"value"
    for other in (("centroid", "group", "bo"), ("crop", "group", "ann"), ("centroid", "others", "ann")):
        assert cipher.decrypt(kept, place(*other)) is None
    for bit in range(8 * len(kept)):
        changed = bytearray(kept)
        changed[bit // 8] ^= 1 << bit % 8
        assert cipher.decrypt(bytes(changed), where) is None
    for length in range(len(kept)):
        assert cipher.decrypt(kept[:length], where) is None
    assert cipher.decrypt(b"plain", where) is None
    assert OLD.cipher(f"plain {OLD.own}").decrypt(b"plain", where) == b"plain"
    with pytest.raises(KeyMissing, match=OLD.own[:8]):
        NEW.cipher(OLD.own)


@pytest.mark.parametrize("text", ["", " ", ",", "none", "short", "no-key-at-all", "ä" * 44, new_key()[:-1], new_key() + "A",
                                  f"{new_key()},x", new_key().rstrip("="), "0" * 64], ids=count())  # fmt: skip
def test_what_is_no_key_is_refused_and_not_shown(text: str) -> None:
    if text == "none":
        assert read_keys(text, "it").own == "plain"
        return
    with pytest.raises(InvalidSettings, match=r"it (holds no key|is not a valid key)") as caught:
        read_keys(text, "it")
    assert len(text) < 6 or text not in str(caught.value)


def test_several_keys_are_read_and_the_first_writes() -> None:
    first, second = new_key(), new_key()
    for text in (f"{first},{second}", f" {first}\n{second}\n", f"{first} , {second}"):
        keys = read_keys(text, "it")
        assert keys.own == read_keys(first, "it").own
        assert keys.known == {"plain", keys.own, read_keys(second, "it").own}
    assert read_keys(f"none,{second}", "it").own == "plain"


def test_nothing_plain_is_written_with_a_key_and_nothing_is_answered_without(
    at: Opens, url: str, tmp_path: Path
) -> None:
    store = at(OLD)
    fill(store, "ann", "bo")
    assert traces(url, tmp_path) == []
    assert content(at(OLD), "ann", "bo") == content(store, "ann", "bo")
    assert not store.holds_plain()
    for keys in (None, NEW):
        other = at(keys)
        for ask in (
            lambda other=other: other.gallery("group"),
            lambda other=other: other.galleries(),
            lambda other=other: other.version("group"),
            lambda other=other: other.standing("group"),
            lambda other=other: other.centroids("group"),
            lambda other=other: other.centroids("group", since=0),
            lambda other=other: list(other.centroid_pages("group")),
            lambda other=other: other.person("group", "ann"),
            lambda other=other: other.samples("group", "ann"),
            lambda other=other: other.cohort("group"),
            lambda other=other: other.create_person("group", "Cy"),
            lambda other=other: other.create_gallery(Gallery("group", NETWORK, D, 0.4)),
            lambda other=other: other.update_gallery("group", threshold=0.1),
            lambda other=other: other.add_samples("group", "ann", [sample(7)], NETWORK),
            lambda other=other: other.delete_person("group", "ann"),
            lambda other=other: other.delete_gallery("group"),
            lambda other=other: other.merge_people("group", "ann", "bo"),
            other.convert,
        ):
            with pytest.raises(KeyMissing):
                ask()
        assert other.damaged() == 0
        with pytest.raises(KeyMissing):
            check_store(url, keys)
    check_store(url, OLD)
    assert store.gallery("group").version == at(BOTH).gallery("group").version


def test_keys_change_and_go_while_others_read(at: Opens, url: str, tmp_path: Path) -> None:
    plain = at(None)
    fill(plain, "ann", "bo")
    before = content(plain, "ann", "bo")
    assert set(traces(url, tmp_path)) == {0, 1, 2, 10, 11, 12, 500, 501}
    for keys, reads in ((OLD, [OLD, BOTH]), (BOTH, [NEW, BOTH]), (NEW.decrypting(), [None, NEW, OLD])):
        store = at(keys)
        assert content(store, "ann", "bo") == before
        done = store.convert()
        assert (done.unreadable, done.complete) == (0, True)
        assert done.values == 6 + 6 + 2 + 2 + 2
        assert store.convert().values == 0
        store.clean()
        for each in reads:
            assert content(at(each), "ann", "bo") == before
        assert (traces(url, tmp_path) == []) == (keys.own != "plain")
    fill(plain, "cy", gallery="later")
    assert not at(None).gallery("group").damaged


def test_a_store_that_is_partly_encrypted_is_read_and_written(at: Opens, url: str) -> None:
    plain = at(None)
    fill(plain, "ann")
    store = at(OLD)
    store.create_person("group", "bo", person_id="bo")
    store.add_samples("group", "bo", [sample(10)], NETWORK)
    assert store.holds_plain()
    assert store.centroids("group").ids == ("ann", "bo")
    with pytest.raises(KeyMissing):
        plain.centroids("group")
    assert store.convert().complete
    assert not store.holds_plain()
    assert store.centroids("group").ids == ("ann", "bo")


def test_a_writer_with_the_old_key_is_noticed(at: Opens) -> None:
    fill(at(OLD), "ann")
    old, new = SecretKeys([bytes([1]) * 32, bytes([2]) * 32]), at(BOTH)
    assert new.convert().complete
    at(old).add_samples("group", "ann", [sample(5)], NETWORK)
    with pytest.raises(KeyMissing):
        at(NEW).gallery("group")
    assert new.convert().complete
    assert len(at(NEW).samples("group", "ann")) == 3


def test_conversion_beside_writers_loses_nothing(at: Opens) -> None:
    store = at(OLD)
    fill(store, *(f"p{number}" for number in range(30)))
    ended = threading.Event()
    faults: list[FacegroupError] = []

    def write() -> None:
        other = at(SecretKeys([bytes([1]) * 32, bytes([2]) * 32]))
        for number in range(1000, 1200):
            if ended.is_set():
                return
            try:
                other.create_person("group", "x", person_id=f"x{number}")
                other.add_samples("group", f"x{number}", [sample(number)], NETWORK)
                if number % 3 == 0:
                    other.merge_people("group", f"x{number}", f"x{number - 1}")
            except FacegroupError as error:
                faults.append(error)
                return

    writer = threading.Thread(target=write)
    writer.start()
    new = at(BOTH)
    try:
        for _ in range(3):
            assert new.convert().unreadable == 0
    finally:
        ended.set()
        writer.join()
    assert faults == []
    assert new.convert().complete
    last = at(NEW)
    people = [each.id for each in everybody(last, "group")]
    assert set(last.centroids("group").ids) == set(people)
    for person in people:
        assert len(last.samples("group", person, crops=True)) == last.person("group", person).samples
    assert last.damaged() == 0


def test_a_merge_encrypts_for_the_person_who_stays(at: Opens) -> None:
    store = at(OLD)
    fill(store, "ann", "bo")
    store.merge_people("group", "ann", "bo")
    read = at(OLD)
    assert {each.crop for each in read.samples("group", "ann", crops=True)} == {sample(n).crop for n in (0, 1, 10, 11)}
    assert len(read.samples("group", "ann", counter=True)) == 2
    assert read.damaged() == 0


def test_a_merge_without_encryption_beside_a_conversion_loses_nothing(
    at: Opens, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(at(None), "ann", "bo")
    store, converting = at(OLD.decrypting()), at(OLD)
    if url.startswith("redis"):
        write = store._server.write

        def interrupted(*commands: Any) -> Any:
            monkeypatch.undo()
            assert converting.convert().complete
            return write(*commands)

        monkeypatch.setattr(store._server, "write", interrupted)
    store.merge_people("group", "ann", "bo")
    for keys in (OLD, OLD.decrypting()):
        read = at(keys)
        crops = {each.crop for each in read.samples("group", "ann", crops=True)}
        assert crops == {sample(n).crop for n in (0, 1, 10, 11)}
        assert len(read.samples("group", "ann", counter=True)) == 2
        assert read.damaged() == 0


def test_staging_copies_are_encrypted_too(at: Opens, url: str, tmp_path: Path) -> None:
    plain = at(None)
    copy = import_copy("group")
    plain.create_gallery(Gallery(copy, NETWORK, D, 0.4))
    fill(plain, "ann", gallery="elsewhere")
    person = replace(plain.person("elsewhere", "ann"), id="bo")
    plain.put_people(copy, [(person, [sample(10), counter(11)])])
    assert at(OLD).convert().complete
    store = at(OLD)
    store.clean()
    assert traces(url, tmp_path) == []
    assert [each.crop for each in store.samples(copy, "bo", crops=True)] == [sample(10).crop]
    store.put_people(copy, [(replace(person, id="cy"), [sample(0)])])
    assert traces(url, tmp_path) == []
    assert store.centroids(copy).ids == ("bo", "cy")


@pytest.mark.parametrize("moments", [(10,), (3, 6)], ids=["once", "there and back"])
def test_switches_beside_a_conversion_leave_nothing_plain(redis_url: str, tmp_path: Path, moments: Any) -> None:
    with closing(Opens(redis_url)) as at:
        plain, store = at(None), at(OLD)
        fill(plain, "ann")
        before, copy = content(plain, "ann"), import_copy("group")
        person = replace(plain.person("group", "ann"), id="bo")
        plain.create_gallery(Gallery(copy, NETWORK, D, 0.4))
        plain.put_people(copy, [(person, [sample(10), counter(11)])])
        looked, copies = 0, [copy, previous_copy("group")]

        def tell(number: int) -> None:
            nonlocal looked
            looked += number
            if looked in moments:
                away = copies.pop(0)
                versions = store.version("group"), store.version(away)
                store.switch_gallery("group", away, *versions, Event("switched"))

        assert store.convert(tell).complete
        assert len(copies) == 2 - len(moments)
        assert traces(redis_url, tmp_path) == []
        assert not store.holds_plain()
        first, second = ("group", previous_copy("group"))[:: 1 if len(moments) == 2 else -1]
        assert content(store, "ann", gallery=first) == before
        assert [each.crop for each in store.samples(second, "bo", crops=True)] == [sample(10).crop]
        assert store.damaged() == 0


@pytest.mark.parametrize(
    "name", [b"\xff", b"", b"a\nb", b"group", b"other", b" other/next", b"other/no/copy"], ids=count()
)
def test_a_gallery_whose_name_is_damaged_holds_up_no_other(
    redis_url: str, name: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(Opens(redis_url)) as at, closing(redis.Redis.from_url(redis_url)) as client:
        fill(at(None), "ann")
        before = content(at(None), "ann")
        fill(at(None), "bo", gallery="damaged")
        key = Keys.of("damaged").gallery
        client.hset(key, "name", name)
        check_store(redis_url, OLD)
        store = at(OLD)
        assert store.rows() == 10
        done = store.convert()
        assert (done.values, done.unreadable, done.complete) == (10, 0, False)
        assert f"skipped a damaged gallery: {key}" in caplog.text
        assert content(store, "ann") == before
        client.hset(key, "name", "damaged")
        assert store.convert().complete
        assert store.centroids("damaged").ids == ("bo",)


@pytest.mark.parametrize("how", ["swapped", "flipped", "cut", "emptied", "plain"])
def test_a_value_that_was_changed_costs_its_person_only(at: Opens, url: str, how: str) -> None:
    fill(at(OLD), "ann", "bo", "cy")
    spoiled: Any = {
        "swapped": lambda own, other: other,
        "flipped": lambda own, _: own[:-1] + bytes([own[-1] ^ 1]),
        "cut": lambda own, _: own[:20],
        "emptied": lambda *_: b"",
        "plain": lambda *_: descriptor(1).tobytes(),
    }[how]
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as db:
            values = dict(db.execute("SELECT id, centroid FROM people").fetchall())
            db.execute("UPDATE people SET centroid = ? WHERE id = 'bo'", (spoiled(values["bo"], values["ann"]),))
            crops = dict(db.execute("SELECT id, crop FROM samples").fetchall())
            own, other = sample(10).id, sample(0).id
            db.execute("UPDATE samples SET crop = ? WHERE id = ?", (spoiled(crops[own], crops[other]), own))
    else:
        with closing(redis.Redis.from_url(url)) as client:
            keys = Keys.of("group")
            for key, bo, ann in (
                (keys.centroids, "bo", "ann"),
                (keys.crops, f"bo:{sample(10).id}", f"ann:{sample(0).id}"),
            ):
                client.hset(key, bo, spoiled(client.hget(key, bo), client.hget(key, ann)))
    store = at(OLD)
    assert store.centroids("group").ids == ("ann", "cy")
    first, second = store.samples("group", "bo", crops=True)
    assert (first.crop, second.crop) == (None, sample(11).crop)
    assert np.array_equal(first.descriptor, descriptor(10))
    assert store.damaged() == 2
    assert not store.skipped("group")  # a centroid comes of the samples, and a sample without its crop is not left out
    store.add_samples("group", "bo", [sample(15)], NETWORK)
    assert store.centroids("group").ids == ("ann", "bo", "cy")


def spoil_crops(url: str) -> None:
    """Put an end to the crops of all samples."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as db:
            db.execute("UPDATE samples SET crop = x'e1'")
        return
    with closing(redis.Redis.from_url(url)) as client:
        for field in client.hkeys(crops := Keys.of("group").crops):
            client.hset(crops, field, b"\xe1")


def test_a_damaged_crop_counts_until_it_is_gone(at: Opens, url: str) -> None:
    store, other = at(OLD), at(OLD)
    fill(store, "ann", "bo")
    spoil_crops(url)

    def look() -> None:
        for each in (store, other):
            for who in ("ann", "bo"):
                assert {one.crop for one in each.samples("group", who, crops=True, counter=None)} == {None}

    look()
    assert (store.damaged(), store.gallery("group").damaged, bool(store.skipped("group"))) == (6, 6, False)
    store.delete_sample("group", "ann", sample(0).id)
    store.delete_sample("group", "ann", counter(2).id, counter=True)
    assert store.damaged() == 4
    store.samples("group", "ann")  # without crops nothing is known of them
    assert store.damaged() == 4
    store.delete_person("group", "bo")
    assert store.damaged() == 1
    assert store.update_gallery("group", keep_crops=False).damaged == 0
    assert (store.damaged(), other.damaged()) == (0, 6)
    assert len(other.samples("group", "ann", crops=True)) == 1
    assert other.damaged() == 5  # one crop that it saw is gone, of the others it did not ask


def test_an_older_facegroup_refuses_an_encrypted_gallery(at: Opens, url: str) -> None:
    fill(at(OLD), "ann")
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
            assert db.execute("PRAGMA user_version").fetchone()[0] > 5
        return
    with closing(redis.Redis.from_url(url, decode_responses=True)) as client:
        with pytest.raises(ValueError, match="invalid literal"):  # what it does with it
            int(str(client.hget(Keys.of("group").gallery, "dimension")))
        at(OLD.decrypting()).convert()
        assert client.hget(Keys.of("group").gallery, "dimension") == str(D)


def test_erasing_an_encrypted_gallery_counts_what_went(at: Opens) -> None:
    store = at(OLD)
    fill(store, "ann", "bo")
    erased = store.delete_gallery("group")
    assert (erased.people, erased.samples, erased.crops, erased.counters, erased.cohort) == (2, 4, 6, 2, 2)


def test_words_that_facegroup_did_not_write_are_an_error(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/g.db"
    open_store(url).close()
    for words in (b"\x00", 7, "zzzz", None):
        with closing(sqlite3.connect(tmp_path / "g.db", isolation_level=None)) as db:
            db.execute("DELETE FROM encryption")
            if words is not None:
                db.execute("INSERT INTO encryption VALUES (?)", (words,))
        with closing(open_store(url, keys=OLD)) as store, pytest.raises(FacegroupError, match=r"damaged|key"):
            store.galleries()


def test_nothing_plain_stays_in_the_files_of_redis(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path)
    server.start()
    vector = descriptor(0).astype("<f4").tobytes()[:12]

    def kept() -> bool:
        return any(vector in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    try:
        with closing(open_store(server.url)) as store:
            fill(store, "ann")
        assert kept()
        with closing(open_store(server.url, keys=OLD)) as store:
            converts: Any = store
            assert converts.convert().complete
            assert kept()
            base = next(tmp_path.glob("appendonlydir/*.base.*"))
            number = int(base.name.split(".")[2])
            obstacle = base.with_name(base.name.replace(f".{number}.", f".{number + 1}."))
            obstacle.mkdir()
            with pytest.raises(StoreUnavailable, match="append-only file"):
                converts.clean()
            assert kept()
            obstacle.rmdir()
            converts.clean()
        assert not kept()
    finally:
        server.kill()


def test_a_conversion_of_a_file_overwrites_what_it_replaces(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/g.db"
    with closing(Opens(url)) as at:
        fill(at(None), "ann", "bo", *(f"p{number}" for number in range(100, 130)))
        assert at(OLD).convert().complete
        assert traces(url, tmp_path) == []


def test_a_file_that_a_reader_keeps_from_being_cleaned_is_said(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/g.db"
    with closing(Opens(url)) as at:
        fill(at(None), "ann")
        store = at(OLD)
        with closing(sqlite3.connect(tmp_path / "g.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM people").fetchone()
            assert store.convert().complete
            with pytest.raises(StoreUnavailable, match="reads in it"):
                store.clean()
            assert traces(url, tmp_path) != []
            reader.execute("COMMIT")
            store.clean()
        assert traces(url, tmp_path) == []


def test_a_conversion_that_is_killed_leaves_all_that_was_there(at: Opens, url: str) -> None:
    ids = [f"p{number}" for number in range(60)]
    fill(at(OLD), *ids)
    before = content(at(BOTH), *ids)
    for delay in (0.0, 0.03, 0.07, 0.2):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.unit.store.converter", url], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "0"
        time.sleep(delay)
        process.kill()
        process.wait()
        process.stdout.close()
        assert content(at(BOTH), *ids) == before
    assert at(BOTH).convert().complete
    assert content(at(NEW), *ids) == before


def test_a_server_without_the_key_answers_nothing_from_memory(at: Opens) -> None:
    plain = at(None)
    dimension = spec("retail-0095").dimension
    plain.create_gallery(Gallery("group", "retail-0095", dimension, 0.4))
    plain.create_person("group", "Ann", person_id="ann")
    face = Sample(photo_id(1), descriptor(1, dimension))
    plain.add_samples("group", "ann", [face], "retail-0095")
    matcher, keyed = Matcher(plain, spec("retail-0095")), Matcher(at(OLD), spec("retail-0095"))
    asked = [(Query("group"), 1)]

    def answer(matcher: Matcher) -> Any:
        (found,) = matcher.match(face.descriptor[None], asked)
        return found if isinstance(found, FacegroupError) else found.matches[0].person_id

    assert (answer(matcher), answer(keyed)) == ("ann", "ann")
    assert at(OLD).convert().complete
    assert answer(keyed) == "ann"
    assert isinstance(answer(matcher), KeyMissing)
    assert at(OLD.decrypting()).convert().complete
    assert (answer(matcher), answer(keyed)) == ("ann", "ann")


def test_archives_are_plain_and_what_is_imported_is_encrypted(at: Opens, url: str, tmp_path: Path) -> None:
    store = at(OLD)
    fill(store, "ann")
    export(store, "group", tmp_path / "group.zip")
    assert descriptor(0).astype("<f4").tobytes() in (tmp_path / "group.zip").read_bytes()
    with Archive(tmp_path / "group.zip") as archive:
        take_in(store, archive, "again")
    (tmp_path / "group.zip").unlink()
    assert traces(url, tmp_path) == []
    assert content(store, "ann", gallery="again")[1:] == content(store, "ann")[1:]


def test_a_backup_needs_no_key_and_is_read_with_it(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path}/g.db", keys=OLD)) as store:
        fill(store, "ann")
        before = content(store, "ann")
    with closing(SqliteStore(tmp_path / "g.db")) as keyless:
        keyless.copy_to(tmp_path / "copy.db")
    with closing(open_store(f"sqlite:///{tmp_path}/copy.db")) as copy, pytest.raises(KeyMissing):
        copy.galleries()
    with closing(open_store(f"sqlite:///{tmp_path}/copy.db", keys=OLD)) as copy:
        assert content(copy, "ann") == before


def test_a_server_that_finds_plain_values_says_so(url: str, at: Opens, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "facegroup.store"):
        check_store(url, OLD)  # nothing is there yet
        fill(at(None), "ann")
        check_store(url, None)
        assert "facegroup encrypt" not in caplog.text
        check_store(url, OLD)
    assert "facegroup encrypt" in caplog.text
