"""The figures of `facegroup evaluate` on numbers reckoned by hand, and the ground truth of the group pictures."""

import json
from pathlib import Path

import numpy as np
import pytest

from facegroup.evaluation import bootstrap, group_truth, identification, openset_report
from facegroup.evaluation.average_precision import area, average_precision, outcomes
from facegroup.evaluation.bootstrap import Estimate
from facegroup.evaluation.descriptors import PhotoEmbeddings
from facegroup.evaluation.detection import SIZES, Truth
from facegroup.evaluation.group import (
    BESIDE,
    BESIDE_NAMED,
    CORRECT,
    LEAST,
    MISSED,
    NAMED,
    REJECTED,
    UNFOUND,
    UNFOUND_STRANGER,
    WRONG,
    decide,
    measure,
    paired,
)
from facegroup.evaluation.group_report import wilson
from facegroup.evaluation.group_truth import Pictured
from facegroup.evaluation.openset import threshold_at
from facegroup.evaluation.openset_data import OpenSetData
from facegroup.evaluation.report import figure, percent
from facegroup.pipeline.messages import PhotoMatches, PhotoResult, Quality
from facegroup.settings import load
from facegroup.types import NOT_IN_DATASET, Faces, Floats, Match

TRUTHS = sorted(each for each in (Path(__file__).parents[2] / "ground_truth").glob("*.json") if each.stem != "videos")


def floats(*rows: tuple[float, ...]) -> Floats:
    return np.array(rows, np.float32)


def data_of(rows: Floats) -> OpenSetData:
    """Two members with two photos, Ada and Bob, and the strangers Cy, with two, and Dan."""
    codes = tuple("" if row.any() else "no_face" for row in rows)
    embedded = PhotoEmbeddings(rows, codes, tuple(map(str, range(len(rows)))))
    files = tuple(Path(f"{place}.jpg") for place in range(len(rows)))
    return OpenSetData(files, embedded, {"Ada": (0, 1), "Bob": (2, 3)}, {"Cy": (4, 5), "Dan": (6,)}, {})


def test_failures_stay_in_the_denominators() -> None:
    """Of Ada one photo fails: enrolled or searched with, hers is missed, in every split."""
    rows = floats((1, 0), (0, 0), (0, 1), (0, 2), (0.6, 0.8), (0.8, 0.6), (0, 0))
    run = identification.measure(data_of(rows), ("net", "fp32"), 0.7, enrol=1, splits=8)
    assert run.rank_1.value == 0.5
    assert [each.value for each in run.tpir] == [0.5, 0.5, 0.5]
    threshold, fpir, tpir = run.at_default
    assert (threshold, tpir.value) == (0.7, 0.5)
    # Cy's photos have 0.8 and 0.6 to Bob, and 0.6 and 0.8 to Ada where she is enrolled; Dan's has none and stays.
    enrolled = 8 - run.unenrolled["Ada"]
    assert 0 < enrolled < 8
    assert fpir.value == pytest.approx((enrolled * 2 + (8 - enrolled)) / 8 / 3)
    assert run.data.failed == {"1.jpg": "no_face", "6.jpg": "no_face"}
    assert len(run.impostor) == 2


def test_tpir_where_strangers_come_between() -> None:
    """The stranger is nearer to Ada (0.8) than one of her photos is to the other (0.6)."""
    rows = floats((1, 0, 0), (0.6, 0.8, 0), (0, 0, 1), (0, 0, 1), (0.8, 0, 0.6), (0, -1, 0), (0, -1, 0))
    made = data_of(rows)
    run = identification.measure(made, ("net", "fp32"), 0.5, enrol=1, splits=4)
    assert run.rank_1.value == 1
    first = identification.search(rows, [(0, 1), (2, 3)], [4, 5, 6], 1, 0)
    assert sorted(first.own.round(5).tolist()) == pytest.approx([0.6, 1.0])
    assert run.tpir[0].value in (0.5, 0.75, 1.0), "0.8 is asked for where photo 0 is enrolled, else 0.6"
    assert run.tpir[0].value < 1
    for each in run.tpir:
        assert each.low <= each.value <= each.high


