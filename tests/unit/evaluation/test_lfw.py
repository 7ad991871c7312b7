"""LFW: the protocol on numbers made to measure, and retail-0095 on the photos themselves."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from facegroup.evaluation import lfw
from facegroup.evaluation.lfw import Pair
from facegroup.networks.embedder import Embedder, open_embedder
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import load
from facegroup.types import Faces, Floats
from tests.photos import astronaut, both, encode, hopper, nobody

PAIRS = "2\t1\nAda\t1\t2\nAda\t1\tBob\t3\nBob\t3\t10\nBob\t1\tCy\t1\n"


def test_pairs_are_read(tmp_path: Path) -> None:
    (tmp_path / "pairs.txt").write_text(PAIRS)
    folds = lfw.read_pairs(tmp_path / "pairs.txt")
    assert folds == [
        [Pair("Ada/Ada_0001.jpg", "Ada/Ada_0002.jpg", True), Pair("Ada/Ada_0001.jpg", "Bob/Bob_0003.jpg", False)],
        [Pair("Bob/Bob_0003.jpg", "Bob/Bob_0010.jpg", True), Pair("Bob/Bob_0001.jpg", "Cy/Cy_0001.jpg", False)],
    ]
    assert lfw.photos_of(folds[:1]) == ["Ada/Ada_0001.jpg", "Ada/Ada_0002.jpg", "Bob/Bob_0003.jpg"]


@pytest.mark.parametrize("text", ["2\t1\n", PAIRS + "Cy\t1\t2\n", PAIRS.replace("Ada\t1\t2", "Ada\t1"), "no pairs"])
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "pairs.txt").write_text(text)
    with pytest.raises(ValueError, match=r"pairs|not a pair|invalid"):
        lfw.read_pairs(tmp_path / "pairs.txt")


@pytest.mark.parametrize(
    ("scores", "same", "threshold"),
    [
        ([0.1, 0.2, 0.6, 0.8], [0, 0, 1, 1], 0.4),
        ([0.8, 0.1, 0.6, 0.2], [1, 0, 1, 0], 0.4),
        ([0.1, 0.5, 0.3, 0.9], [0, 0, 1, 1], 0.2),
        ([0.5, 0.5, 0.5], [1, 1, 0], -0.5),
        ([0.1, 0.2], [1, 1], -0.9),
        ([0.1, 0.2], [0, 0], 1.2),
    ],
)
def test_the_best_threshold(scores: list[float], same: list[int], threshold: float) -> None:
    found = lfw.best_threshold(np.array(scores, np.float32), np.array(same, bool))
    assert found == pytest.approx(threshold)


@pytest.mark.parametrize("seed", range(5))
def test_no_threshold_is_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    same = rng.random(60) < 0.5
    scores = (rng.normal(0, 1, 60) + same).round(1).astype(np.float32)
    best = ((scores > lfw.best_threshold(scores, same)) == same).sum()
    assert best == max(((scores > limit) == same).sum() for limit in np.linspace(-9, 9, 1801))


def test_a_fold_is_judged_by_the_others() -> None:
    def fold(shift: float) -> tuple[Floats, lfw.Flags]:
        return np.array([0.2, 0.4, 0.6, 0.8], np.float32) + np.float32(shift), np.array([0, 0, 1, 1], bool)

    told = lfw.accuracy([fold(0), fold(0), fold(0.5)])
    assert told.folds == (1, 1, 0.5)
    assert told.mean == pytest.approx(5 / 6)
    assert told.error == pytest.approx(np.std([1, 1, 0.5], ddof=1) / 3**0.5)
    assert told.thresholds[2] == pytest.approx(0.5)
    assert str(told) == "0.8333 ± 0.1667"


def test_the_central_face() -> None:
    boxes = np.array([[0, 0, 40, 40], [100, 90, 160, 150], [180, 180, 240, 240]], np.float32)
    faces = Faces(boxes, np.zeros((3, 5, 2), np.float32), np.ones(3, np.float32))
    assert lfw.central(faces, 250, 250) == 1
    assert lfw.central(faces[[0, 2]], 250, 250) == 1


def test_a_photo_without_a_face_makes_its_pairs_different() -> None:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    settings = load(network="dlib-resnet29")
    embedder = open_embedder(settings)
    finder = open_finder(settings, embedder.spec)
    photos = {"a": astronaut(), "h": hopper(), "none": nobody(), "ha": both()}
    data = [encode(photo) for photo in photos.values()]
    described = lfw.describe(finder, embedder, [*data, b"no photo"], batch=2)
    finder.close()
    assert described.shape == (5, 128)
    assert described.any(axis=1).tolist() == [True, True, False, True, False]
    descriptors = dict(zip(photos, described, strict=False))
    pairs = [Pair("a", "a", True), Pair("a", "none", True), Pair("none", "none", True), Pair("a", "h", False)]
    scores, same = lfw.similarities(pairs, descriptors)
    assert scores[:3] == pytest.approx([1, -1, -1])
    assert scores[3] < 0.95
    assert same.tolist() == [True, True, True, False]
    assert lfw.describe(finder, embedder, []).shape == (0, 128)


@pytest.fixture(scope="module")
def network(shared: Path) -> Iterator[tuple[Finder, Embedder]]:
    settings = load(
        network="retail-0095", model_dir=shared / "models", detector={"threads": 2}, embedder={"threads": 2}
    )
    embedder = open_embedder(settings)
    finder = open_finder(settings, embedder.spec)
    yield finder, embedder
    finder.close()


@pytest.fixture
def measure(
    network: tuple[Finder, Embedder], shared: Path, record_property: Callable[[str, object], None]
) -> Callable[[int], lfw.Accuracy]:
    """The accuracy on the first so many folds, by the protocol with just these."""

    def run(count: int) -> lfw.Accuracy:
        folds = lfw.read_pairs(shared / "faces" / "lfw_protocol" / "pairs.txt")[:count]
        names = lfw.photos_of(folds)
        files = ((shared / "faces" / "lfw_deepfunneled" / name).read_bytes() for name in names)
        descriptors = dict(zip(names, lfw.describe(*network, files), strict=True))
        missed = sum(not row.any() for row in descriptors.values())
        told = lfw.accuracy([lfw.similarities(fold, descriptors) for fold in folds])
        record_property("lfw", f"{told}, {missed} of {len(names)} photos without a face")
        print(
            f"LFW, {count} folds: {told}; {missed} of {len(names)} photos without a face; thresholds {told.thresholds}"
        )
        assert missed <= 0.001 * len(names)
        return told

    return run


def test_lfw_on_two_folds(measure: Callable[[int], lfw.Accuracy]) -> None:
    assert measure(2).mean >= 0.99


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_lfw_on_all_folds(measure: Callable[[int], lfw.Accuracy]) -> None:
    told = measure(10)
    assert len(told.folds) == 10
    assert told.mean >= 0.994
