"""Faces that are not live: answered so where the policy or the query asks, and never passed where nobody can tell."""

import numpy as np
import pytest

from facegroup.errors import LivenessUnavailable
from facegroup.gallery.matching import Matcher
from facegroup.pipeline.messages import PhotoMatches, Query
from facegroup.store import open_store
from facegroup.types import NOT_IN_DATASET, NOT_LIVE, POOR_QUALITY, Floats, Gallery, LivenessPolicy, Match, Sample
from tests.unit.gallery.test_matching_by_quality import NETWORK, D, axis, graded

NAN = float("nan")


@pytest.fixture
def galleries(tmp_path_factory: pytest.TempPathFactory) -> Matcher:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('live') / 'gallery.db'}")
    store.create_gallery(Gallery("group", NETWORK.name, D, 0.5))
    for number, name in enumerate(("ada", "grace")):
        store.create_person("group", name.title(), person_id=name)
        store.add_samples("group", name, [Sample(f"{number:064x}", axis(*np.eye(2)[number]))], NETWORK.name)
    return Matcher(store, NETWORK, liveness=0.5)


def scores(*values: float) -> Floats:
    return np.array(values, np.float32)


def asked(galleries: Matcher, probes: Floats, liveness: Floats | None, query: Query) -> PhotoMatches:
    (answer,) = galleries.match(probes, [(query, len(probes))], graded(*[0.9] * len(probes)), liveness)
    if not isinstance(answer, PhotoMatches):
        raise answer
    return answer


def decided(galleries: Matcher, probes: Floats, liveness: Floats, query: Query) -> list[Match]:
    return list(asked(galleries, probes, liveness, query).matches)


LIVE = Query("group", liveness=True)


def test_a_face_that_is_not_live_is_answered_so(galleries: Matcher) -> None:
    probes = np.stack([axis(1), axis(0, 1), axis(0, 0, 1), axis(1)])
    attack, live, stranger, small = decided(galleries, probes, scores(0.2, 0.9, 0.51, NAN), LIVE)
    assert (attack.name, attack.person_id, attack.candidates, attack.similarity) == (NOT_LIVE, None, (), -1)
    assert (attack.reasons, attack.not_live, attack.poor) == (("not_live",), True, False)
    assert (live.person_id, live.not_live, live.reasons) == ("grace", False, ())
    assert stranger.name == NOT_IN_DATASET
    assert (small.name, small.reasons) == (NOT_LIVE, ("face_too_small",))


def test_it_takes_nobodys_name(galleries: Matcher) -> None:
    """A poster is the more similar face; the person before it gets the name, and is not told that it was taken."""
    probes = np.stack([axis(0, 1), axis(1), axis(1, 0.3), axis(1, 0.4)])
    matches = decided(galleries, probes, scores(0.9, 0.1, 0.9, 0.9), LIVE)
    assert [match.person_id for match in matches] == ["grace", None, "ada", None]
    assert (matches[3].reasons, matches[3].taken_by) == (("taken",), 2)  # numbers count all faces
    assert [match.person_id for match in decided(galleries, probes, scores(0.9, 0.1, 0.9, 0.9), Query("group"))] == [
        "grace",
        "ada",
        None,
        None,
    ]


def test_a_poor_face_is_poor_before_it_is_not_live(galleries: Matcher) -> None:
    query = Query("group", liveness=True, quality="standard")
    (answer,) = galleries.match(np.stack([axis(1), axis(1)]), [(query, 2)], graded(0.1, 0.9), scores(0.1, 0.1))
    assert isinstance(answer, PhotoMatches)
    assert [match.name for match in answer.matches] == [POOR_QUALITY, NOT_LIVE]


@pytest.mark.parametrize(("policy", "asks"), [("off", False), ("enrol", False), ("probe", True), ("both", True)])
def test_the_gallerys_policy_is_asked_unless_the_query_says(
    galleries: Matcher, policy: LivenessPolicy, asks: bool
) -> None:
    galleries.store.update_gallery("group", liveness=policy)
    for query, wanted in ((None, asks), (True, True), (False, False)):
        for person in (None, "ada"):
            (match,) = decided(galleries, axis(1)[None], scores(0.2), Query("group", person, liveness=query))
            assert match.not_live is wanted


def test_a_verification_of_a_picture_is_not_the_same(galleries: Matcher) -> None:
    query = Query("group", "ada", liveness=True)
    same, attack = decided(galleries, np.stack([axis(1), axis(1)]), scores(0.9, 0.4), query)
    assert (same.person_id, same.reasons) == ("ada", ())
    assert (attack.person_id, attack.name, attack.reasons) == (None, NOT_LIVE, ("not_live",))
    assert attack.similarity == pytest.approx(1)


def test_nothing_passes_where_nobody_can_tell(galleries: Matcher) -> None:
    blind = Matcher(galleries.store, NETWORK)
    for query in (LIVE, Query("group", "ada", liveness=True), Query("group", liveness=True, over_track=True)):
        with pytest.raises(LivenessUnavailable, match="FACEGROUP_LIVENESS__MODEL"):
            asked(blind, axis(1)[None], scores(NAN), query)
        with pytest.raises(LivenessUnavailable, match="Send photos"):
            asked(galleries, axis(1)[None], None, query)
    with pytest.raises(LivenessUnavailable):  # also of a photo without faces
        asked(blind, np.empty((0, D), np.float32), scores(), LIVE)
    galleries.store.update_gallery("group", liveness="probe")
    with pytest.raises(LivenessUnavailable, match="Gallery group or the request"):
        asked(blind, axis(1)[None], scores(NAN), Query("group"))
    assert asked(blind, axis(1)[None], scores(NAN), Query("group", liveness=False)).matches[0].person_id == "ada"


def test_a_track_is_decided_by_who_asks(galleries: Matcher) -> None:
    galleries.store.update_gallery("group", liveness="probe")
    answer = asked(galleries, axis(1)[None], scores(0.1), Query("group", over_track=True))
    assert (answer.matches[0].person_id, answer.live_above) == ("ada", 0.5)
    assert (
        asked(galleries, axis(1)[None], scores(0.1), Query("group", liveness=False, over_track=True)).live_above is None
    )


def test_a_face_that_is_not_live_has_no_estimated_rate(galleries: Matcher) -> None:
    (match,) = decided(galleries, axis(1)[None], scores(0.1), LIVE)
    assert (match.estimated_fpir, match.margin) == (None, None)