def test_one_member_has_no_interval() -> None:
    rows = floats((1, 0), (1, 0), (0.6, 0.8))
    embedded = PhotoEmbeddings(rows, ("", "", ""), ("0", "1", "2"))
    alone = OpenSetData((Path("a"), Path("b"), Path("c")), embedded, {"Ada": (0, 1)}, {"Cy": (2,)}, {})
    run = identification.measure(alone, ("net", "fp32"), 0.7, enrol=1, splits=2)
    assert figure(run.tpir[0]) == {"value": 1.0, "interval": [None, None]}
    assert percent(run.tpir[0]) == "100.0 %"
    sheet = openset_report.report([run], {"Folder": "f"}, 1, 0, [], drawn=True)
    json.dumps(sheet.as_json(), allow_nan=False)


def test_thresholds_of_drawings() -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.7], np.float32)
    weights = np.array([[1, 1, 1, 1], [1, 0, 1, 2], [0, 0, 4, 0]], float)
    drawn = bootstrap.thresholds(scores, (0.0, 0.25, 0.5, 1.0), weights)
    assert drawn[:, 0].tolist() == [threshold_at(scores, rate) for rate in (0.0, 0.25, 0.5, 1.0)]
    # 0.7 twice, 0.5 and 0.1: none, one and two of four may be above
    assert drawn[:3, 1].tolist() == pytest.approx([0.7, 0.7, 0.5])
    assert drawn[:3, 2].tolist() == pytest.approx([0.5, 0.5, 0.5])


def test_a_share_of_drawings() -> None:
    shares = bootstrap.shares(np.array([True, False, True]), np.array([[1, 1, 1], [0, 3, 1], [0, 0, 0]], float))
    assert shares[:2].tolist() == pytest.approx([2 / 3, 1 / 4])
    assert np.isnan(shares[2])


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [(0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0), (19, 20, 0.7639, 0.9911), (1, 2, 0.0945, 0.9055)],
)
def test_wilson(count: int, total: int, low: float, high: float) -> None:
    found = wilson(count, total)
    assert found.value == count / total
    assert [found.low, found.high] == pytest.approx([low, high], abs=1e-4)


def test_a_share_of_nothing() -> None:
    assert figure(wilson(0, 0)) == {"value": None, "interval": [None, None]}
    assert percent(wilson(0, 0)) == "–"
    assert percent(Estimate(0.5, 0.25, 0.75)) == "50.0 % (25.0–75.0)"


def boxes(*corners: tuple[float, float, float]) -> Floats:
    """Squares: left, top, side."""
    return np.array([[x, y, x + side, y + side] for x, y, side in corners], np.float32).reshape(-1, 4)


def faces(where: Floats) -> Faces:
    confidence = np.linspace(0.9, 0.6, len(where), dtype=np.float32)
    return Faces(where, np.zeros((len(where), 5, 2), np.float32), confidence)


def test_average_precision_of_photos_drawn_again() -> None:
    truth = [boxes((0, 0, 10), (50, 0, 10)), boxes((0, 0, 30))]
    found = [faces(boxes((0, 0, 10), (200, 0, 10))), faces(boxes((90, 0, 30), (0, 0, 30)))]
    nothing = [boxes(), boxes()]
    done = outcomes(found, truth, nothing)
    drawn = area(done, np.array([[1, 1], [2, 0], [0, 3], [1, 2]], float))

    def repeated(*photos: int) -> float:
        return average_precision([found[i] for i in photos], [truth[i] for i in photos], [boxes()] * len(photos))

    expected = [repeated(0, 1), repeated(0, 0), repeated(1, 1, 1), repeated(0, 1, 1)]
    assert drawn.tolist() == pytest.approx(expected, abs=0.03), "equal confidences may come in another order"
    assert drawn[0] == pytest.approx(average_precision(found, truth, nothing))
    assert np.isnan(area(done, np.zeros((1, 2)))[0])


