"""A threshold for an error rate: what it promises holds for those who were not there; where it cannot, it is refused."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facegroup.errors import MalformedRequest, TooFewToCalibrate
from facegroup.gallery.calibration import Scores, calibrate, curve, effective, rate_at, stale, whole
from facegroup.types import Calibration, Floats, Gallery

GALLERY = Gallery("group", "network", 4, 0.4, people=50)


def scores(nonmated: Floats, *, strangers: bool = True, people: int = 50, each: int = 1) -> Scores:
    """Return scores whose non-mated searches are of groups of `each`; ten members are found, from 0.81 on."""
    mated = np.linspace(0.81, 0.99, 20).astype(np.float32)
    groups = np.arange(len(nonmated)) // each
    return Scores(people, mated, np.repeat(np.arange(10), 2), nonmated, groups, strangers, nonmated)


def found(done: Scores, fpir: float = 0.01) -> Calibration:
    return calibrate(done, fpir, "network", GALLERY, at=1.0)


def ramp(count: int) -> Floats:
    """Return similarities 0, 1/n, 2/n, … of which the share above t is 1 - t."""
    return (np.arange(count) / count).astype(np.float32)


def test_the_threshold_is_the_least_that_keeps_the_rate() -> None:
    made = found(scores(ramp(1000)), 0.05)
    # (k + 1) / 1001 is at most 5 % for k = 49.
    assert (ramp(1000) > made.threshold).sum() == 49
    assert made.threshold == pytest.approx(0.95, abs=1e-5)
    low, high = made.fpir_interval
    assert low < 0.05 < high
    # Of Beta(50, 951), by SciPy.
    assert low == pytest.approx(0.03733, rel=0.01)
    assert high == pytest.approx(0.06424, rel=0.01)
    assert (made.people, made.samples, made.sampled, made.strangers, made.at) == (50, 20, 10, 1000, 1.0)


def test_members_stand_in_for_strangers_who_meet_one_person_more() -> None:
    as_members = found(scores(ramp(2000), strangers=False, people=2), 0.05)
    as_strangers = found(scores(ramp(2000), people=2), 0.05)
    # Whom one person resembles in 2.53 % of searches, one of two resembles in 5 %.
    assert 1 - as_members.threshold == pytest.approx(1 - 0.95**0.5, abs=1e-3)
    assert as_members.threshold > as_strangers.threshold
    assert (as_members.strangers, as_members.samples) == (0, 2000)
    # Each pair of members is seen from both sides, so they tell half as much.
    widths = [made.fpir_interval[1] - made.fpir_interval[0] for made in (as_members, as_strangers)]
    assert widths[0] > 1.3 * widths[1]


@pytest.mark.parametrize("size", [200, 1000])
@pytest.mark.parametrize("fpir", [0.02, 0.1])
def test_the_interval_holds_the_true_rate_as_often_as_it_says(size: int, fpir: float) -> None:
    draw = np.random.default_rng(size)
    inside, rates = 0, []
    for _ in range(100):
        made = found(scores(draw.random(size).astype(np.float32)), fpir)
        true = 1 - made.threshold
        inside += made.fpir_interval[0] <= true <= made.fpir_interval[1]
        rates.append(true)
    assert inside / 100 >= 0.86  # 95 %, less four standard errors
    assert np.mean(rates) <= 1.05 * fpir


def test_photos_of_one_person_are_worth_little_more_than_one() -> None:
    people = np.repeat(np.arange(40), 25)
    draw = np.random.default_rng(1)
    own = draw.normal(size=40)[people]
    assert effective(own.astype(np.float32), people) == pytest.approx(40, rel=0.01)
    alone = draw.normal(size=1000)
    assert effective(alone.astype(np.float32), people) > 600
    assert 40 < effective((own + alone).astype(np.float32), people) < 200
    assert effective(alone.astype(np.float32), np.arange(1000)) == 1000
    wide, narrow = (found(scores(ramp(1200), each=each)).fpir_interval for each in (4, 1))
    assert wide[0] < narrow[0]
    assert wide[1] > narrow[1]


@pytest.mark.parametrize(
    ("done", "fpir", "lacking"),
    [
        (scores(ramp(299)), 0.01, "needs 300 photos and 100 that count as independent; there are 299 .* 1 more photos"),
        (scores(ramp(299)), 0.001, "needs 3000 photos .* 2701 more photos are needed, of 2701 more strangers"),
        # 20 people whose 20 photos are as alike as can be count as 20.
        (
            scores(np.repeat(ramp(20), 20), each=20),
            0.01,
            "of 20 strangers, which count as 20: 1600 more .* 80 more strang",
        ),
        (scores(ramp(300), strangers=False), 0.005, "or give photos of 600 strangers"),
        (scores(ramp(0)), 0.1, "photos of at least two people"),
        (scores(ramp(300), strangers=False, people=1), 0.1, "photos of at least two people"),
    ],
)
def test_too_few_are_refused_and_counted(done: Scores, fpir: float, lacking: str) -> None:
    with pytest.raises(TooFewToCalibrate) as caught:
        found(done, fpir)
    assert re.search(lacking, caught.value.detail), caught.value.detail


def test_as_many_more_as_the_refusal_asks_for_are_enough() -> None:
    with pytest.raises(TooFewToCalibrate, match="80 more strangers"):
        found(scores(np.repeat(ramp(20), 20), each=20))
    found(scores(np.repeat(ramp(100), 20), each=20))
    found(scores(ramp(300)))


@pytest.mark.parametrize("fpir", [0, -1, 0.6, float("nan"), float("inf")])
def test_a_rate_that_cannot_be(fpir: float) -> None:
    with pytest.raises(MalformedRequest):
        found(scores(ramp(1000)), fpir)


def test_how_many_members_are_found() -> None:
    made = found(scores(ramp(1000)), 0.1)  # 0.9: half of the members' photos are above
    assert made.tpir == 0.5
    assert made.tpir_interval is not None
    # Of 5 in 10 after Clopper and Pearson: the two photos of each of ten people are alike.
    assert made.tpir_interval[0] == pytest.approx(0.187, abs=0.01)
    assert made.tpir_interval[1] == pytest.approx(0.813, abs=0.01)
    everybody = found(scores(ramp(1000) * np.float32(0.5)), 0.1)
    assert everybody.tpir == 1
    assert everybody.tpir_interval is not None
    assert 0.6 < everybody.tpir_interval[0] < everybody.tpir_interval[1] == 1
    none = np.empty(0, np.float32)
    alone = found(replace(scores(ramp(1000)), mated=none, owners=none.astype(np.intp)), 0.1)
    assert (alone.tpir, alone.tpir_interval) == (None, None)


def test_a_curve_tells_the_rate_of_any_threshold() -> None:
    made = found(scores(ramp(1000)), 0.05)
    assert len(made.curve) < 100
    for threshold in (0.3, 0.5, 0.9, 0.99):
        assert rate_at(made.curve, threshold) == pytest.approx(1 - threshold, rel=0.15)
    assert rate_at(made.curve, made.threshold) == pytest.approx(0.05, rel=0.05)
    assert rate_at(made.curve, -1) == 1
    # Nobody was above it: that is no proof that nobody can be.
    assert rate_at(made.curve, 1) == pytest.approx(1 / 1001, rel=0.01)
    assert rate_at((), 0.5) is None
    assert curve(np.empty(0, np.float32)) == ()
    rates = [rate for _, rate in made.curve]
    assert rates == sorted(rates, reverse=True)


def test_equal_scores() -> None:
    made = found(scores(np.full(500, 0.5, np.float32)))
    assert made.threshold == 0.5
    assert rate_at(made.curve, 0.5) == pytest.approx(1 / 501, rel=0.01)
    assert rate_at(made.curve, -1) == 1
    assert found(scores(np.ones(500, np.float32))).threshold == 1


@pytest.mark.parametrize(
    ("people", "threshold", "why"),
    [
        (50, None, None),
        (60, None, None),
        (61, None, "people_changed"),
        (39, None, "people_changed"),
        (50, 0.5, "threshold_changed"),
    ],
)
def test_a_calibration_grows_old(people: int, threshold: float | None, why: str | None) -> None:
    made = found(scores(ramp(1000)))
    now = replace(GALLERY, people=people, threshold=threshold or made.threshold, calibration=made)
    assert stale(now) == why
    assert stale(replace(now, calibration=None)) is None


@pytest.mark.parametrize(
    ("made_by", "of_gallery", "of_server", "why"),
    [
        ("mtcnn", "mtcnn", "mtcnn", None),
        ("mtcnn", "mtcnn", "yunet", "detector_changed"),
        ("yunet", "mtcnn", "yunet", None),
        ("yunet", "mtcnn", "", "detector_changed"),
        ("", "", "mtcnn", None),
        ("", "", "yunet", "detector_changed"),
        ("mtcnn", "", "", None),
    ],
)
def test_a_calibration_is_of_its_detector(made_by: str, of_gallery: str, of_server: str, why: str | None) -> None:
    made = replace(found(scores(ramp(1000))), detector=made_by)
    now = replace(GALLERY, people=50, threshold=made.threshold, calibration=made, detector=of_gallery)
    assert stale(now, of_server) == why


def test_groups_are_numbered() -> None:
    assert whole(["a", "b", "a", "c"]).tolist() == [0, 1, 0, 2]


def test_the_module_needs_nothing_but_numpy() -> None:
    import facegroup.gallery.calibration as module

    imports = re.findall(r"^(?:from|import) (\w+)", Path(module.__file__).read_text(), re.MULTILINE)
    assert set(imports) == {"math", "collections", "dataclasses", "numpy", "facegroup"}


@pytest.mark.parametrize("strangers", [True, False])
@pytest.mark.parametrize(("count", "each"), [(60, 1), (60, 3), (200, 2), (299, 1), (12, 1)])
def test_the_message_says_what_to_do_instead(count: int, each: int, strangers: bool) -> None:
    done = scores(ramp(count), each=each, strangers=strangers)
    with pytest.raises(TooFewToCalibrate) as caught:
        found(done, 0.01)
    said = caught.value.detail
    assert len(said) <= 500, "an HTTP answer would cut it"
    assert "LFW" in said
    assert strangers or "photos of 300 strangers, one of each (--strangers FOLDER)" in said
    least = re.search(r"enough for an FPIR of ([0-9.]+)$", said)
    if least is None:
        assert count < 20
    else:
        found(done, float(least[1]))
