"""A journal under a secret key: faces, strangers and passwords are encrypted, changed to another key, and decrypted."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis

from facegroup.cameras.journal import encrypt_journal, encrypted_rows, open_journal
from facegroup.cameras.sightings.journal import Journal, NewEvent
from facegroup.cameras.sightings.types import Webhook
from facegroup.cameras.types import Camera
from facegroup.errors import KeyMissing, StoreInvalid, UnknownSighting
from facegroup.store.encryption import SecretKeys
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