def test_faces_of_other_sizes_count_neither_way() -> None:
    truth = Truth(boxes((0, 0, 15), (100, 0, 40), (200, 0, 120)), boxes())
    # all three are found, and two boxes of 40 and 120 px where nobody is
    found = faces(boxes((0, 0, 15), (100, 0, 40), (200, 0, 120), (500, 0, 40), (700, 0, 120)))
    seen = {}
    for name, (low, high) in SIZES.items():
        part = truth.between(low, high)
        done = outcomes([found], [part.boxes], [part.ignored]).between(low, high)
        seen[name] = (int(done.total.sum()), int(done.right.sum()), len(done.right))
    assert seen == {
        "under 20 px": (1, 1, 1), "20–50 px": (1, 1, 2), "50–100 px": (0, 0, 0), "100 px and more": (1, 1, 2),
    }  # fmt: skip


def seen(where: Floats, *named: str | None) -> PhotoResult:
    matches = tuple(Match(each, each or NOT_IN_DATASET, 0.5, 0.4, None) for each in named)
    zeros = np.zeros(len(where), np.float32)
    found = faces(where)
    return PhotoResult(
        900, 900, found, Quality(*[zeros] * len(Quality.__slots__)), matched=PhotoMatches(matches, 1, 0.4)
    )


def test_every_decision_has_its_name() -> None:
    where = [(x, 0.0, 50.0) for x in range(0, 700, 100)]
    truth = Pictured(boxes(*where), ("Ada", "Ada", "Ada", "Ada", None, None, None), boxes((700, 0, 50)))
    found = boxes(*where[:3], *where[4:6], (700, 0, 50), (800, 0, 50), (860, 0, 20))
    answers = seen(found, "1", "2", None, "1", None, "1", "2", None)
    decided = list(decide("a.jpg", truth, answers, {"1": "Ada", "2": "Bob"}))
    assert [each.outcome for each in decided] == [
        CORRECT, WRONG, MISSED, UNFOUND, NAMED, REJECTED, UNFOUND_STRANGER, BESIDE_NAMED, BESIDE,
    ]  # fmt: skip
    assert decided[1].named == "Bob"
    assert decided[0].box == (0, 0, 50, 50)


def test_a_photo_that_cannot_be_used_has_no_face_found() -> None:
    truth = Pictured(boxes((0, 0, 9), (20, 0, 9)), ("Ada", None), boxes())
    assert [each.outcome for each in decide("a.jpg", truth, "absent", {})] == [UNFOUND, UNFOUND_STRANGER]


def test_a_found_face_is_one_true_face() -> None:
    # the second true box shares more with the first found one than the first does
    assert paired(boxes((0, 0, 100), (10, 0, 100)), boxes((8, 0, 100))) == {1: 0}
    assert paired(boxes((0, 0, 100)), boxes((90, 0, 100))) == {}
    assert paired(boxes(), boxes((0, 0, 9))) == paired(boxes((0, 0, 9)), boxes()) == {}


@pytest.mark.parametrize("path", TRUTHS, ids=lambda path: path.stem)
def test_ground_truth(shared: Path, path: Path, tmp_path: Path) -> None:
    """Every file is there, every box is on a face that is found, and retail-0095 names whom we say it is."""
    group, folder = group_truth.read(path), shared / "faces" / path.stem
    files = [each.file for photos in group.enrol.values() for each in photos] + list(group.photos)
    assert len(set(files)) == len(files)
    assert all((folder / file).is_file() for file in files)
    settings = load(
        network="retail-0095",
        model_dir=shared / "models",
        cache_dir=tmp_path,
        limits={"side_pixels": 1024},  # a few of the photos have 12 megapixels
        detector={"threads": 2},
    )
    told: list[int] = []
    run = measure(folder, group, settings, told=told.append)
    assert told == list(range(1, len(files) + 1))
    assert run.failed == {}
    assert run.known == ()
    assert run.unenrolled == ()
    assert set(run.refused.values()) <= {"no_face"}, f"boxes must share {LEAST} with a face: {run.refused}"
    assert run.count(UNFOUND, UNFOUND_STRANGER) == 0
    assert run.count(WRONG, NAMED) == 0
    members = run.count(CORRECT, MISSED)
    assert members == sum(each is not None for photo in group.photos.values() for each in photo.people)
    assert run.count(CORRECT) >= 0.9 * members


def test_there_is_ground_truth() -> None:
    assert [path.stem for path in TRUTHS] == ["bbt_faceapi", "compreface", "face_recognition_examples"]
