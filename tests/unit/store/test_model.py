"""Random histories: each store against a plain dict, and a snapshot that catches up against one that is read anew."""

import itertools
import math
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from facegroup.errors import (
    Contradiction,
    FacegroupError,
    IdempotencyConflict,
    MalformedRequest,
    PersonExists,
    UnknownPerson,
    UnknownPhoto,
)
from facegroup.gallery.snapshot import Snapshot
from facegroup.store.contract import Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.types import Gallery, Sample
from tests.unit.store.samples import NETWORK, D, counter, descriptor, mean_of, photo_id, sample

PEOPLE = st.sampled_from(["ann", "bo", "cy"])
NUMBERS = st.integers(0, 5)
STEPS = st.one_of(
    st.tuples(st.just("create"), PEOPLE, st.sampled_from(["Ann", "曾宏鈞"])),
    st.tuples(st.just("rename"), PEOPLE, st.sampled_from(["Ann", "Bo"])),
    st.tuples(st.just("enrol"), PEOPLE, st.lists(NUMBERS, max_size=4)),
    st.tuples(st.just("forget"), PEOPLE, NUMBERS),
    st.tuples(st.just("counter"), PEOPLE, st.lists(NUMBERS, max_size=3)),
    st.tuples(st.just("forget counter"), PEOPLE, NUMBERS),
    st.tuples(st.just("erase"), PEOPLE, st.none()),
    st.tuples(st.just("merge"), PEOPLE, PEOPLE),
    st.tuples(st.just("expire"), PEOPLE, st.sampled_from([1.0, 4e9, math.inf])),
    st.tuples(st.just("sweep"), PEOPLE, st.none()),
    st.tuples(st.just("enrol once"), PEOPLE, st.lists(NUMBERS, min_size=1, max_size=3)),
    st.tuples(st.just("create once"), PEOPLE, st.sampled_from(["k1", "k2"])),
    st.tuples(st.just("threshold"), PEOPLE, st.floats(-1, 1)),
    st.tuples(st.just("annotate"), PEOPLE, st.dictionaries(st.sampled_from(["a", "b"]), st.integers(), max_size=2)),
    st.tuples(st.just("keep crops"), PEOPLE, st.booleans()),
    st.tuples(st.just("lose and accept"), PEOPLE, st.integers(0, 3)),
    st.tuples(st.just("erase all"), PEOPLE, st.none()),
    st.tuples(st.just("catch up"), PEOPLE, st.none()),
)
COUNTER = itertools.count()


def as_counter_number(number: int) -> int:
    """Return the number by which the crop of this face as a counter-example is known."""
    return number + 100


def as_counter(number: int) -> Sample:
    """Return the face of this number as a counter-example: the same descriptor under another id."""
    return replace(counter(number), id=photo_id(as_counter_number(number)))


@dataclass
class Model:
    """What a gallery is: names, photos and counter-examples by person, and of which photos of whom the crop is kept.

    A face has one number, and an id as each kind.
    """

    names: dict[str, str] = field(default_factory=dict)
    photos: dict[str, list[int]] = field(default_factory=dict)
    counters: dict[str, list[int]] = field(default_factory=dict)
    expires: dict[str, float] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    notes: dict[str, object] = field(default_factory=dict)
    crops: set[tuple[str, int]] = field(default_factory=set)
    keep_crops: bool = True
    threshold: float = 0.4
    version: int = 0

    def enrol(self, who: str, numbers: list[int]) -> list[int]:
        """Add photos; return those that are new."""
        fresh = [number for number in dict.fromkeys(numbers) if number not in self.photos[who]]
        self.photos[who] += fresh
        self.crops |= {(who, number) for number in fresh if self.keep_crops}
        return fresh

    def erase(self, who: str) -> None:
        del self.names[who], self.photos[who], self.counters[who]
        self.expires.pop(who, None)
        self.notes.pop(who, None)
        self.crops = {each for each in self.crops if each[0] != who}


def do(model: Model, store: Store, gallery: str, step: str, who: str, what: object) -> None:
    """Do one step to both, and let both refuse the same."""
    if do_to_gallery(model, store, gallery, step, who, what):
        return
    try:
        changed = do_to_person(store, gallery, step, who, what)
        refused = None
    except (PersonExists, UnknownPerson, UnknownPhoto, MalformedRequest, Contradiction) as error:
        refused, changed = type(error), False
    there = who in model.names
    if step == "create":
        assert refused is (PersonExists if there else None)
    elif step == "merge" and what == who:
        assert refused is MalformedRequest
    elif not there or (step == "merge" and what not in model.names):
        assert refused is UnknownPerson
    elif step == "forget":
        assert refused is (None if what in model.photos[who] else UnknownPhoto)
    elif step == "forget counter":
        assert refused is (None if what in model.counters[who] else UnknownPhoto)
    elif step in ("enrol", "counter"):
        assert isinstance(what, list)
        both = set(what) & set((model.photos if step == "counter" else model.counters)[who])
        assert refused is (Contradiction if both else None)
    if refused:
        return
    apply(model, step, who, what, changed)
    model.version += changed


