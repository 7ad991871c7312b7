"""How common a face is, and tenths of strangers by it."""

import numpy as np

from facegroup.evaluation.commonness import LARGEST, commonness, tenths


def test_commonness_is_the_mean_of_the_ten_largest_similarities() -> None:
    others = np.eye(12, dtype=np.float32)
    face = np.zeros((1, 12), np.float32)
    face[0, :12] = np.linspace(0, 0.55, 12)
    assert np.allclose(commonness(face, others), np.sort(face[0])[-LARGEST:].mean())


def test_fewer_others_than_ten_all_count() -> None:
    others = np.eye(3, dtype=np.float32)
    assert np.allclose(commonness(np.ones((2, 3), np.float32) / np.float32(3**0.5), others), 3**-0.5)


def test_tenths_have_as_many_each_and_the_most_common_are_last() -> None:
    measured = np.random.default_rng(0).permutation(95).astype(np.float32)
    found = tenths(measured)
    assert np.bincount(found, minlength=10).tolist() == [10, 9, 10, 9, 10, 9, 10, 9, 10, 9]
    assert found[measured.argmax()] == 9
    assert found[measured.argmin()] == 0
    assert measured[found == 3].max() < measured[found == 4].min()


def test_fewer_strangers_than_tenths() -> None:
    assert tenths(np.array([0.3, 0.1], np.float32)).tolist() == [5, 0]
    assert tenths(np.empty(0, np.float32)).tolist() == []
