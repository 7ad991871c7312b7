"""The canvases: every window that the mtcnn package would look at is on them once, with the very pixels, and no other."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from facegroup.detection.buffers import Buffer, DetectorBuffers
from facegroup.detection.pyramid import CELL, FACTOR, KERNEL, STRIDE, Canvases, centred, scales, spread
from facegroup.types import Floats, Image
from tests.photos import astronaut

CANVAS = (64, 96)


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    ("width", "height", "smallest", "expected"),
    [
        (20, 20, 20, [0.6]),
        (19, 100, 20, []),
        (12, 12, 12, [1.0]),
        (11, 500, 12, []),
        (23, 40, 12, [1.0, FACTOR]),
        (100, 100, 40, [0.3, 0.3 * FACTOR, 0.3 * FACTOR**2]),
        (1, 1, 12, []),
        (300, 300, 300, [0.04]),
        (300, 299, 300, []),
    ],
)
def test_scales(width: int, height: int, smallest: int, expected: list[float]) -> None:
    assert scales(width, height, smallest) == pytest.approx(expected)
    assert scales(height, width, smallest) == pytest.approx(expected)


@settings(deadline=None)
@given(width=st.integers(1, 5000), height=st.integers(1, 5000), smallest=st.integers(12, 500))
def test_scales_reach_from_the_smallest_face_to_the_whole_image(width: int, height: int, smallest: int) -> None:
    found = scales(width, height, smallest)
    if min(width, height) < smallest:
        assert found == []
        return
    sizes = [CELL / scale for scale in found]  # of the faces that are looked for
    assert sizes[0] == pytest.approx(smallest)
    assert sizes[-1] <= min(width, height) * (1 + 1e-9) < sizes[-1] / FACTOR * (1 + 1e-9)


def whole(images: list[Image], smallest: list[int], canvas: tuple[int, int]) -> Canvases:
    """All canvases at once, of which there must be some."""
    (canvases,) = spread(images, smallest, canvas)
    return canvases


def windows(canvases: Canvases) -> dict[tuple[int, int, int, int], list[Floats]]:
    """(image, level, x, y) in the scaled image → the windows (12, 12, 4): pixels, and 1 where P-Net is told of nothing."""
    reach = KERNEL - 1  # what is told of a kernel is kept at the last pixel that it reaches
    found: dict[tuple[int, int, int, int], list[Floats]] = {}
    for page, row, column in np.argwhere(canvases.owner >= 0):
        tile = canvases.owner[page, row, column]
        top, left = row * STRIDE, column * STRIDE
        x, y = canvases.origin[tile] + (left, top)
        key = (int(canvases.image[tile]), int(canvases.level[tile]), int(x), int(y))
        found.setdefault(key, []).append(np.zeros((CELL, CELL, 4), np.float32))
        seen = found[key][-1]
        seen[..., :3] = canvases.pixels[page, top : top + CELL, left : left + CELL]
        seen[reach:, reach:, 3] = canvases.mask[page, top : top + CELL - reach, left : left + CELL - reach]
    return found


def expected_windows(sizes: list[tuple[int, int]], smallest: list[int]) -> set[tuple[int, int, int, int]]:
    """Every window at even places of every scaled image; of odd sides the last reaches a pixel further."""
    return {
        (index, level, x, y)
        for index, ((height, width), least) in enumerate(zip(sizes, smallest, strict=True))
        for level, scale in enumerate(scales(width, height, least))
        for x in range(0, max(int(width * scale), CELL) - CELL + 2, STRIDE)
        for y in range(0, max(int(height * scale), CELL) - CELL + 2, STRIDE)
    }


sides = st.integers(1, 150)


@settings(deadline=None, max_examples=20)
@given(
    sizes=st.lists(st.tuples(sides, sides), max_size=5),
    smallest=st.integers(12, 40),
    canvas=st.sampled_from([CANVAS, (12, 12), (16, 256), (128, 14)]),
)
def test_every_window_is_there_once(sizes: list[tuple[int, int]], smallest: int, canvas: tuple[int, int]) -> None:
    images = [noise(height, width, seed) for seed, (height, width) in enumerate(sizes)]
    found: dict[tuple[int, int, int, int], list[Floats]] = {}
    for canvases in spread(images, [smallest] * len(images), canvas):
        assert canvases.pixels.shape[1:] == (*canvas, 3)
        assert canvases.mask.shape[1:] == (canvas[0] - 2, canvas[1] - 2)
        assert canvases.owner.shape[1:] == tuple((side - CELL) // STRIDE + 1 for side in canvas)
        found = windows(canvases)
    assert set(found) == expected_windows(sizes, [smallest] * len(sizes))
    assert {len(places) for places in found.values()} <= {1}


@pytest.mark.parametrize(
    ("sizes", "smallest"),
    [([(300, 260)], [12]), ([(40, 30), (31, 500), (64, 96)], [12, 14, 12]), ([(13, 13), (65, 97)], [12, 12])],
)
def test_windows_have_the_pixels_of_the_scaled_image(sizes: list[tuple[int, int]], smallest: list[int]) -> None:
    images = [noise(height, width, seed) for seed, (height, width) in enumerate(sizes)]
    found = windows(whole(images, smallest, CANVAS))
    uncut = windows(whole(images, smallest, (512, 1024)))  # room for each scale in one piece
    assert set(found) == set(uncut)
    for key, (pixels,) in found.items():
        assert (pixels == uncut[key][0]).all()
    for (index, level, x, y), (pixels,) in found.items():
        if level == 0:
            scale = CELL / smallest[index]
            size = int(images[index].shape[1] * scale), int(images[index].shape[0] * scale)
            scaled = cv2.resize(centred(images[index]), size, interpolation=cv2.INTER_AREA)[y : y + CELL, x : x + CELL]
            high, wide = scaled.shape[:2]
            assert_allclose(pixels[:high, :wide, :3], scaled, atol=1e-3)
            assert (pixels[:high, :wide, 3] == 0).all()
            assert (pixels[high:, :, :3] == 0).all()
            assert (pixels[:, wide:, :3] == 0).all()
            assert (pixels[high:, 2:, 3] == 1).all()
            assert (pixels[2:, wide:, 3] == 1).all()


def test_every_scale_is_averaged_from_the_photo_itself() -> None:
    photo = centred(astronaut())
    canvases = whole([astronaut()], [20], (320, 320))
    for level, scale in enumerate(scales(512, 512, 20)):
        side = int(512 * scale)
        direct = cv2.resize(photo, (side, side), interpolation=cv2.INTER_AREA)
        for (_, at, x, y), (pixels,) in windows(canvases).items():
            if at == level:
                expected = direct[y : y + CELL, x : x + CELL]
                assert_allclose(pixels[: len(expected), : expected.shape[1], :3], expected, atol=1e-3)


def test_a_window_leads_back_to_its_place_in_the_photo() -> None:
    canvases = whole([noise(200, 333)], [25], CANVAS)
    for tile, (level, ratio) in enumerate(zip(canvases.level, canvases.ratio, strict=True)):
        assert_allclose(1 / ratio, scales(333, 200, 25)[level], rtol=1e-6)
        assert (canvases.origin[tile] <= np.array([333, 200]) / ratio).all()


def test_small_images_share_a_canvas() -> None:
    images = [noise(30, 40, seed) for seed in range(8)]
    assert len(whole(images, [20] * 8, (256, 512)).pixels) == 1


@pytest.mark.parametrize("images", [[], [noise(1, 1)], [noise(11, 900)], [noise(1, 3000), noise(5, 5)]])
def test_nothing_to_look_at_is_no_canvas(images: list[Image]) -> None:
    assert list(spread(images, [12] * len(images), CANVAS)) == []


def test_a_few_canvases_at_a_time_in_used_memory_show_the_same() -> None:
    images = [noise(300, 260), noise(90, 70, 1), noise(13, 13, 2), noise(65, 97, 3)]
    expected = windows(whole(images, [12] * 4, CANVAS))
    canvas = CANVAS[0] * CANVAS[1] * 3
    room = DetectorBuffers(2, Buffer(2 * canvas), Buffer(200 * 200 * 3))
    room.canvases.take(2, canvas).fill(np.nan)
    parts = 0
    found: dict[tuple[int, int, int, int], list[Floats]] = {}
    for canvases in spread(images, [12] * 4, CANVAS, room):
        assert len(canvases.pixels) <= 2
        parts += 1
        for key, seen in windows(canvases).items():
            found.setdefault(key, []).extend(seen)
    assert parts > 3
    assert set(found) == set(expected)
    for key, (pixels,) in found.items():
        assert (pixels == expected[key][0]).all()