def do_to_gallery(model: Model, store: Store, gallery: str, step: str, who: str, what: object) -> bool:
    """Do a step that is not one on one person, to both; return whether it is one."""
    if step == "threshold":
        assert isinstance(what, float)
        model.threshold = what
        store.update_gallery(gallery, threshold=what)
        model.version += 1
        return True
    if step == "sweep":
        over = [each for each, limit in model.expires.items() if limit < 4e9]
        assert store.erase_expired(gallery).people == len(over)
        for each in over:
            model.erase(each)
        model.version += len(over)
        return True
    if step in ("keep crops", "lose and accept", "erase all"):
        do_to_all(model, store, gallery, step, what)
        return True
    if step == "create once":
        create_once(model, store, gallery, who, str(what))
        return True
    if step == "enrol once":
        enrol_twice(model, store, gallery, who, what)
        return True
    return False


def do_to_all(model: Model, store: Store, gallery: str, step: str, what: object) -> None:
    """Do to both what touches everybody."""
    if step == "keep crops":
        assert isinstance(what, bool)
        assert store.update_gallery(gallery, keep_crops=what).keep_crops is what
        model.keep_crops = what
        model.crops = model.crops if what else set()
        model.version += 1
    elif step == "lose and accept":
        assert isinstance(what, int)
        store.lose(gallery, model.version + what)
        assert store.standing(gallery).lost == model.version + what
        accepted = store.accept(gallery)
        assert accepted.lost is None
        assert accepted.version is not None
        assert accepted.version > model.version + what
        model.version = accepted.version
    else:
        photos = [(who, number) for who, numbers in model.photos.items() for number in numbers]
        erased = store.delete_gallery(gallery)
        assert (erased.people, erased.samples, erased.crops) == (len(model.names), len(photos), len(model.crops))
        made = store.create_gallery(Gallery(gallery, NETWORK, D, 0.4))
        assert made.version > model.version
        model.__init__(version=made.version)  # type: ignore[misc]


def apply(model: Model, step: str, who: str, what: object, changed: bool) -> None:
    """Do to the model what was done to a person of the store."""
    before = str(model)
    if step in ("create", "rename"):
        model.names[who] = str(what)
        model.photos.setdefault(who, [])
        model.counters.setdefault(who, [])
    elif step == "enrol":
        assert isinstance(what, list)
        model.enrol(who, what)
        assert changed == (str(model) != before)
    elif step == "forget":
        assert isinstance(what, int)
        model.photos[who].remove(what)
        model.crops.discard((who, what))
    elif step == "counter":
        assert isinstance(what, list)
        fresh = [number for number in dict.fromkeys(what) if number not in model.counters[who]]
        model.counters[who] += fresh
        model.crops |= {(who, as_counter_number(number)) for number in fresh if model.keep_crops}
        assert changed == (str(model) != before)
    elif step == "forget counter":
        assert isinstance(what, int)
        model.counters[who].remove(what)
        model.crops.discard((who, as_counter_number(what)))
    elif step == "erase":
        model.erase(who)
    elif step == "annotate":
        model.notes[who] = what
    elif step == "expire":
        assert isinstance(what, float)
        model.expires[who] = what
        if what == math.inf:
            del model.expires[who]
    elif step == "merge":
        assert isinstance(what, str)
        moved = [number for number in model.photos[what] if number not in model.photos[who]]
        model.photos[who] += moved
        model.crops |= {(who, number) for number in moved if (what, number) in model.crops}
        apart = [number for number in model.counters[what] if number not in model.counters[who]]
        every = model.counters[who] + apart
        model.counters[who] = [number for number in every if number not in model.photos[who]]
        model.crops |= {(who, counter) for counter in map(as_counter_number, apart) if (what, counter) in model.crops}
        model.crops -= {(who, as_counter_number(number)) for number in set(every) - set(model.counters[who])}
        model.erase(what)


def create_once(model: Model, store: Store, gallery: str, who: str, key: str) -> None:
    """The first time it is done, then repeated; for another person, refused."""
    expected: type[FacegroupError] | None = PersonExists if who in model.names else None
    if key in model.keys:
        expected = IdempotencyConflict if model.keys[key] != who else None if who in model.names else UnknownPerson
    if expected is not None:
        with pytest.raises(expected):
            store.create_person(gallery, "Once", person_id=who, once=IdempotencyKey.of(key, who))
        return
    made = store.create_person(gallery, "Once", person_id=who, once=IdempotencyKey.of(key, who))
    assert made.id == who
    if key not in model.keys:
        model.keys[key] = who
        model.names[who], model.photos[who], model.counters[who] = "Once", [], []
        model.version += 1
    assert made.name == model.names[who]


