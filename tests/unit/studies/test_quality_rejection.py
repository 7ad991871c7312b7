"""Error over the share rejected, on searches made to measure; and the poor copies that it is measured on."""

from pathlib import Path

import numpy as np
import pytest

from facegroup.networks.embedder import open_embedder
from facegroup.pipeline.messages import Quality
from facegroup.pipeline.open_finder import open_finder
from facegroup.pipeline.quality_policies import LIMITS
from facegroup.settings import load
from facegroup.types import Floats, Image
from studies.degrading import KINDS, copies
from studies.measured_faces import MeasuredFaces, encoded, measured
from studies.rejection_tables import Probes, by_kind, by_policy, curves, draw, searched
from tests.photos import astronaut, both, encode, nobody

SIZE = next(place for place, limit in enumerate(LIMITS) if limit.part == "size")


def made(grade: Floats) -> Probes:
    """Ten members and ten strangers; the worse half of the members is missed, and the worst stranger is named."""
    owners = np.repeat([0, -1], 10)
    similarity = np.concatenate([np.where(np.arange(10) < 5, 0.1, 0.9), np.where(np.arange(10) < 1, 0.8, 0.2)])
    grades = np.full((20, len(LIMITS)), 9, np.float32)
    grades[:, SIZE] = grade
    kinds = np.array(["small 14"] * 5 + ["small 24"] * 15)
    return Probes("made", kinds, owners, similarity.astype(np.float32), grades, 3)


RISING = np.tile(np.linspace(0, 1.8, 10, dtype=np.float32), 2)


def test_rejecting_the_worst_leaves_fewer_errors() -> None:
    probes = made(RISING)
    for code in ("face_too_small", "all"):
        rates = [probes.fnir(probes.best(code, share), 0.5) for share in (0, 0.2, 0.4, 0.5)]
        assert rates == pytest.approx([0.5, 0.375, 1 / 6, 0])
    assert probes.fpir(probes.best("all", 0), 0.5) == pytest.approx(0.1)
    assert probes.fpir(probes.best("all", 0.1), 0.5) == 0


def test_equals_are_not_rejected_in_the_order_of_the_photos() -> None:
    """By a part in which all are alike members and strangers go alike, and the rate does not move much."""
    kept = made(RISING).best("too_dark", 0.5)
    assert 2 <= kept[:10].sum() <= 8
    assert kept.sum() == 10


def test_the_tables() -> None:
    probes = made(RISING)
    off, standard, strict = by_policy([probes], 0.5)[2:]
    assert "| made | 20 | 3 | off | 0.00% | 50.00% | 10.00% | – |" in off
    assert "| standard | 30.00% | 28.57% | 0.00% | 100.00% |" in standard
    assert "| strict | 50.00% |" in strict
    assert any(line.startswith("| face_too_small | 50.00% |") for line in curves(probes, 0.5))
    worst, better = by_kind(probes, 0.5)[2:]
    assert worst.startswith("| small 14 | 5 | 100.0% | 60.0% |")
    assert better.startswith("| small 24 | 15 | 0.0% |")


def test_the_curves_are_drawn(tmp_path: Path) -> None:
    draw([made(RISING), made(RISING[::-1])], 0.5, tmp_path / "curves.png", "made")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_searches_are_of_the_right_person_at_rank_one_or_of_anybody() -> None:
    axes = np.eye(3, 4, dtype=np.float32)
    good = np.ones((3, len(Quality.__slots__)), np.float32)
    seen = MeasuredFaces(np.array([0, 1, 3]), good, np.ones(3, np.float32), axes)
    probes = searched("made", ["a"] * 5, [0, 0, 0, -1, -1], seen, axes)
    assert probes.similarity.tolist() == [1, -np.inf, 1]
    assert probes.owners.tolist() == [0, 0, -1]
    assert probes.missed == 2


@pytest.fixture(scope="module")
def photo() -> Image:
    return np.ascontiguousarray(astronaut()[:250, 100:350])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_copy_is_another_photo_and_the_same_again(photo: Image, kind: str) -> None:
    make, levels = KINDS[kind]
    for level in levels:
        once, again = (make(photo, level, np.random.default_rng(3)) for _ in range(2))
        assert once.dtype == np.uint8
        assert once.shape != photo.shape or (once != photo).any()
        assert (once == again).all()


def test_brighter_is_never_darker(photo: Image) -> None:
    make, levels = KINDS["bright"]
    for level in levels:
        assert (make(photo, level, np.random.default_rng(0)) >= photo).all()


def test_copies_are_of_different_kinds_and_levels(photo: Image) -> None:
    names = [name for name, _ in copies(photo, 8, 1)]
    assert len(set(names)) == 8
    assert names == [name for name, _ in copies(photo, 8, 1)]
    assert names != [name for name, _ in copies(photo, 8, 2)]


def test_looking_gives_the_central_face_or_every_face() -> None:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    settings = load(network="dlib-resnet29")
    embedder = open_embedder(settings)
    finder = open_finder(settings, embedder.spec)
    photos = [encode(nobody()), encoded(both()), b"no photo", encoded(astronaut())]
    central, every = (measured(photos, finder, embedder, every=every) for every in (False, True))
    finder.close()
    assert central.photos.tolist() == [1, 3]
    assert every.photos.tolist() == [1, 1, 3]
    assert every.descriptors.shape == (3, 128)
    assert (every.quality.size > 50).all()
    assert (every.quality.inside == 1).all()
