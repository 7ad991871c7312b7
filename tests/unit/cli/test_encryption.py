"""The commands `secret-key` and `encrypt`."""

import json
from contextlib import closing
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from facegroup.cameras.journal import open_journal
from facegroup.cli import encryption
from facegroup.errors import InvalidSettings, KeyMissing, StoreUnavailable
from facegroup.settings import load
from facegroup.store import open_store
from facegroup.store.encryption import read_keys
from facegroup.store.redis.server import RedisServer
from facegroup.store.secret_key import secret_keys
from tests.unit.cameras.journal.test_encrypted import CROP, ident
from tests.unit.cameras.journal.test_encrypted import fill as see
from tests.unit.store.samples import descriptor
from tests.unit.store.test_encryption import content, fill


def call(*words: str) -> Result:
    app = typer.Typer()
    encryption.add_commands(app)
    return CliRunner().invoke(app, list(words))


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path}/g.db"
    monkeypatch.setenv("FACEGROUP_STORE", url)
    with closing(open_store(url)) as store:
        fill(store, "ann")
    with closing(open_journal(url)) as journal:
        see(journal, 1)
    return url


def test_a_store_and_its_journal_are_encrypted_changed_and_decrypted(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (call("secret-key").stdout.strip() for _ in range(2))
    assert read_keys(first, "it").own != read_keys(second, "it").own
    with closing(open_store(url)) as store:
        before = content(store, "ann")

    def kept() -> bytes:
        return b"".join(path.read_bytes() for path in tmp_path.glob("g.*"))

    vector = descriptor(0).astype("<f4").tobytes()
    for keys, words in ((first, []), (f"{second},{first}", []), (second, ["--decrypt"])):
        monkeypatch.setenv("FACEGROUP_SECRET_KEY", keys)
        result = call("encrypt", "--json", *words)
        assert result.exit_code == 0, result.output
        said = json.loads(result.stdout)
        assert (said["values"], said["unreadable"], said["complete"], said["cleaned"]) == (10 + 3, 0, True, True)
        assert first not in result.output
        assert ((vector in kept()), (CROP in kept())) == (bool(words), bool(words))
        with closing(open_store(url, keys=secret_keys(load()))) as store:
            assert content(store, "ann") == before
        with closing(open_journal(url, None, secret_keys(load()))) as journal:
            assert journal.crop(ident(1)) == CROP
    with closing(open_store(url)) as store:
        entries = store.audit("")
    assert [each.event.what for each in entries] == ["encrypted", "encrypted", "decrypted"]
    assert entries[0].event.detail == {"values": 10 + 3, "unreadable": 0, "complete": True}
    assert entries[0].origin.actor == "cli"


@pytest.mark.parametrize(
    ("words", "fails", "holds"), [([], False, False), (["--no-clean"], False, True), ([], True, True)]
)
def test_what_files_of_redis_still_hold_is_said(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, words: list[str], fails: bool, holds: bool
) -> None:
    def rewrite(_: RedisServer) -> None:
        asked.append(1)
        if fails and len(asked) == 1:
            raise StoreUnavailable("Redis is busy.")

    asked: list[int] = []
    monkeypatch.setattr(RedisServer, "rewrite", rewrite)
    monkeypatch.setenv("FACEGROUP_STORE", redis_url)
    monkeypatch.setenv("FACEGROUP_SECRET_KEY", call("secret-key").stdout.strip())
    result = call("encrypt", "--json", *words)
    assert json.loads(result.stdout)["cleaned"] is not holds
    assert len(asked) == (0 if words else 2)  # the journal's, also after that of the store failed
    assert "dump.rdb" in result.stderr
    assert ("append-only file" in result.stderr) == holds
    assert result.exit_code == fails


def test_a_key_that_is_missing_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(call("encrypt").exception, InvalidSettings)
    monkeypatch.setenv("FACEGROUP_SECRET_KEY", call("secret-key").stdout.strip())
    assert call("encrypt").exit_code == 0
    assert call("encrypt").exit_code == 0
    monkeypatch.setenv("FACEGROUP_SECRET_KEY", call("secret-key").stdout.strip())
    for words in ([], ["--decrypt"]):
        assert isinstance(call("encrypt", *words).exception, KeyMissing)
    monkeypatch.delenv("FACEGROUP_SECRET_KEY")
    assert isinstance(call("encrypt", "--decrypt").exception, KeyMissing)
