"""Poor faces at identification: answered so, and what the better faces of their photo get is not changed by them."""

import numpy as np
import pytest

from facegroup.gallery.matching import Matcher, match_by_quality
from facegroup.networks.registry import spec
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline.messages import PhotoMatches, Query
from facegroup.pipeline.quality_policies import LIMITS
from facegroup.store import open_store
from facegroup.types import NOT_IN_DATASET, POOR_QUALITY, Floats, Gallery, Match, Policy, Sample

NETWORK: NetworkSpec = spec("dlib-resnet29")
D = NETWORK.dimension


def axis(*weights: float) -> Floats:
    row = np.zeros(D, np.float32)
    row[: len(weights)] = weights
    return row / np.float32(np.linalg.norm(row))


def graded(*values: float) -> Floats:
    return np.repeat(np.array(values, np.float32)[:, None], len(LIMITS), axis=1)


@pytest.fixture
def galleries(tmp_path_factory: pytest.TempPathFactory) -> Matcher:
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('gate') / 'gallery.db'}")
    store.create_gallery(Gallery("group", NETWORK.name, D, 0.5))
    for number, name in enumerate(("ada", "grace")):
        store.create_person("group", name.title(), person_id=name)
        store.add_samples("group", name, [Sample(f"{number:064x}", axis(*np.eye(2)[number]))], NETWORK.name)
    return Matcher(store, NETWORK)


def decided(galleries: Matcher, probes: Floats, grades: Floats | None, policy: Policy | None) -> list[Match]:
    (answer,) = galleries.match(probes, [(Query("group", quality=policy), len(probes))], grades)
    assert isinstance(answer, PhotoMatches)
    return list(answer.matches)


def test_a_poor_face_is_not_guessed(galleries: Matcher) -> None:
    poor, fine = decided(galleries, np.stack([axis(1), axis(0, 1)]), graded(0.4, 0.6), "standard")
    assert (poor.person_id, poor.name, poor.similarity, poor.margin, poor.candidates) == (
        None,
        POOR_QUALITY,
        -1,
        None,
        (),
    )
    assert poor.poor
    assert poor.reasons == tuple(dict.fromkeys(limit.error.code for limit in LIMITS))
    assert (fine.person_id, fine.poor, fine.reasons) == ("grace", False, ())


def test_a_poor_face_takes_nobodys_name(galleries: Matcher) -> None:
    """It is the more similar one, and would get the name; the better face gets it."""
    probes = np.stack([axis(1), axis(1, 0.3)])
    assert [match.person_id for match in decided(galleries, probes, graded(0.2, 0.9), "off")] == ["ada", None]
    assert [match.person_id for match in decided(galleries, probes, graded(0.2, 0.9), "standard")] == [None, "ada"]


@pytest.mark.parametrize(("first", "named"), [(0.9, ["ada", None]), (0.6, [None, "ada"])])
def test_of_two_equally_similar_faces_the_better_is_named(
    galleries: Matcher, first: float, named: list[str | None]
) -> None:
    matches = decided(galleries, np.stack([axis(1), axis(1)]), graded(first, 0.7), "standard")
    assert [match.person_id for match in matches] == named
    assert {match.name for match in matches} == {"Ada", NOT_IN_DATASET}


def test_the_gallerys_policy_is_asked_unless_the_question_has_one(galleries: Matcher) -> None:
    probes = axis(1)[None]
    for policy, name in (("off", "Ada"), ("standard", "Ada"), ("strict", POOR_QUALITY)):
        galleries.store.update_gallery("group", probe_quality=policy)  # type: ignore[arg-type]
        assert decided(galleries, probes, graded(0.7), None)[0].name == name
        assert decided(galleries, probes, graded(0.7), "off")[0].name == "Ada"
        assert decided(galleries, probes, graded(0.7), "strict")[0].name == POOR_QUALITY


def test_of_what_nothing_is_known_nothing_is_refused(galleries: Matcher) -> None:
    galleries.store.update_gallery("group", probe_quality="strict")
    assert decided(galleries, axis(1)[None], None, None)[0].name == "Ada"


def test_verification_does_not_ask(galleries: Matcher) -> None:
    (answer,) = galleries.match(axis(1)[None], [(Query("group", "ada", quality="strict"), 1)], graded(0.0))
    assert isinstance(answer, PhotoMatches)
    assert answer.matches[0].person_id == "ada"


def test_questions_of_one_batch_keep_their_own_grades(galleries: Matcher) -> None:
    probes = np.stack([axis(1), axis(1), axis(0, 1), axis(0, 1)])
    asked = [
        (Query("group", quality="standard"), 1),
        (Query("group", quality="off"), 1),
        (Query("group", quality="standard"), 2),
    ]
    names = []
    for answer in galleries.match(probes, asked, graded(0.1, 0.1, 0.9, 0.1)):
        assert isinstance(answer, PhotoMatches)
        names.append([match.name for match in answer.matches])
    assert names == [[POOR_QUALITY], ["Ada"], ["Grace", POOR_QUALITY]]


def test_no_face_is_no_question() -> None:
    nothing = np.empty((0, len(LIMITS)), np.float32)
    assert match_by_quality(nothing, "strict", 0.5, lambda rows, _: [None] * len(rows)) == []  # type: ignore[list-item]
