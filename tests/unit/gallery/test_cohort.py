"""The cohort decision: scores, their means, and how they are kept while a gallery changes."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from facegroup.errors import CohortTooSmall
from facegroup.gallery.cohort import MOST, check_size
from facegroup.gallery.index.largest import GONE, Largest
from facegroup.gallery.index.people import People
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.normalization import Normalization, plain
from facegroup.gallery.snapshot import Snapshot
from facegroup.networks.embedder import unit
from facegroup.store.cohort import LEAST
from facegroup.types import Floats

_DIMENSION = 24
_Rows = dict[str, Floats]


def _faces(count: int, seed: int) -> Floats:
    middle = 0.5 * np.random.default_rng(7).normal(size=_DIMENSION)
    return unit((middle + np.random.default_rng(seed).normal(size=(count, _DIMENSION))).astype(np.float32))


def _named(count: int, seed: int, prefix: str) -> _Rows:
    return {f"{prefix}{number:04}": row for number, row in enumerate(_faces(count, seed))}


def _people(rows: _Rows, plan: Plan | None = None) -> People:
    return People.of([*rows], [key.upper() for key in rows], np.stack([*rows.values()]), plan)


def _snapshot(rows: _Rows, strangers: _Rows, plan: Plan | None = None) -> Snapshot:
    normalization, people = Normalization.begun(_people(rows, plan), strangers)
    return Snapshot("group", 1, "made-up", 0.2, people, decision="cohort", normalization=normalization)


def _mean(row: Floats, strangers: Mapping[str, Floats], members: Mapping[str, Floats], *, own: bool) -> float:
    """The mean of the largest similarities: 1 %, two at least. With `own`, the most similar member is left out."""
    size = len(strangers) + len(members)
    to_members = sorted(float(row @ other) for other in members.values())
    found = [float(row @ other) for other in strangers.values()] + (to_members[:-1] if own else to_members)
    return float(np.mean(sorted(found)[-max(2, round(size / 100)) :]))


def _expected(probe: Floats, key: str, rows: _Rows, strangers: _Rows) -> float:
    """The rule, written out for one pair."""
    others = {name: row if name != key else -row for name, row in rows.items()}
    means = _mean(probe, strangers, rows, own=True) + _mean(rows[key], strangers, others, own=False)
    return float(probe @ rows[key]) - means / 2


def _offsets(people: People) -> dict[str, float]:
    found = {}
    for key, _, segment, row in people:
        assert segment.offsets is not None
        found[key] = float(segment.offsets[row])
    return found


@pytest.mark.parametrize("strangers", [0, 70])
def test_the_score_is_the_cosine_less_half_of_both_means(strangers: int) -> None:
    rows, given = _named(60, 1, "p"), _named(strangers, 2, "s")
    probes = _faces(9, 3)
    matches = _snapshot(rows, given).match(probes, np.arange(9), candidates=5)
    for probe, match in zip(probes, matches, strict=True):
        scores = {key: _expected(probe, key, rows, given) for key in rows}
        best = sorted(scores, key=lambda key: -scores[key])
        assert [each.person_id for each in match.candidates] == best[:5]
        for each in match.candidates:
            assert each.deciding == pytest.approx(scores[each.person_id], abs=1e-5)
            assert each.similarity == pytest.approx(float(probe @ rows[each.person_id]), abs=1e-5)
        assert match.score == match.candidates[0].deciding
        assert match.similarity == match.candidates[0].similarity
        assert match.margin == pytest.approx(scores[best[0]] - scores[best[1]], abs=1e-5)
        assert match.cohort is not None
        assert match.cohort.size == 60 + strangers
        assert match.cohort.probe_mean == pytest.approx(_mean(probe, given, rows, own=True), abs=1e-5)
        means = match.cohort.probe_mean + match.cohort.person_mean
        assert match.score == pytest.approx(match.similarity - means / 2, abs=1e-5)
        assert (match.person_id is not None) == (match.deciding > 0.2)


def test_the_best_by_score_may_be_another_than_the_most_similar() -> None:
    rows, given = _named(60, 1, "p"), _named(70, 2, "s")
    snapshot = _snapshot(rows, given)
    probes = _faces(200, 4)
    by_score = [match.candidates[0].person_id for match in snapshot.match(probes, np.arange(200))]
    cosine = Snapshot("group", 1, "made-up", 0.2, plain(snapshot.people))
    by_cosine = [match.candidates[0].person_id for match in cosine.match(probes, np.arange(200))]
    assert 0 < sum(left != right for left, right in zip(by_score, by_cosine, strict=True)) < 200


def test_a_face_that_resembles_many_needs_more_similarity() -> None:
    rows = _named(60, 1, "p")
    common = unit(np.stack([*rows.values()]).mean(axis=0)[None].astype(np.float32))
    (match,) = _snapshot(rows, {}).match(common, np.zeros(1, np.intp))
    (rare,) = _snapshot(rows, {}).match(rows["p0000"][None], np.zeros(1, np.intp))
    assert match.cohort is not None
    assert rare.cohort is not None
    assert match.cohort.probe_mean > rare.cohort.probe_mean
    assert match.person_id is None
    assert rare.person_id == "p0000"


def test_compact_people_are_decided_on_likewise() -> None:
    rows, given = _named(3000, 1, "p"), _named(100, 2, "s")
    probes = unit(np.stack([*rows.values()])[:50] + 0.05 * _faces(50, 5))
    exact = _snapshot(rows, given).match(probes, np.arange(50))
    compact = _snapshot(rows, given, Plan("compact")).match(probes, np.arange(50))
    assert [match.person_id for match in exact] == [match.person_id for match in compact]
    for left, right in zip(exact, compact, strict=True):
        assert left.score == pytest.approx(right.score, abs=1e-3)


@pytest.mark.parametrize("size", [100, 400, 10_000])
def test_a_changed_gallery_is_as_one_that_was_loaded_so(size: int) -> None:
    random = np.random.default_rng(0)
    plan = Plan(segment_bytes=4 * _DIMENSION * size, fresh_bytes=4 * _DIMENSION * 20)
    rows, given = _named(MOST + 200, 1, "p"), _named(30, 2, "s")
    normalization, people = Normalization.begun(_people(rows, plan), given)
    for step in range(60):
        outside = [key for key in rows if key not in normalization.cohort.members]
        if step % 3 == 1:  # only people whom nobody is compared with go
            gone, came = random.choice(outside, random.integers(1, 3), replace=False).tolist(), {}
        else:
            gone = random.choice([*rows], random.integers(0, 4), replace=False).tolist()
            came = {key: _faces(1, 100 + step)[0] for key in random.choice([*rows], 2).tolist() if key not in gone}
            came |= {f"n{step:03}{number}": row for number, row in enumerate(_faces(int(random.integers(0, 9)), step))}
        rows = {key: row for key, row in rows.items() if key not in gone} | came
        matrix = np.stack([*came.values(), _faces(1, 0)[0]])[:-1]
        people = people.changed([*came], [*came], matrix, gone)
        if step % 7 == 3:
            given = {key: row for key, row in given.items() if random.random() < 0.9} | _named(
                step % 5, step, f"t{step}"
            )
            normalization, people = normalization.caught_up(people, {*came, *gone}, given)
        else:
            normalization, people = normalization.caught_up(people, {*came, *gone})
        assert all(segment.offsets is not None for segment in people.segments), step
    whole, loaded = Normalization.begun(_people(rows, plan), given)
    assert normalization.cohort.strangers == whole.cohort.strangers
    assert normalization.cohort.members == whole.cohort.members
    assert np.array_equal(normalization.cohort.matrix, whole.cohort.matrix)
    expected = _offsets(loaded)
    assert _offsets(people) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("segments", [1, 2])
@pytest.mark.parametrize("expired", [False, True])
def test_someone_outside_the_cohort_goes_and_the_others_keep_their_means(segments: int, expired: bool) -> None:
    rows, plan = _named(700, 1, "p"), Plan(segment_bytes=4 * _DIMENSION * 700 // segments)
    snapshot = _snapshot(rows, {}, plan)
    assert snapshot.normalization is not None
    assert len(snapshot.people.sealed) == segments
    gone = next(key for key in rows if key not in snapshot.normalization.cohort.members)
    if expired:
        left = replace(snapshot, expires={gone: 5.0}).living(now=6.0)
    else:
        people = snapshot.people.changed((), (), np.empty((0, _DIMENSION), np.float32), [gone])
        normalization, people = snapshot.normalization.caught_up(people, [gone])
        left = replace(snapshot, people=people, normalization=normalization)
    loaded = _snapshot({key: row for key, row in rows.items() if key != gone}, {}, plan)
    assert _offsets(left.people) == pytest.approx(_offsets(loaded.people), abs=1e-6)
    probes = np.concatenate([_faces(9, 3), rows["p0001"][None], rows[gone][None]])
    images = np.arange(len(probes))
    for mine, theirs in zip(left.match(probes, images), loaded.match(probes, images), strict=True):
        assert [each.person_id for each in mine.candidates] == [each.person_id for each in theirs.candidates]
        assert mine.score == pytest.approx(theirs.score, abs=1e-6)


def test_a_cohort_has_no_more_than_so_many_and_strangers_come_first() -> None:
    normalization, _ = Normalization.begun(_people(_named(MOST, 1, "p")), _named(100, 2, "s"))
    assert len(normalization.cohort.strangers) == 100
    assert len(normalization.cohort.members) == MOST - 100
    normalization, _ = Normalization.begun(_people(_named(5, 1, "p")), _named(MOST + 9, 2, "s"))
    assert len(normalization.cohort.strangers) == MOST
    assert not normalization.cohort.members


def test_who_expires_leaves_the_cohort() -> None:
    rows = _named(60, 1, "p")
    normalization, people = Normalization.begun(_people(rows), {})
    snapshot = Snapshot(
        "group", 1, "made-up", 0.2, people, {"p0003": 5.0}, decision="cohort", normalization=normalization
    )
    left = snapshot.living(now=6.0)
    assert left.normalization is not None
    assert "p0003" not in left.normalization.cohort.members
    _, expected = Normalization.begun(_people({key: row for key, row in rows.items() if key != "p0003"}), {})
    assert _offsets(left.people) == pytest.approx(_offsets(expected), abs=1e-6)


def test_a_small_cohort_is_refused() -> None:
    snapshot = _snapshot(_named(LEAST - 1, 1, "p"), {})
    with pytest.raises(CohortTooSmall, match="there are 49"):
        snapshot.match(_faces(1, 3), np.zeros(1, np.intp))
    with pytest.raises(CohortTooSmall):
        snapshot.score_of("p0001", _faces(1, 3), np.zeros(1, np.float32))
    check_size(LEAST)


def test_a_gallery_without_people_names_nobody() -> None:
    people = People.of([], [], np.empty((0, _DIMENSION), np.float32))
    normalization, people = Normalization.begun(people, _named(60, 2, "s"))
    snapshot = Snapshot("group", 1, "made-up", 0.2, people, decision="cohort", normalization=normalization)
    (match,) = snapshot.match(_faces(1, 3), np.zeros(1, np.intp))
    assert (match.person_id, match.similarity, match.score) == (None, -1.0, None)


def test_unusable_probes_are_nobody_s() -> None:
    probes = _faces(3, 3)
    probes[1] = np.nan
    matches = _snapshot(_named(60, 1, "p"), {}).match(probes, np.zeros(3, np.intp))
    assert matches[1].score is None
    assert matches[0].score is not None


def test_verification_scores_as_identification_does() -> None:
    snapshot = _snapshot(_named(60, 1, "p"), _named(10, 2, "s"))
    probe = _faces(1, 3)
    (match,) = snapshot.match(probe, np.zeros(1, np.intp))
    person = match.candidates[0].person_id
    scored = snapshot.score_of(person, probe, snapshot.similarity_to(person, probe))
    assert scored is not None
    assert match.score == pytest.approx(float(scored[0][0]), abs=1e-6)
    assert match.cohort is not None
    assert match.cohort.person_mean == pytest.approx(scored[1][0].person_mean, abs=1e-5)


def test_a_person_is_named_once_by_score() -> None:
    rows = _named(60, 1, "p")
    near = unit(rows["p0000"][None] + 0.1 * _faces(1, 9))
    twice = np.concatenate([near, rows["p0000"][None]])
    first, second = _snapshot(rows, {}).match(twice, np.zeros(2, np.intp))
    assert second.person_id == "p0000"
    assert first.person_id != "p0000"
    assert first.taken_by == 1


def test_a_counter_example_excludes_and_is_told_with_its_score() -> None:
    rows = _named(60, 1, "p")
    normalization, people = Normalization.begun(_people(rows), {})
    probe = unit(rows["p0000"][None] + 0.1 * _faces(1, 9))
    snapshot = Snapshot(
        *("group", 1, "made-up", 0.2, people),
        counters={"p0000": probe},
        decision="cohort",
        normalization=normalization,
    )
    (match,) = snapshot.match(probe, np.zeros(1, np.intp))
    assert match.person_id != "p0000"
    assert [each.person_id for each in match.excluded] == ["p0000"]
    assert match.excluded[0].similarity == pytest.approx(float(probe[0] @ rows["p0000"]), abs=1e-5)
    assert match.excluded[0].deciding == pytest.approx(_expected(probe[0], "p0000", rows, {}), abs=1e-5)
    assert match.excluded[0].deciding > 0.2


@pytest.mark.parametrize("columns", [0, 3, 6, 20])
def test_the_largest_of_parts_are_those_of_the_whole(columns: int) -> None:
    found = np.random.default_rng(0).normal(size=(7, columns + 5)).astype(np.float32)
    whole = Largest.of(found, 6)
    parts = Largest.of(found[:, :columns], 6).merged(Largest.of(found[:, columns:], 6, np.arange(columns, columns + 5)))
    assert np.array_equal(whole.similarities, parts.similarities)
    assert np.array_equal(whole.places, parts.places)


def test_rows_that_went_are_looked_for_again() -> None:
    largest = Largest.of(np.array([[0.9, 0.1, 0.5], [0.1, 0.8, 0.7]], np.float32), 2)
    moved = largest.moved(np.array([GONE, 0, 1]))
    assert moved.incomplete.tolist() == [0]
    assert moved.places.tolist() == [[GONE, 1], [0, 1]]
