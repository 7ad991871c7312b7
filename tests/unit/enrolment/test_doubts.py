"""Which photos are doubted at enrolment: the rule on numbers, and on samples of the plane."""

import numpy as np
import pytest

from facegroup.enrolment import doubts
from facegroup.errors import FacegroupError, LooksLike, NetworkMismatch, UnlikeOwn
from facegroup.pipeline.messages import PhotoMatches
from facegroup.types import Candidate, Match, Sample, ScoredCandidate

THRESHOLD = 0.4  # so a photo is unlike its person's others below 1 - 1.5 * 0.6 = 0.1


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        (None, None, None),  # the first photo of the first person
        (None, 0.4, None),  # not named as somebody else: the threshold must be exceeded
        (None, 0.41, LooksLike),
        (0.9, 0.5, None),  # somebody is like the person, but the person is more so
        (0.5, 0.5, None),
        (0.5, 0.6, LooksLike),
        (0.05, 0.6, LooksLike),  # both is true: who it looks like says more
        (0.05, 0.39, UnlikeOwn),
        (0.05, None, UnlikeOwn),
        (0.11, None, None),
        (-1.0, -1.0, UnlikeOwn),
        (0.2, 0.39, None),
    ],
)
def test_the_verdict(own: float | None, other: float | None, expected: type[FacegroupError] | None) -> None:
    assert doubts.verdict(own, other, THRESHOLD) is expected


@pytest.mark.parametrize(("reach", "expected"), [(1.0, UnlikeOwn), (1.25, UnlikeOwn), (1.5, None)])
def test_the_reach_is_in_distances_of_the_threshold(reach: float, expected: type[FacegroupError] | None) -> None:
    assert doubts.verdict(0.2, None, THRESHOLD, reach) is expected


def at(degrees: float, name: str = "0") -> Sample:
    angle = np.radians(degrees)
    return Sample(name * 64, np.array([np.cos(angle), np.sin(angle)], np.float32))


def answer(*candidates: tuple[Candidate, ...]) -> PhotoMatches:
    return PhotoMatches(tuple(Match(None, "", -1.0, THRESHOLD, None, each) for each in candidates), 1, THRESHOLD)


SELF, ADA = Candidate("self", "Self", 0.95), Candidate("ada", "Ada", 0.9)


def test_a_photo_is_judged_by_those_in_the_store() -> None:
    good = [at(0, "a"), at(10, "b"), at(100, "c")]
    named = [("a", "a" * 64), ("b", "b" * 64), ("c", "c" * 64), ("c again", "c" * 64)]
    kept, refused, photos, told = doubts.judge("self", good, named, [at(5, "d")], answer((), (), ()), False)
    assert (kept, refused, photos) == (good, (), tuple(named))
    assert [(each.name, type(each.error), each.looks_like) for each in told] == [
        ("c", UnlikeOwn, None),
        ("c again", UnlikeOwn, None),
    ]
    assert told[0].own_similarity == pytest.approx(np.cos(np.radians(95)), abs=1e-6)


def test_many_wrong_photos_do_not_vouch_for_each_other() -> None:
    good = [at(100, "a"), at(101, "b"), at(102, "c")]
    named = [(each.id[0], each.id) for each in good]
    *_, told = doubts.judge("self", good, named, [at(0, "d")], answer((), (), ()), False)
    assert [each.name for each in told] == ["a", "b", "c"]


def test_strict_refuses_what_would_be_doubted_and_keeps_the_rest() -> None:
    good = [at(0, "a"), at(10, "b"), at(100, "c")]
    named = [("a", "a" * 64), ("c", "c" * 64), ("b", "b" * 64), ("c again", "c" * 64)]
    kept, refused, photos, told = doubts.judge("self", good, named, [at(5, "d")], answer((), (), ()), True)
    assert [each.id[0] for each in kept] == ["a", "b"]
    assert [(each.name, each.error.code) for each in refused] == [("c", "unlike_own"), ("c again", "unlike_own")]
    assert [name for name, _ in photos] == ["a", "b"]
    assert told == ()


