"""Decisions as JSON and back, by the cosine and by a cohort."""

import json

import pytest

from facegroup.pipeline.messages import PhotoResult
from facegroup.types import Candidate, CohortMeans, Match, ScoredCandidate
from facegroup.wire.recognition import Decision, Detection, FaceRow, Identification

COSINE = Match("ada", "Ada", 0.5, 0.4, 0.25, (Candidate("ada", "Ada", 0.5), Candidate("bob", "Bob", 0.25)))
COHORT = Match(
    *(
        "ada",
        "Ada",
        0.5,
        0.2,
        0.125,
        (ScoredCandidate("ada", "Ada", 0.5, 0.25), ScoredCandidate("bob", "Bob", 0.75, 0.125)),
    ),
    excluded=(ScoredCandidate("eve", "Eve", 0.875, 0.375),),
    score=0.25,
    cohort=CohortMeans(0.25, 0.25, 87),
)


@pytest.mark.parametrize("match", [COSINE, COHORT])
def test_a_decision_comes_back_as_it_was(match: Match) -> None:
    assert Decision.model_validate_json(Decision.of(match).written()).struct() == match


def test_candidates_of_the_cosine_have_no_score() -> None:
    told = json.loads(Decision.of(COSINE).written())
    assert (told["score"], told["cohort"]) == (None, None)
    assert [set(each) for each in told["candidates"]] == [{"person_id", "name", "similarity"}] * 2
    told = json.loads(Decision.of(COHORT).written())
    assert [each["score"] for each in told["candidates"]] == [0.25, 0.125]
    assert told["cohort"] == {"probe_mean": 0.25, "person_mean": 0.25, "size": 87}


def test_an_answer_of_an_older_server_is_read() -> None:
    told = json.loads(Decision.of(COSINE).written())
    del told["score"], told["cohort"]
    assert Decision.model_validate(told).struct() == COSINE


def test_a_row_has_a_score_where_a_cohort_decides() -> None:
    assert "score" not in FaceRow.of(COSINE, [0, 0, 1, 1]).as_json()
    assert FaceRow.of(COHORT, [0, 0, 1, 1]).as_json()["score"] == 0.25


@pytest.mark.parametrize(("told", "meant"), [("yunet", "yunet"), ("mine", "mine"), ("mtcnn", "mtcnn"), ("", "mtcnn")])
def test_the_detector_of_an_answer_comes_back_with_its_photos(told: str, meant: str) -> None:
    image = {"name": "1.jpg", "width": 9, "height": 9, "turned": 0, "faces": []}
    detection = Detection.model_validate({"network": "n", "detector": told, "images": [image]})
    identified = {"gallery": "g", "gallery_version": 1, "network": "n", "detector": told, "images": [image]}
    for seen in (*detection.structs(), *Identification.model_validate(identified).structs()):
        assert isinstance(seen, PhotoResult)
        assert seen.detector == meant
        if meant == "mtcnn":
            assert seen.certainty.shape == (0,)
        else:
            with pytest.raises(ValueError, match=meant):
                _ = seen.certainty