def enrol_twice(model: Model, store: Store, gallery: str, who: str, what: object) -> None:
    """The second answer is the first, even if all that came was erased between."""
    assert isinstance(what, list)
    if who not in model.names or set(what) & set(model.counters[who]):
        return
    once = IdempotencyKey.of(f"enrol-{next(COUNTER)}", who, str(what))
    first = store.add_samples(gallery, who, [sample(number) for number in what], NETWORK, once=once)
    fresh = model.enrol(who, what)
    assert first.added == tuple(photo_id(number) for number in fresh)
    model.version += bool(fresh)
    if fresh:
        store.delete_sample(gallery, who, first.added[0])
        model.photos[who].remove(fresh[0])
        model.crops.discard((who, fresh[0]))
        model.version += 1
    again = store.add_samples(gallery, who, [sample(number) for number in what], NETWORK, once=once)
    assert (again.added, again.duplicates, again.version) == (first.added, first.duplicates, first.version)
    with pytest.raises(IdempotencyConflict):
        store.add_samples(gallery, who, [sample(9)], NETWORK, once=IdempotencyKey.of(once.key, who, "[9]"))


def do_to_person(store: Store, gallery: str, step: str, who: str, what: object) -> bool:
    if step == "create":
        store.create_person(gallery, str(what), person_id=who)
    elif step == "rename":
        store.update_person(gallery, who, name=str(what))
    elif step == "annotate":
        assert isinstance(what, dict)
        store.update_person(gallery, who, metadata=what)
    elif step == "enrol":
        assert isinstance(what, list)
        return bool(store.add_samples(gallery, who, [sample(number) for number in what], NETWORK).added)
    elif step == "forget":
        assert isinstance(what, int)
        store.delete_sample(gallery, who, photo_id(what))
    elif step == "counter":
        assert isinstance(what, list)
        return bool(store.add_samples(gallery, who, [as_counter(number) for number in what], NETWORK).added)
    elif step == "forget counter":
        assert isinstance(what, int)
        store.delete_sample(gallery, who, as_counter(what).id, counter=True)
    elif step == "erase":
        store.delete_person(gallery, who)
    elif step == "expire":
        assert isinstance(what, float)
        store.update_person(gallery, who, expires_at=what)
    elif step == "merge":
        store.merge_people(gallery, who, str(what))
    return True


def agree(model: Model, store: Store, gallery: str) -> None:
    kept = store.gallery(gallery)
    assert (kept.version, kept.people, kept.threshold) == (model.version, len(model.names), model.threshold)
    assert {person.id: person.name for person in store.people(gallery)} == model.names
    assert {person.id: person.samples for person in store.people(gallery)} == {
        who: len(photos) for who, photos in model.photos.items()
    }
    assert {person.id: person.counters for person in store.people(gallery)} == {
        who: len(numbers) for who, numbers in model.counters.items()
    }
    assert {each.id: each.expires_at for each in store.people(gallery) if each.expires_at} == model.expires
    assert {each.id: each.metadata for each in store.people(gallery) if each.metadata} == {
        who: notes for who, notes in model.notes.items() if notes
    }
    for who, photos in model.photos.items():
        kept_crops = [
            (number, f"jpeg {number}".encode() if (who, number) in model.crops else None) for number in photos
        ]
        found = [(one.id, one.crop) for one in store.samples(gallery, who, crops=True)]
        assert found == [(photo_id(number), crop) for number, crop in kept_crops]
        apart = {
            photo_id(as_counter_number(number)): f"jpeg {number}".encode()
            if (who, as_counter_number(number)) in model.crops
            else None
            for number in model.counters[who]
        }
        assert {one.id: one.crop for one in store.samples(gallery, who, crops=True, counter=True)} == apart
    read = store.centroids(gallery)
    assert read.ids == tuple(sorted(who for who, photos in model.photos.items() if photos))
    for who, name, row in zip(read.ids, read.names, read.matrix, strict=True):
        assert name == model.names[who]
        assert_allclose(row, mean_of(model.photos[who]), atol=1e-6)
    assert set(read.counters) == {who for who in read.ids if model.counters[who]}
    for who, rows in read.counters.items():
        expected = [descriptor(number) for number in model.counters[who]]
        assert_array_equal(sorted(rows.tolist()), sorted(row.tolist() for row in expected))
    told = [] if read.expires is None else read.expires.tolist()
    assert told == ([model.expires.get(who, math.inf) for who in read.ids] if model.expires.keys() & read.ids else [])


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, max_size=25))
def test_any_history_leaves_what_a_dict_would(store: Store, steps: list[tuple[str, str, object]]) -> None:
    made = store.create_gallery(Gallery(f"history {next(COUNTER)}", NETWORK, D, 0.4))
    gallery, model = made.name, Model(version=made.version)
    snapshot = Snapshot.load(store, gallery)
    for step, who, what in [*steps, ("catch up", "", None)]:
        if step != "catch up":
            do(model, store, gallery, step, who, what)
            continue
        snapshot, whole = snapshot.caught_up(store), Snapshot.load(store, gallery)
        assert (snapshot.version, snapshot.threshold) == (whole.version, whole.threshold)
        assert (snapshot.ids, snapshot.names) == (whole.ids, whole.names)
        assert_array_equal(snapshot.matrix, whole.matrix)
        assert_array_equal(snapshot.expires, whole.expires)
        assert {who: rows.tolist() for who, rows in snapshot.counters.items()} == {
            who: rows.tolist() for who, rows in whole.counters.items()
        }
        assert snapshot.caught_up(store) is snapshot
    agree(model, store, gallery)
