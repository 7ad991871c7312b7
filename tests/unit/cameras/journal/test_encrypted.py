"""A journal under a secret key: faces, strangers and passwords are encrypted, changed to another key, and decrypted."""

import json
import sqlite3
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from facegroup.cameras.journal import ENCRYPTED, PLACE, encrypted_rows, open_journal, warn_of_plain
from facegroup.cameras.journal.conversion import JournalConversion
from facegroup.cameras.sightings.journal import Journal, NewEvent
from facegroup.cameras.sightings.types import Webhook
from facegroup.cameras.types import Camera
from facegroup.errors import KeyMissing, StoreInvalid, UnknownSighting
from facegroup.store.conversion import Converted
from facegroup.store.encryption import SecretKeys
from facegroup.store.rows import open_rows
from facegroup.store.rows.encrypted_rows import EncryptedRows
from facegroup.store.rows.rows import Count, Put, Row, Rows, Span
from tests.unit.cameras.journal.conftest import KEY
from tests.unit.cameras.journal.made import sighting, unknown

OLD, NEW = (SecretKeys([bytes([number]) * 32]) for number in (1, 2))
BOTH = SecretKeys([bytes([2]) * 32, bytes([1]) * 32])
CROP = b"\xff\xd8 a face that everybody would know"
SOURCE = "rtsp://user:s3cr3t-word@example.org/stream"


def raw(url: str, tmp_path: Path) -> bytes:
    if url.startswith("sqlite"):
        return b"".join(path.read_bytes() for path in sorted(tmp_path.glob("*.cameras.db*")))
    with closing(redis.Redis.from_url(url)) as client:
        tables: Any = [client.hvals(key) for key in client.scan_iter("facegroup:{cameras}:rows:*")]
        return b"".join(value for table in tables for value in table)


def encrypt_journal(url: str, key: SecretStr | None, keys: SecretKeys) -> Converted:
    with closing(JournalConversion(url, key, keys)) as opened:
        return opened.convert()


def ident(number: int) -> str:
    return f"{number:032x}"


def fill(journal: Journal, number: int) -> None:
    journal.record([NewEvent("began", sighting(id=ident(number)), CROP, unknown(number))])


def test_faces_strangers_and_passwords_are_encrypted_changed_and_decrypted(url: str, tmp_path: Path) -> None:
    with closing(open_journal(url, KEY)) as journal:
        fill(journal, 1)
        journal.create_camera(Camera("door", SOURCE, "group"), 5)
        journal.create_webhook(Webhook("hook", "https://example.org/", "webhooks-own-secret", (), "group"), 5)
        shown, shots = journal.unknowns(), journal.unknown("group", unknown(1).id).shots
        centroid = bytes(shown[0].centroid.astype("<f4").tobytes())
    assert CROP in raw(url, tmp_path)
    assert centroid
    for keys, reads, mark in ((OLD, OLD, b"aes256gcm:"), (BOTH, NEW, b"aes256gcm:"), (NEW.decrypting(), NEW, b"gAAAA")):
        done = encrypt_journal(url, KEY, keys)
        assert (done.unreadable, done.complete, done.values) == (0, True, 3 + 2)
        assert encrypt_journal(url, KEY, keys).values == 0
        with closing(encrypted_rows(url, keys)) as rows:
            rows.clean()
        kept = raw(url, tmp_path)
        assert (CROP in kept) == (keys.own == "plain")
        assert mark in kept
        assert b"s3cr3t-word" not in kept
        with closing(open_journal(url, KEY, reads)) as journal:
            assert journal.crop(ident(1)) == CROP
            assert [each.id for each in journal.unknowns()] == [each.id for each in shown]
            assert len(journal.unknown("group", unknown(1).id).shots) == len(shots)
            assert journal.camera("door").source == SOURCE
            assert journal.webhooks()[0].secret == "webhooks-own-secret"


