"""A store that lost data is told from one whose gallery was erased; nothing is written to it until that is accepted."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from facegroup.errors import FacegroupError, StoreWentBack, UnknownGallery
from facegroup.gallery.matching import Matcher
from facegroup.pipeline.messages import PhotoMatches, Query
from facegroup.store import open_store
from facegroup.store.contract import Standing, Store
from facegroup.store.data_loss import LossDetector
from facegroup.store.guard import GuardedStore
from facegroup.types import NOT_IN_DATASET, Gallery, Sample
from tests.conftest import RedisProcess
from tests.unit.gallery.test_matching import PEOPLE, SPEC, D, fill, names

ASKED = [(Query("group"), 1)]
NEW = Gallery("group", SPEC.name, D, 0.6)


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/g.db" if request.param == "sqlite" else request.getfixturevalue("redis_url")
    store = open_store(url)
    yield store
    store.close()


class Group:
    """A gallery in a Redis of its own, and what a server knows of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.redis = RedisProcess(folder)
        self.redis.start()
        self.store = open_store(self.redis.url)
        fill(self.store)
        self.reported: list[str] = []
        self.galleries = Matcher(self.store, SPEC, observe=self.reported.append)
        self.guarded = GuardedStore(self.store, self.galleries.availability, self.galleries.losses)

    def first(self, person: int = 0) -> PhotoMatches | FacegroupError:
        return self.galleries.match(PEOPLE[[person]], ASKED)[0]

    def flush(self) -> None:
        with redis.Redis(port=self.redis.port) as client:
            client.flushall()

    def restart_empty(self) -> None:
        self.put_back(None)

    def put_back(self, older: Path | None) -> None:
        """Start Redis again on an older copy of its folder, or on an empty one."""
        self.redis.kill()
        shutil.rmtree(self.folder)
        self.folder.mkdir() if older is None else shutil.copytree(older, self.folder)
        self.redis.start()

    def copy(self) -> Path:
        """Copy what Redis has on disk."""
        self.redis.kill()
        older = shutil.copytree(self.folder, self.folder.with_name("older"))
        self.redis.start()
        return older

    def enrol(self, person: int) -> int:
        self.guarded.call(Store.create_person, "group", f"group {person}", None, f"p{person}")
        sample = Sample(f"{person:064x}", PEOPLE[person])
        return int(self.guarded.call(Store.add_samples, "group", f"p{person}", [sample], SPEC.name).version)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    (tmp_path / "redis").mkdir()
    group = Group(tmp_path / "redis")
    yield group
    group.store.close()
    group.redis.kill()


LOSSES: dict[str, Callable[[Group], None]] = {"flushed": Group.flush, "restarted empty": Group.restart_empty}


def test_where_a_gallery_stands_never_falls_by_what_is_done_to_it(store: Store) -> None:
    steps: list[Callable[[], object]] = [
        lambda: store.create_gallery(NEW),
        lambda: store.create_person("group", "Ann", person_id="ann"),
        lambda: store.update_person("group", "ann", name="Bo"),
        lambda: store.delete_person("group", "ann"),
        lambda: store.delete_gallery("group"),
        lambda: store.create_gallery(NEW),
        lambda: store.update_gallery("group", threshold=0.5),
        lambda: store.delete_gallery("group"),
        lambda: store.create_gallery(NEW),
    ]
    before = store.standing("group")
    assert before == Standing(None)
    for step in steps:
        step()
        now = store.standing("group")
        assert now.floor >= before.floor
        assert not now.behind(before)
        before = now
    with pytest.raises(UnknownGallery):
        store.standing("..\0")


