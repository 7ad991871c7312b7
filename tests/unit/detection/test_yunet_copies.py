"""The copies of images that YuNet searches: their scales, buckets and groups."""

import numpy as np
import pytest

from facegroup.detection.yunet_copies import ALONE, CELL, SECOND, SMALLEST, Copy, batch, copies, grouped


@pytest.mark.parametrize("least", [12, 20, 33, 100, 5000])
def test_the_smallest_face_has_the_same_size_in_the_first_copy(least: int) -> None:
    first = copies(0, (3000, 4000, 3), least)[0]
    assert first.ratio[0] == pytest.approx(least / SMALLEST, rel=0.05)


@pytest.mark.parametrize(("side", "count"), [(1, 1), (ALONE, 1), (ALONE + 1, 2), (2048, 2)])
def test_only_a_large_copy_has_a_second_one(side: int, count: int) -> None:
    found = copies(3, (side // 2 + 1, side, 3), 20)
    assert [each.image for each in found] == [3] * count
    if count == 2:
        assert SECOND * 0.6 < found[1].width <= SECOND
        assert found[1].ratio == (found[1].averages, found[1].averages)


def test_a_group_has_one_bucket_and_a_bounded_size() -> None:
    random = np.random.default_rng(0)
    sides = random.integers(1, 500, (200, 2)).tolist()
    planned = [Copy(number, width, height, (1, 1)) for number, (width, height) in enumerate(sides)]
    groups = grouped(planned, CELL, 100_000)
    assert sorted(each.image for group in groups for each in group) == list(range(200))
    for group in groups:
        (height, width) = group[0].bucket(CELL)
        assert {each.bucket(CELL) for each in group} == {(height, width)}
        assert len(group) == 1 or len(group) * height * width <= 100_000
    sizes = [len(group) * group[0].bucket(CELL)[0] * group[0].bucket(CELL)[1] for group in groups]
    assert sizes == sorted(sizes, reverse=True)


def test_a_batch_is_black_beside_its_copies() -> None:
    images = [np.full((40, 50, 3), 200, np.uint8), np.full((64, 64, 3), 100, np.uint8)]
    pixels = batch(images, [Copy(0, 50, 40, (1, 1)), Copy(1, 33, 33, (64 / 33, 64 / 33))], CELL)
    assert pixels.shape == (2, 64, 64, 3)
    assert (pixels[0, :40, :50] == 200).all()
    assert pixels[0].sum() == 200 * 40 * 50 * 3
    assert (pixels[1, :33, :33] == 100).all()
    assert pixels[1].sum() == 100 * 33 * 33 * 3
