from contextlib import closing
from pathlib import Path

import pytest

from facegroup.errors import StoreInvalid
from facegroup.store import open_store
from facegroup.store.redis.store import RedisStore
from facegroup.store.sqlite.store import SqliteStore


def test_sqlite_paths_are_relative_or_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///a/gallery.db", f"sqlite:///{tmp_path}/b/gallery.db", "sqlite:///:memory:"):
        with closing(open_store(url)) as store:
            assert isinstance(store, SqliteStore)
            store.ping()
    stores = {"a/gallery.db", "b/gallery.db", ":memory:"}
    reserves = {f"{path}-reserve" for path in stores}  # for erasing on a full disk
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == stores | reserves


def test_redis_has_its_own(redis_url: str) -> None:
    with closing(open_store(redis_url)) as store:
        assert isinstance(store, RedisStore)
        store.ping()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gallery.db",
        "/tmp/gallery.db",
        "sqlite://gallery.db",
        "sqlite:///",
        "sqlite:gallery.db",
        "redis:host",
        "mysql://a/b",
    ],
)
def test_anything_else_is_refused_with_the_choices(url: str) -> None:
    with pytest.raises(StoreInvalid, match=r"sqlite:///.*redis://.*rediss://"):
        open_store(url)
