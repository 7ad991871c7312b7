"""What the policies ask of a face: a table of faces, each good but for one part, and what is wrong with it."""

from pathlib import Path

import numpy as np
import pytest

from facegroup.errors import PoorQuality
from facegroup.pipeline.messages import Quality
from facegroup.pipeline.quality_policies import LIMITS, Limit, best, check, grades, meets, reasons
from facegroup.types import Floats, Policy

GOOD = {"size": 90, "sharpness": 60, "brightness": 0.5, "contrast": 0.2, "yaw": 0, "pitch": 0, "roll": 0, "inside": 1}


def face(**parts: float) -> tuple[Quality, Floats]:
    """A face that is good but for the parts given."""
    given = {"confidence": 1.0, **GOOD, **parts}
    rows = {name: np.array([value], np.float32) for name, value in given.items()}
    confidence = rows.pop("confidence")
    return Quality(**rows), confidence


def beyond(limit: Limit, policy: Policy) -> float:
    """A value a little worse than the limit."""
    asked = limit.strict if policy == "strict" else limit.standard
    return asked + 0.02 * (limit.standard - limit.strict)


def test_a_good_face_meets_every_policy() -> None:
    graded = grades(*face())
    assert best(graded) == ["strict"]
    for policy in ("off", "standard", "strict"):
        assert meets(graded, policy).all()
        assert reasons(graded[0], policy) == ()
        check(*face(), 0, policy)


@pytest.mark.parametrize("policy", ["standard", "strict"])
@pytest.mark.parametrize("limit", LIMITS, ids=[f"{limit.part}-{limit.error.code}" for limit in LIMITS])
def test_each_part_below_its_limit_is_refused_by_its_code(limit: Limit, policy: Policy) -> None:
    asked = limit.strict if policy == "strict" else limit.standard
    poor = face(**{limit.part: beyond(limit, policy)})
    graded = grades(*poor)
    assert not meets(graded, policy).any()
    assert meets(graded, "off").all()
    assert reasons(graded[0], policy) == (limit.error.code,)
    with pytest.raises(limit.error) as refused:
        check(*poor, 0, policy)
    assert limit.part in refused.value.detail
    assert f"limit {asked:g}" in refused.value.detail
    check(*poor, 0, "off")


@pytest.mark.parametrize("limit", LIMITS, ids=[f"{limit.part}-{limit.error.code}" for limit in LIMITS])
def test_at_the_limits_the_grade_is_a_half_and_one(limit: Limit) -> None:
    column = LIMITS.index(limit)
    assert grades(*face(**{limit.part: limit.standard}))[0, column] == pytest.approx(0.5, abs=1e-5)
    assert grades(*face(**{limit.part: limit.strict}))[0, column] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("part", ["yaw", "roll"])
def test_it_is_the_same_to_either_side(part: str) -> None:
    limit = next(limit for limit in LIMITS if limit.part == part)
    for sign in (-1, 1):
        assert reasons(grades(*face(**{part: sign * beyond(limit, "strict")}))[0], "strict") == ("extreme_pose",)


def test_strict_asks_for_more_than_standard_everywhere() -> None:
    for value in np.linspace(-1.5, 1.5, 31):
        graded = np.full((1, len(LIMITS)), value, np.float32)
        assert meets(graded, "strict") <= meets(graded, "standard") <= meets(graded, "off")


def test_everything_wrong_is_told_and_each_code_once() -> None:
    poor = face(size=3, yaw=5, roll=170, confidence=0.1)
    told = reasons(grades(*poor)[0], "standard")
    assert told == ("low_confidence", "face_too_small", "extreme_pose")
    with pytest.raises(PoorQuality) as refused:
        check(*poor, 0, "standard")
    assert refused.value.code == "low_confidence"
    assert all(code in refused.value.detail for code in told)
    assert len(refused.value.detail) < 1000


@pytest.mark.parametrize("part", [*GOOD, "confidence"])
@pytest.mark.parametrize("value", [np.nan])
def test_what_is_not_known_meets_no_policy_but_off(part: str, value: float) -> None:
    graded = grades(*face(**{part: value}))
    assert best(graded) == ["off"]
    assert meets(graded, "off").all()


def test_of_no_face_there_is_no_grade() -> None:
    none = np.empty(0, np.float32)
    graded = grades(Quality(*[none] * len(Quality.__slots__)), none)
    assert graded.shape == (0, len(LIMITS))
    assert best(graded) == []


def test_the_table_names_parts_that_are_measured() -> None:
    assert {limit.part for limit in LIMITS} <= {*Quality.__slots__, "confidence"}
    assert all(issubclass(limit.error, PoorQuality) and limit.standard != limit.strict for limit in LIMITS)


def test_the_page_has_the_table() -> None:
    text = (Path(__file__).parents[3] / "docs" / "quality.md").read_text()
    for limit in LIMITS:
        sign = "≥" if limit.strict > limit.standard else "≤"
        numbers = f"{sign} {limit.standard:g} | {sign} {limit.strict:g}"
        assert f"| `{limit.error.code}` | `{limit.part}` | {numbers} |" in text
