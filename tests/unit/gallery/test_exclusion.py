"""Who is ruled out for a face: the rule on vectors of the plane, and matching against the rule followed word by word."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from facegroup.gallery.exclusion import ruled_out
from facegroup.gallery.index.people import People
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.snapshot import Snapshot
from facegroup.types import NOT_IN_DATASET, Floats
from tests.unit.gallery.test_snapshot import AXES, PLANS, at, by_hand, unit

ALONE = np.arange(9)


def snapshot(matrix: Floats, counters: dict[int, Floats], plan: Plan | None = None, threshold: float = 0.4) -> Snapshot:
    ids = tuple(f"p{row:03d}" for row in range(len(matrix)))
    people = People.of(ids, tuple(key.upper() for key in ids), matrix, plan or Plan())
    return Snapshot(
        "group", 1, "net", threshold, people, counters={f"p{row:03d}": rows for row, rows in counters.items()}
    )


def angles(*degrees: float) -> Floats:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("face", "counters", "expected"),
    [
        (10, [], False),
        (10, [40], False),  # 10° to the centroid, 30° to the counter-example
        (20, [40], True),  # as near to the one as to the other
        (21, [40], True),
        (40, [40], True),  # the face itself
        (90, [40], True),
        (-30, [40], False),
        (-30, [40, -50], True),  # the nearest of several
        (0, [0], True),  # a mistake: it is the centroid
    ],
)
def test_the_nearer_of_the_two_explains_the_face(face: float, counters: list[float], expected: bool) -> None:
    probe = angles(face)
    assert ruled_out(probe, probe @ angles(0)[0], angles(*counters)).tolist() == [expected]


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_a_face_that_was_said_not_to_be_a_person_gets_the_next_name_or_none(plan: Plan) -> None:
    face = at(0.8, 0.55)
    before, after = (
        snapshot(AXES[:3], counters, plan).match(face[None], ALONE[:1])[0] for counters in ({}, {0: face[None]})
    )
    assert (before.person_id, before.excluded) == ("p000", ())
    assert (after.person_id, after.name) == ("p001", "P001")
    assert after.similarity == pytest.approx(0.55, abs=1e-4)
    assert after.margin == pytest.approx(0.55, abs=1e-4)  # to who is left, not to who is ruled out
    assert [each.person_id for each in after.candidates] == ["p001", "p002"]
    assert [(each.person_id, each.name) for each in after.excluded] == [("p000", "P000")]
    assert after.excluded[0].similarity == pytest.approx(0.8, abs=1e-4)
    (strict,) = snapshot(AXES[:3], {0: face[None]}, plan).match(face[None], ALONE[:1], threshold=0.6)
    assert (strict.person_id, strict.name) == (None, NOT_IN_DATASET)
    assert strict.similarity == pytest.approx(0.55, abs=1e-4)


def test_where_everybody_is_ruled_out_it_is_as_in_an_empty_gallery() -> None:
    face = at(0.8, 0.55)[None]
    (match,) = snapshot(AXES[:2], {0: face, 1: face}).match(face, ALONE[:1])
    assert (match.person_id, match.similarity, match.margin, match.candidates) == (None, -1.0, None, ())
    assert [each.person_id for each in match.excluded] == ["p000", "p001"]


def test_another_face_of_the_image_can_still_be_the_person() -> None:
    stranger, own = at(0.9), at(0.8, 0, 0, 0.6)
    gallery = snapshot(AXES[:3], {0: stranger[None]})
    assert [each.person_id for each in gallery.match(np.stack([stranger, own]), np.zeros(2, int))] == [None, "p000"]


@pytest.mark.parametrize("spoil", [0.0, np.nan])
def test_a_face_that_cannot_be_used_is_not_told_to_be_ruled_out(spoil: float) -> None:
    bad = np.full((1, 8), spoil, np.float32)
    (match,) = snapshot(AXES[:3], {0: AXES[:1]}).match(bad, ALONE[:1], threshold=-1)
    assert (match.person_id, match.candidates, match.excluded) == (None, (), ())


def test_verification_is_told_who_is_ruled_out() -> None:
    faces = np.stack([at(0.8, 0.5), AXES[0]])
    gallery = snapshot(AXES[:3], {0: faces[:1]})
    scores = gallery.similarity_to("p000", faces)
    assert gallery.rules_out("p000", faces, scores).tolist() == [True, False]
    assert gallery.rules_out("p001", faces, gallery.similarity_to("p001", faces)).tolist() == [False, False]


def test_enough_people_are_looked_at_where_many_are_ruled_out() -> None:
    people = unit(np.random.default_rng(0).normal(size=(300, 8)) + 3)
    face = people[7:8]
    last = int((face @ people.T).argmin())
    gallery = snapshot(people, {row: face for row in range(300) if row != last}, threshold=0)
    (match,) = gallery.match(face, ALONE[:1], candidates=1)
    assert match.person_id == f"p{last:03d}"
    assert len(match.excluded) == 299


def test_who_expires_takes_the_counter_examples_along() -> None:
    gallery = replace(snapshot(AXES[:2], {0: AXES[2:3], 1: AXES[3:4]}), expires={"p000": 1.0})
    assert set(gallery.living(2.0).counters) == {"p001"}


@settings(deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 10**6),
    people=st.integers(1, 9),
    images=st.lists(st.integers(0, 2), min_size=1, max_size=7),
    threshold=st.sampled_from([-1.0, -0.2, 0.0, 0.3, 0.9]),
    candidates=st.integers(1, 4),
    guarded=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 6), st.booleans()), max_size=12),
    plan=st.sampled_from([Plan(), Plan(segment_bytes=128, fresh_bytes=64)]),
)
def test_the_decision_is_the_rules(
    seed: int,
    people: int,
    images: list[int],
    threshold: float,
    candidates: int,
    guarded: list[tuple[int, int, bool]],
    plan: Plan,
) -> None:
    random = np.random.default_rng(seed)
    matrix, probes = unit(random.normal(size=(people, 4))), unit(random.normal(size=(len(images), 4)))
    counters: dict[int, Floats] = {}
    for person, face, itself in guarded:
        row = probes[face % len(probes)] if itself else unit(random.normal(size=4))
        counters[person % people] = np.concatenate([counters.get(person % people, probes[:0]), row[None]])
    scores = np.clip(probes @ matrix.T, -1, 1)
    for person, rows in counters.items():
        for face, probe in enumerate(probes):
            if max(float(probe @ row) for row in rows) >= scores[face, person] - 1e-5:
                scores[face, person] = -2
    matches = snapshot(matrix, counters, plan).match(
        probes, np.array(images), threshold=threshold, candidates=candidates
    )
    # The identity as people: then a probe's cosines are what `by_hand` is given.
    expected = by_hand(np.eye(people, dtype=np.float32), scores, images, threshold)
    assert [each.person_id for each in matches] == [None if who is None else f"p{who:03d}" for who in expected]
    for match, who, row in zip(matches, expected, scores, strict=True):
        left = np.sort(row[row > -2])[::-1]
        assert_allclose([each.similarity for each in match.candidates], left[:candidates], atol=1e-6)
        if len(left):
            best = left[0] if who is None else row[who]
            assert match.similarity == pytest.approx(best, abs=1e-6)
            assert (match.margin is None) == (len(left) == 1)
        above = max(threshold, match.similarity)
        out = (probes @ matrix.T)[matches.index(match)][row == -2]
        assert_allclose([each.similarity for each in match.excluded], np.sort(out[out > above])[::-1], atol=1e-6)


def test_without_counter_examples_the_answer_is_the_same_object_for_object() -> None:
    people, probes = unit(np.random.default_rng(1).normal(size=(50, 8))), AXES
    plain = snapshot(people, {}).match(probes, np.zeros(8, int))
    far = snapshot(people, {3: -people[3:4]}).match(probes, np.zeros(8, int))
    assert plain == far
    assert_array_equal([each.similarity for each in plain], [each.similarity for each in far])
