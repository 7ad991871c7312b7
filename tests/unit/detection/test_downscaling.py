"""Averages over parts of an image, against OpenCV's."""

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from facegroup.detection.downscaling import SMALL, averaged


@pytest.mark.parametrize("shape", [(300, 400), (1000, 333), (257, 1031), (64, 64)])
@pytest.mark.parametrize("part", [1, 0.999, 0.6, 0.5, 0.3016, 0.05])
def test_the_same_as_opencv(shape: tuple[int, int], part: float) -> None:
    image = np.random.default_rng(3).uniform(-127.5, 127.5, (*shape, 3)).astype(np.float32)
    height, width = (max(1, int(side * part)) for side in shape)
    expected = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    assert_allclose(averaged(image, width, height), expected, atol=1e-3)


def test_one_side_alone() -> None:
    image = np.random.default_rng(3).uniform(-127.5, 127.5, (300, 300, 3)).astype(np.float32)
    assert image[..., 0].size > SMALL
    assert_allclose(averaged(image, 300, 100), image.reshape(100, 3, 300, 3).mean(axis=1), atol=1e-3)
    assert_allclose(averaged(image, 100, 300), image.reshape(300, 100, 3, 3).mean(axis=2), atol=1e-3)