def test_a_loss_is_noted_once_for_all_and_ends_when_it_is_accepted(store: Store) -> None:
    fill(store)
    version = store.version("group")
    for known in (version + 5, version + 2):
        store.lose("group", known)
        assert store.standing("group").lost == version + 5
    losses = LossDetector(store)
    with pytest.raises(StoreWentBack, match="was at version"):
        losses.look("group")
    accepted = losses.accept("group")
    assert (accepted.version, accepted.lost) == (version + 6, None)
    assert losses.look("group") == store.standing("group") == accepted
    assert losses.accept("group") == accepted, "there is nothing more to accept"
    with pytest.raises(UnknownGallery):
        losses.accept("never")
    store.lose("gone", 7)
    assert losses.accept("gone").version is None
    assert store.create_gallery(Gallery("gone", SPEC.name, D, 0.6)).version >= 8


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES.keys())
def test_an_emptied_store_is_not_taken_for_an_erased_gallery(
    group: Group, lose: Callable[[Group], None], caplog: pytest.LogCaptureFixture
) -> None:
    before = group.first()
    assert isinstance(before, PhotoMatches)
    lose(group)
    for _ in range(2):
        held = group.first()
        assert isinstance(held, PhotoMatches)
        assert (names(held), held.version) == (["group 0"], before.version)
        assert (held.degraded, held.reason) == (True, "store_went_back")
    assert group.reported == ["store_went_back"]
    assert caplog.text.count("without having been erased") == 1
    assert "group" in group.galleries.losses.lost[0]
    for call in (
        lambda: group.guarded.call(Store.create_gallery, NEW),
        lambda: group.enrol(3),
        lambda: group.guarded.call(Store.gallery, "group"),
        lambda: group.guarded.call(Store.delete_person, "group", "p0"),
    ):
        with pytest.raises(StoreWentBack) as refused:
            call()
        assert refused.value.retry_after > 1
    assert group.store.galleries() == [], "a refused write is not half done"
    assert group.guarded.call(Store.create_gallery, Gallery("other", SPEC.name, D, 0.6)).version == 0


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES.keys())
def test_one_who_comes_later_knows_it_as_well(group: Group, lose: Callable[[Group], None]) -> None:
    group.first()
    lose(group)
    group.first()
    later = Matcher(open_store(group.redis.url), SPEC)
    (answer,) = later.match(PEOPLE[[0]], ASKED)
    assert isinstance(answer, StoreWentBack)
    assert isinstance(later.store, type(group.store))
    later.store.close()


def test_one_who_only_wrote_or_watched_notices_it(group: Group) -> None:
    group.enrol(3)
    group.flush()
    with pytest.raises(StoreWentBack):
        group.guarded.call(Store.create_gallery, NEW)
    group.guarded.call(Store.accept, "group")
    group.guarded.call(Store.create_gallery, NEW)
    watcher = LossDetector(group.store)
    watcher.patrol()
    group.flush()
    assert watcher.lost == ()
    watcher.patrol()
    assert len(watcher.lost) == 1


def test_a_gallery_erased_on_purpose_is_gone_and_can_come_back(group: Group) -> None:
    group.first()
    group.guarded.call(Store.delete_gallery, "group")
    assert isinstance(group.first(), UnknownGallery)
    group.guarded.call(Store.create_gallery, NEW)
    assert names(group.first()) == [NOT_IN_DATASET]
    assert group.reported == []


def test_an_older_dump_is_noticed_also_when_it_is_written_to(group: Group) -> None:
    older = group.copy()
    version = group.enrol(3)
    assert names(group.first(3)) == ["group 3"]
    group.put_back(older)
    held = group.first(3)
    assert isinstance(held, PhotoMatches)
    assert (names(held), held.version, held.reason) == (["group 3"], version, "store_went_back")
    for number in range(3):  # by a process that goes round the server
        group.store.create_person("group", f"stranger {number}")
    assert group.store.version("group") > version
    held = group.first(3)
    assert isinstance(held, PhotoMatches)
    assert held.reason == "store_went_back"
    standing = group.guarded.call(Store.accept, "group")
    after = group.first(3)
    assert isinstance(after, PhotoMatches)
    assert (names(after), after.degraded, after.version) == ([NOT_IN_DATASET], False, standing.version)
    assert group.galleries.losses.lost == ()
    group.enrol(3)
    assert names(group.first(3)) == ["group 3"]


def test_an_emptied_store_that_was_filled_beyond_the_known_version_is_noticed(group: Group) -> None:
    group.first()
    group.flush()
    fill(group.store, people=1)
    for number in range(20):
        group.store.create_person("group", f"stranger {number}")
    held = group.first(1)
    assert isinstance(held, PhotoMatches)
    assert (names(held), held.reason) == (["group 1"], "store_went_back")


def test_the_right_data_put_back_need_no_acceptance(group: Group) -> None:
    newest = group.copy()
    group.first()
    group.restart_empty()
    held = group.first()
    assert isinstance(held, PhotoMatches)
    assert held.reason == "store_went_back"
    group.put_back(newest)
    after = group.first()
    assert isinstance(after, PhotoMatches)
    assert (names(after), after.degraded) == (["group 0"], False)
    group.enrol(3)


def test_erasing_accepts_a_loss(group: Group) -> None:
    group.first()
    other = Matcher(open_store(group.redis.url), SPEC)
    other.match(PEOPLE[[0]], ASKED)
    group.flush()
    assert isinstance(group.first(), PhotoMatches)
    assert group.guarded.call(Store.delete_gallery, "group").people == 0
    for galleries in (group.galleries, other):
        assert isinstance(galleries.match(PEOPLE[[0]], ASKED)[0], UnknownGallery)
    group.guarded.call(Store.create_gallery, NEW)
    for galleries in (group.galleries, other):
        assert names(galleries.match(PEOPLE[[0]], ASKED)[0]) == [NOT_IN_DATASET]
    other.store.close()
