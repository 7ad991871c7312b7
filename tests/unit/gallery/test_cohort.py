"""The cohort decision: scores, their means, and how they are kept while a gallery changes."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from facegroup.errors import CohortTooSmall
from facegroup.gallery.calibrator import Strangers, run_searches
from facegroup.gallery.cohort import MOST, check_size
from facegroup.gallery.index.largest import GONE, Largest
from facegroup.gallery.index.people import People
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.normalization import begin, catch_up, plain
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
    cohort, people = begin(_people(rows, plan), strangers)
    return Snapshot("group", 1, "made-up", 0.2, people, decision="cohort", cohort=cohort)


def _mean(
    row: Floats, strangers: Mapping[str, Floats], members: Mapping[str, Floats], *, own: bool, size: int = 0
) -> float:
    """The mean of the largest similarities: 1 %, two at least. With `own`, the most similar member is left out.

    With `size` it is 1 % of so many.
    """
    size = size or len(strangers) + len(members)
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
    cohort, people = begin(_people(rows, plan), given)
    for step in range(60):
        outside = [key for key in rows if key not in cohort.members]
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
            cohort, people = catch_up(cohort, people, {*came, *gone}, given)
        else:
            cohort, people = catch_up(cohort, people, {*came, *gone})
        assert all(segment.offsets is not None for segment in people.segments), step
    whole, loaded = begin(_people(rows, plan), given)
    assert cohort.strangers == whole.strangers
    assert cohort.members == whole.members
    assert np.array_equal(cohort.matrix, whole.matrix)
    expected = _offsets(loaded)
    assert _offsets(people) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("segments", [1, 2])
@pytest.mark.parametrize("expired", [False, True])
def test_someone_outside_the_cohort_goes_and_the_others_keep_their_means(segments: int, expired: bool) -> None:
    rows, plan = _named(700, 1, "p"), Plan(segment_bytes=4 * _DIMENSION * 700 // segments)
    snapshot = _snapshot(rows, {}, plan)
    assert snapshot.cohort is not None
    assert len(snapshot.people.sealed) == segments
    gone = next(key for key in rows if key not in snapshot.cohort.members)
    if expired:
        left = replace(snapshot, expires={gone: 5.0}).living(now=6.0)
    else:
        people = snapshot.people.changed((), (), np.empty((0, _DIMENSION), np.float32), [gone])
        cohort, people = catch_up(snapshot.cohort, people, [gone])
        left = replace(snapshot, people=people, cohort=cohort)
    loaded = _snapshot({key: row for key, row in rows.items() if key != gone}, {}, plan)
    assert _offsets(left.people) == pytest.approx(_offsets(loaded.people), abs=1e-6)
    probes = np.concatenate([_faces(9, 3), rows["p0001"][None], rows[gone][None]])
    images = np.arange(len(probes))
    for mine, theirs in zip(left.match(probes, images), loaded.match(probes, images), strict=True):
        assert [each.person_id for each in mine.candidates] == [each.person_id for each in theirs.candidates]
        assert mine.score == pytest.approx(theirs.score, abs=1e-6)


def test_a_cohort_has_no_more_than_so_many_and_strangers_come_first() -> None:
    cohort, _ = begin(_people(_named(MOST, 1, "p")), _named(100, 2, "s"))
    assert len(cohort.strangers) == 100
    assert len(cohort.members) == MOST - 100
    cohort, _ = begin(_people(_named(5, 1, "p")), _named(MOST + 9, 2, "s"))
    assert len(cohort.strangers) == MOST
    assert not cohort.members


def test_who_expires_leaves_the_cohort() -> None:
    rows = _named(60, 1, "p")
    cohort, people = begin(_people(rows), {})
    snapshot = Snapshot("group", 1, "made-up", 0.2, people, {"p0003": 5.0}, decision="cohort", cohort=cohort)
    left = snapshot.living(now=6.0)
    assert left.cohort is not None
    assert "p0003" not in left.cohort.members
    _, expected = begin(_people({key: row for key, row in rows.items() if key != "p0003"}), {})
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
    cohort, people = begin(people, _named(60, 2, "s"))
    snapshot = Snapshot("group", 1, "made-up", 0.2, people, decision="cohort", cohort=cohort)
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


def test_verification_compares_with_the_living_as_identification_does() -> None:
    snapshot = replace(_snapshot(_named(60, 1, "p"), {}), expires={"p0003": 5.0})
    living = snapshot.living()
    probes = np.concatenate([_faces(3, 3), snapshot.matrix[:1]])
    similarities = snapshot.similarity_to("p0001", probes)
    mine, theirs = (each.score_of("p0001", probes, similarities) for each in (snapshot, living))
    assert mine is not None
    assert theirs is not None
    assert mine[1] == theirs[1]
    assert mine[1][0].size == 59
    assert np.array_equal(mine[0], theirs[0])


def test_an_unusable_face_has_the_least_score_with_whomever_it_is_compared() -> None:
    rows = {f"p{place:04}": unit(row[None] - 0.9)[0] for place, row in enumerate(-_faces(60, 1))}
    opposite = {"q": -unit(np.stack([*rows.values()]).mean(axis=0)[None])[0]}
    snapshot = _snapshot(rows | opposite, {})
    probes = np.full((2, _DIMENSION), np.nan, np.float32)
    probes[1] = 0
    scored = snapshot.score_of("q", probes, snapshot.similarity_to("q", probes))
    assert scored is not None
    assert scored[1][0].person_mean < 0
    assert scored[0].tolist() == [-1, -1], "which exceeds no threshold"


def test_strangers_beyond_the_most_stay_the_same_when_members_change() -> None:
    given = _named(MOST + 40, 2, "s")
    before, people = begin(_people(_named(60, 1, "p")), given)
    after, changed = catch_up(
        before, people.changed((), (), np.empty((0, _DIMENSION), np.float32), ["p0001"]), ["p0001"]
    )
    assert after.strangers == before.strangers == tuple(sorted(given)[:MOST])
    assert np.array_equal(after.matrix, before.matrix)
    assert len(changed) == 59
    fewer = {key: row for key, row in given.items() if key != "s0000"}
    assert catch_up(after, changed, (), fewer)[0].strangers == tuple(sorted(fewer)[:MOST])


@pytest.mark.parametrize("members", [True, False])
def test_a_calibration_scores_as_a_search_does(members: bool) -> None:
    rows, given = _named(60, 1, "p"), _named(240, 2, "s")
    common = unit(np.stack([*rows.values()]).mean(axis=0)[None])[0]
    rows |= {"p0060": common, "p0061": -common}
    size, snapshot = len(rows) + len(given), _snapshot(rows, given)
    photos = {key: unit(row[None] + 0.2 * _faces(3, int(key[1:]))) for key, row in rows.items()}
    unknown = (
        None if members else Strangers(np.concatenate([_faces(199, 3), -common[None]]), tuple(map(str, range(200))))
    )
    scores, _ = run_searches(photos.__getitem__, snapshot, unknown)
    if unknown is not None:
        matches = snapshot.match(unknown.descriptors, np.arange(200))
        assert scores.nonmated.tolist() == [match.score for match in matches]
        probes, whose = unknown.descriptors, [""] * 200
    else:
        probes = np.concatenate([*photos.values()])
        whose = [key for key in rows for _ in range(3)]
        assert len(scores.nonmated) == len(scores.pairs) / 61 == 186
    expected: list[float] = []
    middles = {key: unit(each.sum(axis=0)[None])[0] for key, each in photos.items()}
    means = {
        key: _mean(middle, given, {name: row for name, row in rows.items() if name != key}, own=False, size=size)
        for key, middle in middles.items()
    }
    for probe, own in zip(probes, whose, strict=True):
        others = {key: row for key, row in rows.items() if key != own}
        mean = _mean(probe, given, others, own=True, size=size)
        expected += [float(probe @ middles[key]) - (mean + means[key]) / 2 for key in others]
    expected = [max(each, -1) for each in expected]
    assert np.sort(scores.pairs).tolist() == pytest.approx(sorted(expected), abs=1e-5)
    assert scores.pairs.min() == -1, "a score below the least threshold counts as equal to it"


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
    cohort, people = begin(_people(rows), {})
    probe = unit(rows["p0000"][None] + 0.1 * _faces(1, 9))
    snapshot = Snapshot(
        *("group", 1, "made-up", 0.2, people),
        counters={"p0000": probe},
        decision="cohort",
        cohort=cohort,
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
