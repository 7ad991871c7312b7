"""People who come, change and go, in whichever pieces, against a fresh load and against plain products."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from facegroup.errors import UnknownPerson
from facegroup.gallery.index.people import People
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.index.products import Products
from facegroup.gallery.index.rows import Compact, Whole
from facegroup.types import Floats

D = 16
STEP = 1 / 65534 + 1e-7  # half of what 16 bits can tell apart
PLANS = {
    "exact": Plan(segment_bytes=10 * 4 * D, fresh_bytes=3 * 4 * D),
    "compact": Plan("compact", segment_bytes=10 * 4 * D, fresh_bytes=3 * 4 * D),
    "auto": Plan("auto", exact_bytes=12 * 4 * D, segment_bytes=10 * 4 * D, fresh_bytes=3 * 4 * D),
}


def unit(random: np.random.Generator, count: int, dimension: int = D) -> Floats:
    rows = np.maximum(random.normal(size=(count, dimension)) + 0.3, 0).astype(np.float32)
    rows[:, 0] += 0.01
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def table(people: People) -> dict[str, tuple[str, Floats]]:
    return {key: (name, segment.rows.take(np.array([row]))[0]) for key, name, segment, row in people}


STEPS = st.lists(
    st.tuples(st.sets(st.integers(0, 30), max_size=7), st.sets(st.integers(0, 30), max_size=4)), max_size=25
)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@settings(deadline=None, max_examples=60)
@given(steps=STEPS, seed=st.integers(0, 1000), first=st.integers(0, 25))
def test_changes_come_to_the_same_as_loading_anew(
    plan: Plan, steps: list[tuple[set[int], set[int]]], seed: int, first: int
) -> None:
    random = np.random.default_rng(seed)
    rows = unit(random, first)
    model = {f"p{number:02}": (f"name {number}", row) for number, row in enumerate(rows)}
    people = People.of(list(model), [name for name, _ in model.values()], rows, plan)
    versions: list[tuple[People, dict[str, Any]]] = []
    for step, (changed, gone) in enumerate(steps):
        ids = [f"p{number:02}" for number in sorted(changed)]
        leaving = [f"p{number:02}" for number in sorted(gone - changed)]
        rows = unit(random, len(ids))
        versions.append((people, dict(model)))
        people = people.changed(ids, [f"{key} at {step}" for key in ids], rows, leaving)
        model |= {key: (f"{key} at {step}", row) for key, row in zip(ids, rows, strict=True)}
        for key in leaving:
            model.pop(key, None)
    for version, expected in [*versions[::5], (people, model)]:  # an old version is what it was
        check(version, expected, plan, random)


def check(people: People, model: dict[str, tuple[str, Floats]], plan: Plan, random: np.random.Generator) -> None:
    found = table(people)
    assert len(people) == len(model)
    assert {key: name for key, (name, _) in found.items()} == {key: name for key, (name, _) in model.items()}
    assert list(found) == sorted(model)
    exact = people.exact and plan.index != "compact"
    for key, (_, row) in model.items():
        assert_allclose(found[key][1], row, atol=0 if exact else STEP)
        segment, place = people.find(key)
        assert segment.ids[place] == key
    with pytest.raises(UnknownPerson):
        people.find("nobody")
    probes = unit(random, 4)
    ids = sorted(model)
    scores = probes @ np.stack([found[key][1] for key in ids]).T if ids else np.empty((4, 0), np.float32)
    for count in (1, 3, 50):
        nearest = people.nearest(probes, count)
        width = min(count, len(ids))
        assert nearest.people.shape == nearest.similarities.shape == (4, width)
        for mine, similarities, row in zip(nearest.people, nearest.similarities, scores, strict=True):
            best = np.argsort(-row, kind="stable")[:width]
            assert_allclose(similarities, row[best], atol=1e-6)
            assert_allclose([row[ids.index(nearest.ids[each])] for each in mine], row[best], atol=1e-6)
            assert [nearest.names[each] for each in mine] == [model[nearest.ids[each]][0] for each in mine]


def test_of_equals_the_first_id_comes_first_wherever_they_are() -> None:
    row = unit(np.random.default_rng(0), 1)
    for plan in PLANS.values():
        people = People.of(["m"], ["M"], row, plan)
        for key in ("z", "a", "q", "b"):
            people = people.changed([key], [key.upper()], row, ())
        people = people.changed(["m"], ["M"], row, ())
        nearest = people.nearest(row, 5)
        order = [nearest.ids[each] for each in nearest.people[0]]
        by_score = sorted(zip(-nearest.similarities[0], order, strict=True))
        assert [key for _, key in by_score] == order
        assert sorted(order) == ["a", "b", "m", "q", "z"]


def test_auto_goes_on_compact_where_it_is_too_large() -> None:
    random, plan = np.random.default_rng(1), PLANS["auto"]
    small, large = (
        People.of([f"{n:02}" for n in range(size)], [""] * size, unit(random, size), plan) for size in (12, 13)
    )
    assert (small.exact, large.exact) == (True, False)
    for number in range(12, 40):
        small = small.changed([f"{number:02}"], [""], unit(random, 1), ())
    assert not small.exact
    assert any(isinstance(segment.rows, Whole) and len(segment) for segment in small.sealed)
    assert any(isinstance(segment.rows, Compact) for segment in small.sealed)


def test_nobody_is_left_in_what_is_mostly_gone() -> None:
    random = np.random.default_rng(2)
    for plan in PLANS.values():
        ids = [f"{n:02}" for n in range(40)]
        people = People.of(ids, ids, unit(random, 40), plan)
        for key in ids:
            people = people.changed([], [], np.empty((0, D), np.float32), [key])
            people = people.changed([f"n{key}"], ["new"], unit(random, 1), ())
        assert len(people) == 40
        assert sum(len(segment.ids) for segment in people.segments) <= 80
        assert all(segment.dead < len(segment.ids) for segment in people.sealed)


@pytest.mark.parametrize("dimension", [256, 2048])
def test_the_nearest_of_thousands_are_found_by_code(dimension: int) -> None:
    random = np.random.default_rng(3)
    families = random.normal(size=(50, dimension))
    rows = np.maximum(0.8 * families[random.integers(0, 50, 6000)] + random.normal(size=(6000, dimension)), 0)
    matrix = np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
    ids = [f"{n:04}" for n in range(6000)]
    plan = Plan("compact", segment_bytes=4 * dimension * 1000, products=Products(2))
    people = People.of(ids, ids, matrix, plan)
    noisy = np.maximum(rows[::60] + random.normal(size=(100, dimension)), 0)
    probes = np.asarray(noisy / np.linalg.norm(noisy, axis=1, keepdims=True), np.float32)
    nearest, exact = people.nearest(probes, 3), probes @ matrix.T
    assert [int(nearest.ids[best]) for best in nearest.people[:, 0]] == exact.argmax(axis=1).tolist()
    assert_allclose(nearest.similarities[:, 0], exact.max(axis=1), atol=2e-5)


@pytest.mark.parametrize("rows", [100, 3000, 20_001])
def test_a_large_product_is_the_small_ones(rows: int) -> None:
    random = np.random.default_rng(4)
    matrix, probes = unit(random, rows, 256), unit(random, 5, 256)
    expected = matrix @ probes.T
    products = Products(2)
    assert_allclose(products.of(matrix, probes), expected, atol=1e-6)
    found, scores = Whole(matrix).near(probes, 3, products)
    best = -np.sort(-expected, axis=0)[:3].T
    assert_allclose(-np.sort(-scores, axis=1), best, atol=1e-6)
    assert_array_equal(np.sort(found, axis=1), np.sort(np.argsort(-expected, axis=0)[:3].T, axis=1))


def test_small_products_after_a_large_one_are_right_too() -> None:
    random = np.random.default_rng(6)
    products = Products(2)
    for rows in (20_001, 0, 3, 700, 3000, 20_001, 1):
        for count in (0, 1, 7):
            matrix, probes = unit(random, rows, 256), unit(random, count, 256)
            assert_allclose(products.of(matrix, probes), matrix @ probes.T, atol=1e-6)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_who_is_erased_leaves_no_row_behind(plan: Plan) -> None:
    random = np.random.default_rng(5)
    rows = unit(random, 25)
    ids = [f"p{number:02}" for number in range(25)]
    people = People.of(ids, ids, rows, plan).changed(["late", "p07"], ["late", "p07"], unit(random, 2), ())
    for key in ("p03", "late", "p07"):  # as loaded, come later, changed since
        people = people.changed((), (), np.empty((0, D), np.float32), [key])
        assert not any(key in segment.ids for segment in people.segments)
        assert all(
            len(segment.rows.take(np.arange(len(segment.ids)))) == len(segment.ids) for segment in people.segments
        )