def test_a_server_that_finds_plain_values_says_so(url: str, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_plain(url, OLD)
    with closing(open_journal(url, KEY)) as journal:
        warn_of_plain(url, OLD)  # nothing is there yet
        fill(journal, 1)
        warn_of_plain(url, SecretKeys())
        assert not caplog.text
        warn_of_plain(url, OLD)
        assert caplog.text.count("facegroup encrypt") == 1
        encrypt_journal(url, KEY, OLD)
        warn_of_plain(url, OLD)
        assert caplog.text.count("facegroup encrypt") == 1
    warn_of_plain("redis://127.0.0.1:1/0", OLD)


class Counted:
    """Rows that note what they are asked."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self._rows, name)


@pytest.mark.parametrize("keys", [SecretKeys(), OLD], ids=["plain", "encrypted"])
def test_an_event_takes_one_round_trip(url: str, keys: SecretKeys) -> None:
    rows: Any = Counted(open_rows(url, PLACE))
    with closing(EncryptedRows(rows, keys, ENCRYPTED)) as encrypted:
        for number in range(3):
            rows.asked.clear()
            assert encrypted.apply([Put("crops", ident(number), number, CROP), Count("seq", number, number + 1)])
        assert rows.asked == ["apply"]
        assert not encrypted.apply([Put("crops", ident(9), 9, CROP), Count("seq", 1, 2)])
        assert encrypted.get("crops", [ident(9)]) == [None]


def test_what_a_writer_remembers_harms_no_other(url: str) -> None:
    keys = [SecretKeys(), SecretKeys([bytes([1]) * 32, bytes([2]) * 32]), BOTH]
    with closing(Opened(url, keys)) as opened:
        plain, old, new = opened.rows
        for turn, writer in enumerate((plain, plain, old, new, old, old, new)):
            assert writer.apply([Put("crops", ident(turn), turn, CROP)])
        with pytest.raises(KeyMissing):
            plain.apply([Put("crops", ident(7), 7, CROP)])
        for turn in (7, 9, 11):
            assert new.convert().complete
            assert not new.holds_plain()
            assert old.apply([Put("crops", ident(turn), turn, CROP)])
            assert old.apply([Put("crops", ident(turn + 1), turn + 1, CROP)])
            found = new.get("crops", [ident(number) for number in range(turn + 2)])
            assert [row and row.value for row in found] == [CROP] * (turn + 2)
        assert old.convert().complete
        assert new.convert().complete
        assert old.apply([Put("crops", ident(0), 0, CROP)])
        assert new.convert().values == 1


class Opened:
    """The encrypted rows of a journal, opened with several keys."""

    def __init__(self, url: str, keys: list[SecretKeys]) -> None:
        self.rows = [EncryptedRows(open_rows(url, PLACE), each, ENCRYPTED) for each in keys]

    def close(self) -> None:
        for each in self.rows:
            each.close()


class Interrupted:
    """Rows between whose reads something else is done, once: before or after crops are read."""

    def __init__(self, rows: Rows, done: Callable[[], object], *, before: bool) -> None:
        self._rows, self._done, self._before = rows, done, before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def get(self, table: str, keys: list[str]) -> list[Row | None]:
        """See `Rows`."""
        done, self._done = (self._done, lambda: None) if table == "crops" else (lambda: None, self._done)
        if self._before:
            done()
        found = self._rows.get(table, keys)
        if not self._before:
            done()
        return found


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("first", "then"), [(SecretKeys(), OLD), (OLD, OLD.decrypting()), (OLD, BOTH)], ids=["on", "off", "changed"]
)
def test_a_value_is_read_whole_beside_a_conversion(
    url: str, first: SecretKeys, then: SecretKeys, before: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(open_journal(url, KEY, first)) as journal:
        fill(journal, 1)
    rows: Any = Interrupted(open_rows(url, PLACE), lambda: encrypt_journal(url, KEY, then), before=before)
    with closing(EncryptedRows(rows, BOTH, ENCRYPTED)) as reader:
        (found,) = reader.get("crops", [ident(1)])
    assert found is not None
    assert found.value == CROP
    assert "damaged" not in caplog.text


def test_a_conversion_overwrites_what_it_replaces(url: str, tmp_path: Path) -> None:
    with closing(open_journal(url, KEY)) as journal:
        fill(journal, 1)
        assert encrypt_journal(url, KEY, OLD).complete
        assert CROP not in raw(url, tmp_path)


def test_a_new_journal_holds_nothing_plain_and_tells_nothing_without_its_key(url: str, tmp_path: Path) -> None:
    with closing(open_journal(url, None, OLD)) as journal:
        fill(journal, 1)
        journal.create_camera(Camera("door", SOURCE, "group"), 5)
        assert journal.crop(ident(1)) == CROP
    with closing(encrypted_rows(url, OLD)) as rows:
        assert not rows.holds_plain()
    assert CROP not in raw(url, tmp_path)
    assert b"s3cr3t-word" not in raw(url, tmp_path)
    for keys in (None, NEW):
        with closing(open_journal(url, None, keys)) as journal:
            for ask in (
                lambda journal=journal: journal.crop(ident(1)),
                journal.unknowns,
                journal.ping,
                lambda journal=journal: fill(journal, 2),
            ):
                with pytest.raises(KeyMissing):
                    ask()


def spoil(url: str, table: str, change: Callable[[dict[str, dict[str, Any]]], None]) -> None:
    """Change the documents of a table, by their keys."""
    with closing(open_rows(url, PLACE)) as rows:
        found = rows.page(table, Span(10))
        read = {row.key: json.loads(row.value) for row in found}
        change(read)
        rows.apply([Put(table, row.key, row.score, json.dumps(read[row.key]).encode()) for row in found])


def test_a_secret_is_read_in_its_record_and_field_only(url: str) -> None:
    def swap(first: str, second: str, one: str, other: str) -> Callable[[dict[str, dict[str, Any]]], None]:
        def change(documents: dict[str, dict[str, Any]]) -> None:
            a, b = documents[first][one], documents[second][other]
            documents[first][one], documents[second][other] = b, a

        return change

    with closing(open_journal(url, None, OLD)) as journal:
        for name in ("door", "gate"):
            journal.create_camera(Camera(name, SOURCE, "group"), 5)
            journal.create_webhook(Webhook(name, "https://u:p4ssw0rd@example.org/", "own-secret", (), "group"), 5)
        assert {each.source for each in journal.cameras()} == {SOURCE}
        spoil(url, "cameras", swap("door", "gate", "source_sealed", "source_sealed"))
        assert {each.source for each in journal.cameras()} == {""}
        assert encrypt_journal(url, None, BOTH).unreadable == 2
        spoil(url, "cameras", swap("door", "gate", "source_sealed", "source_sealed"))
        assert encrypt_journal(url, None, BOTH).unreadable == 0
    with closing(open_journal(url, None, BOTH)) as journal:
        assert {each.source for each in journal.cameras()} == {SOURCE}
        spoil(url, "webhooks", swap("door", "door", "url_sealed", "secret_sealed"))
        door, gate = journal.webhooks()
        assert (door.url, door.secret, gate.secret) == ("", "", "own-secret")
        spoil(url, "webhooks", swap("door", "gate", "url_sealed", "secret_sealed"))
        door, gate = journal.webhooks()
        assert (door.url, door.secret, gate.secret) == ("", "", "")


@pytest.mark.parametrize("keys", [None, OLD, OLD.decrypting()], ids=["no key", "key", "none,key"])
@pytest.mark.parametrize("text", [b"rtsp://evil.example.org/", b"", b"\xe1", SOURCE.encode()], ids=str)
def test_a_text_that_nobody_encrypted_is_no_password(url: str, text: bytes, keys: SecretKeys | None) -> None:
    with closing(open_journal(url, KEY, keys)) as journal:
        journal.create_camera(Camera("door", SOURCE, "group"), 5)
        sealed = "aes256gcm:" + urlsafe_b64encode(text).decode()
        spoil(url, "cameras", lambda documents: documents["door"].update(source_sealed=sealed))
        assert journal.camera("door").source == ""


def test_a_face_that_was_changed_is_no_face(url: str) -> None:
    with closing(open_journal(url, None, OLD)) as journal:
        fill(journal, 1)
        fill(journal, 2)
    first, second = ident(1), ident(2)
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///").removesuffix(".db") + ".cameras.db"
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            other = db.execute("SELECT value FROM rows WHERE place = 'crops' AND key = ?", (second,)).fetchone()[0]
            db.execute("UPDATE rows SET value = ? WHERE place = 'crops' AND key = ?", (other, first))
            key = db.execute("SELECT key FROM rows WHERE place = 'shots' ORDER BY key").fetchone()[0]
            db.execute("UPDATE rows SET value = x'e1' WHERE place = 'shots' AND key = ?", (key,))
    else:
        with closing(redis.Redis.from_url(url)) as client:
            crops, shots = "facegroup:{cameras}:rows:crops", "facegroup:{cameras}:rows:shots"
            changing: Any = client
            changing.hset(crops, first, changing.hget(crops, second))
            key = sorted(changing.hkeys(shots))[0].decode()
            changing.hset(shots, key, b"\xe1")
    with closing(open_journal(url, None, OLD)) as journal:
        with pytest.raises(UnknownSighting):
            journal.crop(first)
        assert journal.crop(second) == CROP
        with pytest.raises(StoreInvalid, match="damaged"):
            journal.unknown("group", key.partition("/")[2])
        assert len(journal.unknowns()) == 2
