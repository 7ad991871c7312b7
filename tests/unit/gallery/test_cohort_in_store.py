"""The cohort decision of a gallery in a store: its settings, its changes, and what matching and calibration make of it."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facegroup.enrolment.doubts import query
from facegroup.errors import CohortTooSmall, Conflict, FacegroupError, MalformedRequest, NetworkMismatch
from facegroup.gallery import calibration, calibrator, decision_change
from facegroup.gallery.calibrator import Strangers
from facegroup.gallery.decision_change import Defaults
from facegroup.gallery.matching import Matcher
from facegroup.pipeline.messages import PhotoMatches, Query
from facegroup.store import open_store
from facegroup.store.calls import AskStore, direct, run, waiting
from facegroup.store.cohort import LEAST
from facegroup.store.contract import Changes, Store
from facegroup.types import CohortMember, DecisionRule, Descriptors, Gallery, Match
from tests.unit.gallery.people_at_random import SPEC, enrol, middles, photos

PEOPLE = LEAST + 10
DEFAULTS = Defaults(SPEC.name, 0.6, 0.25)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/g.db")
    enrol(store, photos(middles(PEOPLE, 0), 3, 1))
    yield store
    store.close()


def change(store: Store, defaults: Defaults = DEFAULTS, **changes: object) -> Gallery:
    wanted: Changes = changes  # type: ignore[assignment]
    return run(decision_change.change(waiting(direct(store)), "group", wanted, defaults))


def strangers(count: int, seed: int = 9) -> list[CohortMember]:
    return [CohortMember(f"{number + 1000 * seed:064x}", row) for number, row in enumerate(middles(count, seed))]


def decided(matcher: Matcher, rows: Descriptors, asked: Query | None = None) -> Sequence[Match]:
    (answer,) = matcher.match(rows, [(asked or Query("group"), len(rows))])
    assert isinstance(answer, PhotoMatches), answer
    return answer.matches


def refusal(matcher: Matcher, asked: Query) -> FacegroupError:
    (answer,) = matcher.match(middles(1, 5), [(asked, 1)])
    assert isinstance(answer, FacegroupError)
    return answer


def test_the_decision_brings_its_threshold_and_the_way_back_too(store: Store) -> None:
    before = store.gallery("group")
    made = change(store, decision="cohort")
    assert (made.decision, made.threshold) == ("cohort", 0.25)
    assert change(store, decision="cohort", threshold=0.4).threshold == 0.4
    assert change(store, decision="cohort").threshold == 0.4, "it was the decision before"
    assert change(store, threshold=0.3).decision == "cohort"
    assert change(store, decision="cosine").threshold == 0.6
    assert before.decision == "cosine"


def asking(store: Store, meanwhile: Callable[[], object]) -> AskStore:
    """Return what calls the store, and does something else once between reading the gallery and writing it."""
    left = [meanwhile]

    def call(method: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        answer = direct(store)(method, *arguments, **named)
        if method == Store.gallery and left:
            left.pop()()
        return answer

    return waiting(call)


@pytest.mark.parametrize(("first", "then"), [("cosine", "cohort"), ("cohort", "cosine")])
def test_of_two_changes_at_once_a_decision_never_has_the_threshold_of_the_other(
    store: Store, first: DecisionRule, then: DecisionRule
) -> None:
    change(store, decision=first, unique=False)
    pairs = {("cosine", 0.6), ("cohort", 0.25)}
    for wanted in (first, then):
        store.update_gallery("group", decision=first, threshold=DEFAULTS.threshold(first))
        ask = asking(store, lambda: change(store, decision=then))
        made = run(decision_change.change(ask, "group", {"decision": wanted, "unique": True}, DEFAULTS))
        assert (made.decision, made.threshold) in pairs
        assert made == store.gallery("group")
        assert made.unique


def test_a_default_threshold_is_not_set_in_a_gallery_that_was_migrated_meanwhile(store: Store) -> None:
    def migrated() -> None:
        store.delete_gallery("group")
        store.create_gallery(Gallery("group", "another", 16, 0.9))

    change(store, decision="cohort")
    with pytest.raises(NetworkMismatch):
        run(decision_change.change(asking(store, migrated), "group", {"decision": "cosine"}, DEFAULTS))
    assert store.gallery("group").threshold == 0.9


def test_a_network_without_a_default_needs_a_threshold(store: Store) -> None:
    alone = Defaults(SPEC.name, 0.6, None)
    with pytest.raises(MalformedRequest, match="Give a threshold"):
        change(store, alone, decision="cohort")
    assert change(store, alone, decision="cohort", threshold=0.2).threshold == 0.2
    with pytest.raises(MalformedRequest, match="is of"):
        change(store, Defaults("retail-0095", 0.43, 0.2), decision="cosine")


def test_a_gallery_with_too_few_people_is_refused(store: Store) -> None:
    for number in range(11):
        store.delete_person("group", f"p{number}")
        store.create_person("group", "without photos", person_id=f"empty-{number}")
    with pytest.raises(CohortTooSmall, match=f"there are {LEAST - 1}"):
        change(store, decision="cohort")
    assert store.gallery("group").decision == "cosine"
    store.add_cohort("group", strangers(1), SPEC.name)
    assert change(store, decision="cohort").decision == "cohort"


def test_a_match_has_its_score_and_who_is_enrolled_is_named_at_once(store: Store) -> None:
    matcher = Matcher(store, SPEC)
    rows = middles(PEOPLE, 0)
    assert decided(matcher, rows[:1])[0].score is None
    change(store, decision="cohort")
    matches = decided(matcher, rows)
    assert [match.person_id for match in matches] == [f"p{number}" for number in range(PEOPLE)]
    for match in matches:
        assert match.score is not None
        assert match.cohort is not None
        assert match.cohort.size == PEOPLE
        assert match.score < match.similarity
        assert match.threshold == 0.25
    new = middles(1, 77)
    assert decided(matcher, new)[0].person_id is None
    enrol_one(store, "new", new)
    assert decided(matcher, new)[0].person_id == "new"
    assert sizes(matcher) == PEOPLE + 1
    store.delete_person("group", "new")
    assert decided(matcher, new)[0].person_id is None
    assert sizes(matcher) == PEOPLE
    change(store, decision="cosine")
    assert decided(matcher, new)[0].score is None


def test_strangers_of_the_cohort_are_known_at_once(store: Store) -> None:
    matcher = Matcher(store, SPEC)
    change(store, decision="cohort")
    assert sizes(matcher) == PEOPLE
    given = strangers(20)
    store.add_cohort("group", given, SPEC.name)
    assert sizes(matcher) == PEOPLE + 20
    store.erase_cohort("group", [given[0].id])
    assert sizes(matcher) == PEOPLE + 19
    assert sizes(Matcher(store, SPEC)) == PEOPLE + 19
    store.erase_cohort("group")
    assert sizes(matcher) == PEOPLE


def test_below_the_least_nothing_is_decided_but_people_can_be_enrolled(store: Store) -> None:
    matcher = Matcher(store, SPEC)
    change(store, decision="cohort")
    for number in range(11):
        store.delete_person("group", f"p{number}")
    for asked in (Query("group"), Query("group", "p20")):
        assert isinstance(refusal(matcher, asked), CohortTooSmall)
    (match,) = decided(matcher, middles(1, 5), query("group"))
    assert (match.person_id, match.candidates) == (None, ())
    enrol_one(store, "new", middles(1, 77))
    assert decided(matcher, middles(1, 77))[0].person_id == "new"


def test_what_two_photos_are_compared_by_is_the_network_s_own(store: Store) -> None:
    matcher = Matcher(store, SPEC)
    (cosine,) = matcher.match(middles(1, 5), [(Query("group"), 1)])
    change(store, decision="cohort")
    (cohort,) = matcher.match(middles(1, 5), [(Query("group"), 1)])
    assert isinstance(cosine, PhotoMatches)
    assert isinstance(cohort, PhotoMatches)
    assert (cosine.between_photos, cohort.between_photos) == (cosine.threshold, SPEC.threshold)


def test_verification_decides_by_the_score(store: Store) -> None:
    matcher = Matcher(store, SPEC)
    change(store, decision="cohort")
    row = middles(PEOPLE, 0)[:1]
    (named,) = decided(matcher, row)
    (same,) = decided(matcher, row, Query("group", "p0"))
    (other,) = decided(matcher, row, Query("group", "p1"))
    assert same.person_id == "p0"
    assert same.score == pytest.approx(named.score, abs=1e-6)
    assert other.person_id is None
    assert other.score is not None
    (strict,) = decided(matcher, row, Query("group", "p0", 0.99))
    assert strict.person_id is None


@pytest.mark.parametrize("members", [True, False])
def test_a_calibration_is_of_scores(store: Store, members: bool) -> None:
    change(store, decision="cohort")
    matcher = Matcher(store, SPEC)
    unknown = None if members else Strangers(middles(600, 7), tuple(map(str, range(600))))
    done = calibrator.run(direct(store), matcher.snapshot("group"), 0.05, unknown)
    assert done.found.decision == "cohort"
    assert done.found.tpir == 1
    assert calibration.stale(done.gallery) is None
    others = decided(matcher, middles(2000, 8), Query("group", unique=False))
    rate = np.mean([match.person_id is not None for match in others])
    assert 0.02 < rate < 0.12
    assert others[0].estimated_fpir == pytest.approx(0.05, rel=0.2)
    (one,) = decided(matcher, middles(1, 8), Query("group", "p3"))
    assert one.estimated_fmr is not None
    assert one.estimated_fmr < 0.02
    changed = change(store, decision="cosine")
    assert calibration.stale(changed) == "decision_changed"
    assert decided(matcher, middles(1, 8))[0].estimated_fpir is None


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_decision_that_is_set_before_the_searches_ends_a_calibration(store: Store, dry_run: bool) -> None:
    snapshot = Matcher(store, SPEC).snapshot("group")
    changed = change(store, decision="cohort")
    with pytest.raises(Conflict, match='set to "cohort" during'):
        calibrator.run(direct(store), snapshot, 0.05, dry_run=dry_run)
    assert store.gallery("group") == changed


@pytest.mark.parametrize(("first", "then"), [("cosine", "cohort"), ("cohort", "cosine")])
def test_a_decision_that_is_set_during_the_searches_is_not_overwritten(store: Store, first: str, then: str) -> None:
    change(store, decision=first)
    changed: list[Gallery] = []

    def meanwhile(method: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        if method == Store.samples and not changed:
            changed.append(change(store, decision=then))
        return direct(store)(method, *arguments, **named)

    with pytest.raises(Conflict, match=f'"{first}".*"{then}"'):
        calibrator.run(meanwhile, Matcher(store, SPEC).snapshot("group"), 0.05)
    assert store.gallery("group") == changed[0]


def sizes(matcher: Matcher) -> int:
    (match,) = decided(matcher, middles(1, 5))
    assert match.cohort is not None
    return match.cohort.size


def enrol_one(store: Store, person: str, row: Descriptors) -> None:
    from facegroup.types import Sample

    store.create_person("group", person, person_id=person)
    store.add_samples("group", person, [Sample(f"{7:064x}", row[0])], SPEC.name)