def test_of_two_new_photos_that_disagree_neither_is_known_to_be_right() -> None:
    good = [at(0, "a"), at(100, "b")]
    named = [("a", "a" * 64), ("b", "b" * 64)]
    *_, told = doubts.judge("self", good, named, [], answer((), ()), False)
    assert [each.error.code for each in told] == ["unlike_own", "unlike_own"]


def test_one_wrong_photo_of_three_does_not_cast_doubt_on_the_others() -> None:
    good = [at(0, "a"), at(10, "b"), at(100, "c")]
    *_, told = doubts.judge("self", good, [(s.id[0], s.id) for s in good], [], answer((), (), ()), False)
    assert [each.name for each in told] == ["c"]


def test_the_person_enrolled_is_not_somebody_else() -> None:
    good, named = [at(0, "a")], [("a", "a" * 64)]
    *_, none = doubts.judge("self", good, named, [at(0, "b")], answer((SELF,)), False)
    assert none == ()
    *_, told = doubts.judge("self", good, named, [at(60, "b")], answer((SELF, ADA)), False)
    assert (told[0].error.code, told[0].looks_like) == ("looks_like", ADA)
    assert told[0].own_similarity == pytest.approx(0.5)
    assert "Ada (ada): similarity 0.90" in told[0].error.detail


@pytest.mark.parametrize("strict", [False, True])
def test_a_photo_enrolled_again_is_not_judged_again(strict: bool) -> None:
    good, named = [at(0, "a"), at(100, "b")], [("a", "a" * 64), ("b", "b" * 64)]
    known = [at(0, "a"), at(100, "b")]
    kept, *rest = doubts.judge("self", good, named, known, answer((ADA,), (ADA,)), strict)
    assert (kept, rest) == (good, [(), tuple(named), ()])


def test_the_first_photo_of_somebody_new() -> None:
    good, named = [at(0, "a")], [("a", "a" * 64)]
    *_, none = doubts.judge("self", good, named, [], answer(()), False)
    assert none == ()
    *_, told = doubts.judge("self", good, named, [], answer((ADA,)), False)
    assert (told[0].error.code, told[0].own_similarity) == ("looks_like", None)
    assert "no other photo of the person" in told[0].error.detail


def test_what_the_gallery_is_asked() -> None:
    query = doubts.query("group")
    assert (query.gallery, query.person_id, query.threshold) == ("group", None, None)
    assert query.candidates == 2
    assert doubts.descriptors([at(0), at(90)]).shape == (2, 2)


def test_a_gallery_that_is_switched_in_the_middle_is_said_to_be() -> None:
    known = [Sample("d" * 64, np.array([1, 0, 0], np.float32))]
    with pytest.raises(NetworkMismatch):
        doubts.judge("self", [at(0, "a")], [("a", "a" * 64)], known, answer(()), False)


@pytest.mark.parametrize(("score", "expected"), [(0.19, None), (0.21, LooksLike)])
def test_where_a_cohort_decides_a_photo_looks_like_whom_the_score_would_name(
    score: float, expected: type[FacegroupError] | None
) -> None:
    """The similarity of 0.35 is below the network's own threshold, 0.4, and above that of the scores, 0.2."""
    match = Match(None, "", 0.35, 0.2, None, (ScoredCandidate("ada", "Ada", 0.35, score),), score=score)
    matched = PhotoMatches((match,), 1, 0.2, photo_threshold=THRESHOLD)
    *_, told = doubts.judge("self", [at(0, "a")], [("a", "a" * 64)], [], matched, False)
    assert [type(each.error) for each in told] == ([] if expected is None else [expected])


def test_where_a_cohort_decides_photos_of_one_person_are_compared_at_the_network_s_threshold() -> None:
    """At the scores' threshold of 0.2 a photo would be unlike its person's others below 1 - 1.5 * 0.8 = -0.2."""
    nobody = Match(None, "", -1.0, 0.2, None)
    matched = PhotoMatches((nobody,), 1, 0.2, photo_threshold=THRESHOLD)
    *_, told = doubts.judge("self", [at(85, "a")], [("a", "a" * 64)], [at(0, "b")], matched, False)
    assert [type(each.error) for each in told] == [UnlikeOwn]
