"""`facegroup export | import | migrate | backup` as a user has them: what they print, as text and as JSON, and refuse."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest

from facegroup.networks.registry import spec
from facegroup.store import open_store
from facegroup.store.contract import Store
from facegroup.store.staging import StagingStore
from facegroup.types import Gallery
from serve.commands import main
from tests.unit.store.conftest import url  # noqa: F401 (a fixture)
from tests.unit.store.samples import descriptor, sample
from tests.unit.store.test_damage import Spoil, spoil  # noqa: F401 (a fixture)
from tests.unit.transfer.test_export_import import whole

OLD, NEW = spec("retail-0095"), spec("dlib-resnet29")


class Done(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def refused(self) -> tuple[int, str]:
        """Status and code of an error, which is one line."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("facegroup: ")]
        assert self.err.splitlines()[-1] == line
        assert "Traceback" not in self.err
        return self.status, line.rpartition("(")[2].rstrip(")")


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process, on simulated networks."""
    for stage in ("DETECTOR", "EMBEDDER"):
        monkeypatch.setenv(f"FACEGROUP_{stage}__ENGINE", "simulated")

    def command(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["facegroup", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return command


@pytest.fixture
def store(url: str) -> Iterator[StagingStore]:  # noqa: F811
    """A store with a gallery of three people, one without samples, one with a sample that has no crop."""
    with closing(open_store(url)) as store:
        store.create_gallery(Gallery("group", OLD.name, OLD.dimension, 0.4375, created_at=12.5))
        for key, numbers in (("ada", [1, 2]), ("bob", []), ("eve", [3])):
            store.create_person("group", f"{key} 曾", {"who": key}, key)
            store.add_samples("group", key, [old(each) for each in numbers], OLD.name)
        store.update_person("group", "eve", expires_at=4e9)
        yield cast(StagingStore, store)


def old(number: int) -> Any:
    return replace(sample(number), descriptor=descriptor(number, OLD.dimension))


@pytest.fixture
def file(store: Store, url: str, run: Run, tmp_path: Path) -> Path:  # noqa: F811
    path = tmp_path / "group.zip"
    assert run("export", "group", path, "--store", url).status == 0
    return path


@pytest.fixture
def other(url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:  # noqa: F811
    """The address of a store of the other kind, empty."""
    return str(request.getfixturevalue("redis_url")) if url.startswith("sqlite") else f"sqlite:///{tmp_path}/other.db"


def test_there_and_back_it_is_the_same(store: StagingStore, url: str, other: str, run: Run, tmp_path: Path) -> None:  # noqa: F811
    there, back = tmp_path / "there.zip", tmp_path / "back.zip"
    told = run("export", "group", there, "--store", url)
    assert told == (0, f"3 people, 3 samples, 3 crops in {there}\n", "")
    assert run("import", there, "--store", other) == (0, "3 people in the gallery group\n", "")
    exported = run("export", "group", back, "--store", other, "--json").json
    assert exported == {
        "gallery": "group", "file": str(back), "people": 3, "samples": 3, "crops": 3, "cohort": 0,
        "sha256": back.read_bytes()[-64:].decode(), "skipped": {"people": [], "samples": []},
    }  # fmt: skip
    imported = run("import", back, "--as", "again", "--store", url, "--json").json
    version = store.version("again")
    assert imported == {"gallery": "again", "people": 3, "network": OLD.name, "threshold": 0.4375, "version": version}
    assert whole(store, "again") == whole(store, "group")
    with closing(open_store(other)) as elsewhere:
        assert whole(elsewhere, "group") == whole(store, "group")


def test_what_cannot_be_exported(store: StagingStore, url: str, run: Run, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "x.zip"
    assert run("export", "nobody", path, "--store", url).refused == (2, "unknown_gallery")
    assert run("export", "group", tmp_path / "no" / "folder.zip", "--store", url).refused == (2, "malformed_request")
    assert run("export", "group", path, "--store", "mysql://x").refused == (2, "store_invalid")
    assert run("export", "group", path, "--server", "http://127.0.0.1:9").refused == (2, "malformed_request")
    assert not path.exists()


def test_who_is_damaged_is_listed(
    store: StagingStore, url: str, run: Run, tmp_path: Path, spoil: Spoil  # noqa: F811
) -> None:  # fmt: skip
    spoil("bob", "record", b"{")
    spoil("ada", "descriptor", b"")
    path = tmp_path / "some.zip"
    done = run("export", "group", path, "--store", url)
    assert (done.status, done.out) == (1, f"2 people, 2 samples, 2 crops in {path}\n")
    assert done.err.splitlines()[-3:] == [
        "skipped, damaged: bob",
        f"skipped, damaged: ada  {sample(1).id}",
        "not in the file: 1 people and 1 samples of others, which are damaged",
    ]
    done = run("export", "group", path, "--store", url, "--json")
    assert done.status == 1
    assert json.loads(done.out)["skipped"] == {"people": ["bob"], "samples": [["ada", sample(1).id]]}
    assert run("import", path, "--as", "some", "--store", url).out == "2 people in the gallery some\n"


def test_what_cannot_be_imported(store: StagingStore, file: Path, url: str, run: Run, tmp_path: Path) -> None:  # noqa: F811
    damaged = tmp_path / "damaged.zip"
    data = file.read_bytes()
    damaged.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    store.create_gallery(Gallery("other", NEW.name, NEW.dimension, 0.4))
    before = whole(store, "group")
    for words, code in (
        ([damaged, "--as", "new"], "archive_invalid"),
        ([tmp_path / "absent.zip"], "archive_invalid"),
        ([file], "gallery_exists"),
        ([file, "--as", "other", "--replace"], "network_mismatch"),
        ([file, "--as", "a/b"], "invalid_name"),
        ([file, "--as", "new", "--server", "http://127.0.0.1:9"], "malformed_request"),
    ):
        assert run("import", *words, "--store", url).refused == (2, code), words
    assert [each.name for each in store.galleries()] == ["group", "other"]
    assert whole(store, "group") == before
    store.delete_person("group", "ada")
    assert run("import", file, "--replace", "--store", url).status == 0
    assert whole(store, "group") == before


def test_a_gallery_is_migrated_back_and_forgotten(store: StagingStore, url: str, run: Run) -> None:  # noqa: F811
    before = whole(store, "group")
    done = run("migrate", "group", "--network", NEW.name, "--store", url)
    said = f"group is of {NEW.name} now, threshold {NEW.threshold}; 3 samples were embedded, 0 left behind\n"
    assert done == (0, said, "")
    assert store.centroids("group").matrix.shape == (2, NEW.dimension)
    assert run("migrate", "group", "--network", NEW.name, "--store", url).refused == (2, "malformed_request")
    for words in (["--rollback"], ["--forget"]):
        assert run("migrate", "group", *words, "--threshold", "0.3", "--store", url).refused == (2, "malformed_request")
    answer = run("migrate", "group", "--rollback", "--store", url, "--json").json
    assert answer == {
        "gallery": "group", "from": NEW.name, "network": OLD.name, "threshold": 0.4375, "embedded": 0, "missing": [],
        "version": store.version("group"), "cohort_left": 0,
    }  # fmt: skip
    assert whole(store, "group") == before
    again = run("migrate", "group", "--network", NEW.name, "--threshold", "0.25", "--store", url, "--json").json
    assert (again["threshold"], again["embedded"]) == (0.25, 3)
    assert (
        run("migrate", "group", "--forget", "--store", url).out
        == "3 samples that were kept for a rollback were erased\n"
    )
    assert run("migrate", "group", "--forget", "--store", url, "--json").json == {"gallery": "group", "samples": 0}
    assert run("migrate", "group", "--rollback", "--store", url).refused == (2, "malformed_request")


def test_samples_without_a_crop_are_listed(store: StagingStore, url: str, run: Run) -> None:  # noqa: F811
    store.add_samples("group", "ada", [replace(old(9), crop=None)], OLD.name)
    to = ["migrate", "group", "--network", NEW.name, "--store", url]
    done = run(*to)
    assert done.refused == (2, "migration_incomplete")
    assert f"ada  {sample(9).id}  no_crop" in done.err.splitlines()
    assert store.gallery("group").network == OLD.name
    done = run(*to, "--drop-missing", "--json")
    assert done.json["missing"] == [{"person_id": "ada", "sample_id": sample(9).id, "why": "no_crop"}]
    assert done.err == f"left behind: ada  {sample(9).id}  no_crop\n"
    assert store.person("group", "ada").samples == 2


def test_what_cannot_be_migrated(store: StagingStore, url: str, run: Run) -> None:  # noqa: F811
    for words, expected in (
        (["group"], (2, "malformed_request")),
        (["group", "--rollback", "--forget"], (2, "malformed_request")),
        (["group", "--rollback"], (2, "malformed_request")),
        (["group", "--network", "nonsense"], (2, "unknown_network")),
        (["nobody", "--network", NEW.name], (2, "unknown_gallery")),
        (["group", "--network", NEW.name, "--server", "http://127.0.0.1:9"], (2, "malformed_request")),
    ):
        assert run("migrate", *words, "--store", url).refused == expected, words
    store.update_gallery("group", decision="cohort")
    to = ["migrate", "group", "--network", NEW.name, "--store", url]
    assert run(*to).refused == (2, "malformed_request"), "there is no default threshold of the decision"
    assert run(*to, "--threshold", "0.2").refused == (2, "migration_incomplete"), "there are too few people"
    store.update_gallery("group", decision="cosine", keep_crops=False)
    done = run("migrate", "group", "--network", NEW.name, "--store", url)
    assert done.refused == (2, "migration_incomplete")
    assert store.gallery("group").network == OLD.name


def test_a_file_is_backed_up_while_it_is_open_and_redis_is_not(
    store: StagingStore,
    url: str,  # noqa: F811
    run: Run,
    tmp_path: Path,
) -> None:
    copy = tmp_path / "copy.db"
    if url.startswith("redis"):
        assert run("backup", copy, "--store", url).refused == (2, "store_invalid")
        assert not copy.exists()
        return
    assert run("backup", copy, "--store", url) == (0, f"copied to {copy}\n", "")
    with closing(open_store(f"sqlite:///{copy}")) as kept:
        assert whole(kept, "group") == whole(store, "group")
    assert run("backup", copy, "--store", url).status != 0
    second = tmp_path / "second.db"
    answer = run("backup", second, "--store", url, "--json").json
    assert answer == {"file": str(second), "bytes": second.stat().st_size}


def test_a_gallery_that_lost_data_is_left_alone(store: StagingStore, file: Path, url: str, run: Run) -> None:  # noqa: F811
    photo = file.with_name("ada.jpg")
    photo.write_bytes(b"simulated")
    store.lose("group", 100)
    before = whole(store, "group")
    for words in (
        ["export", "group", file],
        ["import", file, "--replace"],
        ["migrate", "group", "--network", NEW.name],
        ["people", "--gallery", "group", "--erase", "ada", "--network", OLD.name],
        ["enroll", photo, "--name", "Ada", "--gallery", "group", "--network", OLD.name],
    ):
        assert run(*words, "--store", url).refused == (2, "store_went_back"), words
    assert whole(store, "group") == before
    store.accept("group")
    assert run("migrate", "group", "--network", NEW.name, "--store", url).status == 0
