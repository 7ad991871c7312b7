from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facegroup.errors import NotAnImage
from facegroup.networks.alignment import Aligner, from_jpeg, similarity, to_jpeg
from facegroup.networks.registry import spec
from facegroup.networks.spec import TEMPLATES
from facegroup.types import Faces, Floats, Image

POINTS = np.asarray(TEMPLATES["five_point"], np.float32)
BOX = replace(spec("vggface2-resnet50"), margin=0.0, framed=False)


def picture(height: int = 240, width: int = 320, seed: int = 0) -> Image:
    """A smooth picture, so that resampling is exact to a few grey values."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), np.uint8)
    large: Image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return large


def faces(boxes: list[list[float]], landmarks: Floats | None = None) -> Faces:
    points = np.zeros((len(boxes), 5, 2), np.float32) if landmarks is None else landmarks
    return Faces(np.asarray(boxes, np.float32).reshape(-1, 4), points, np.ones(len(boxes), np.float32))


def umeyama(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equations 38-43 of the paper, by singular values."""
    s, t = source - source.mean(0), target - target.mean(0)
    u, d, vt = np.linalg.svd(t.T @ s / len(s))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u @ np.diag(sign) @ vt
    scale = (d * sign).sum() / s.var(axis=0).sum()
    return np.column_stack([scale * rotation, target.mean(0) - scale * rotation @ source.mean(0)])


class TestBox:
    aligner = Aligner(BOX)

    def test_a_crop_is_the_box_resized(self) -> None:
        image = picture()
        crop = self.aligner.align(image, faces([[40, 50, 140, 190]]))[0]
        np.testing.assert_array_equal(crop, cv2.resize(image[50:190, 40:140], (224, 224)))

    def test_a_large_face_is_averaged_down(self) -> None:
        image = np.zeros((896, 896, 3), np.uint8)
        image[::2] = 254  # lines of one pixel: sampling would keep one kind of line
        crop = self.aligner.align(image, faces([[0, 0, 896, 896]]))[0]
        assert np.unique(crop).tolist() == [127]

    @pytest.mark.parametrize(
        ("box", "region"),
        [
            ([-30, -20, 60, 70], np.s_[0:70, 0:60]),
            ([280, 200, 400, 300], np.s_[200:240, 280:320]),
            ([-5, -5, 1000, 1000], np.s_[0:240, 0:320]),
            ([10.2, 10.2, 10.3, 10.3], np.s_[10:11, 10:11]),
        ],
    )
    def test_a_box_beyond_the_edge_is_clipped(self, box: list[float], region: tuple[slice, slice]) -> None:
        image = picture()
        inter = cv2.INTER_AREA if min(image[region].shape[:2]) >= 224 else cv2.INTER_LINEAR
        expected = cv2.resize(image[region], (224, 224), interpolation=inter)
        np.testing.assert_array_equal(self.aligner.align(image, faces([box]))[0], expected)

    @pytest.mark.parametrize(
        "box", [[400, 300, 500, 400], [-90, -90, -10, -10], [np.nan, 0, 10, 10], [0, 0, np.inf, 9]]
    )
    def test_a_box_of_nothing_is_black(self, box: list[float]) -> None:
        assert not self.aligner.align(picture(), faces([box])).any()

    def test_a_margin_extends_the_box(self) -> None:
        extended = Aligner(replace(BOX, margin=0.3))
        crop = extended.align(picture(), faces([[100, 60, 200, 160]]))[0]
        np.testing.assert_array_equal(crop, cv2.resize(picture()[45:175, 85:215], (224, 224)))
        clipped = extended.align(picture(), faces([[0, 0, 100, 100]]))[0]
        np.testing.assert_array_equal(clipped, cv2.resize(picture()[:115, :115], (224, 224)))


def authors(image: Image, box: list[float]) -> Image:
    """As demo_proj.m and the README of ox-vgg/vgg_face2 say it, step by step: crop, shorter side to 256, middle of 224."""
    x1, y1, x2, y2 = box
    height = (y2 - y1) * 1.3
    width = (y2 - y1) * max(112 / 128, (x2 - x1) / (y2 - y1)) * 1.3
    left, right = round(max(0, (x1 + x2) / 2 - width / 2)), round(min(image.shape[1], (x1 + x2) / 2 + width / 2))
    top, bottom = round(max(0, (y1 + y2) / 2 - height / 2)), round(min(image.shape[0], (y1 + y2) / 2 + height / 2))
    part = image[top:bottom, left:right]
    scale = 256 / min(part.shape[:2])
    large = cv2.resize(part, (round(part.shape[1] * scale), round(part.shape[0] * scale)))
    y, x = ((side - 224) // 2 for side in large.shape[:2])
    cut: Image = large[y : y + 224, x : x + 224]
    return cut


class TestFramed:
    aligner = Aligner(spec("vggface2-resnet50"))

    @pytest.mark.parametrize(
        "box",
        [[100, 60, 180, 160], [100, 60, 200, 160], [90, 80, 210, 160], [10, 60, 90, 160], [250, 150, 330, 250]],
        ids=["a face", "a square", "a wide one", "at the left edge", "beyond a corner"],
    )
    def test_a_crop_is_the_authors(self, box: list[float]) -> None:
        crop = self.aligner.align(picture(), faces([box]))[0].astype(int)
        expected = authors(picture(), box).astype(int)
        # Theirs is rounded to whole pixels of the photo, up to a half on each side; ours is not.
        assert np.abs(crop - expected)[8:-8, 8:-8].mean() < 4
        shifted = np.roll(expected, 12, axis=1)
        assert np.abs(crop - shifted)[16:-16, 16:-16].mean() > 8

    def test_the_aspect_stays(self) -> None:
        image = np.zeros((400, 400, 3), np.uint8)
        cv2.circle(image, (200, 200), 40, (255, 255, 255), -1)
        crop = self.aligner.align(image, faces([[160, 140, 240, 260]]))[0]
        wide, high = (int((crop[..., 0] > 127).any(axis=axis).sum()) for axis in (0, 1))
        assert abs(wide - high) <= 1
        plain = Aligner(BOX).align(image, faces([[160, 140, 240, 260]]))[0]
        wide, high = (int((plain[..., 0] > 127).any(axis=axis).sum()) for axis in (0, 1))
        assert wide > 1.3 * high

    @pytest.mark.parametrize(
        "box", [[400, 300, 500, 400], [-90, -90, -50, -50], [np.nan, 0, 10, 10], [0, 0, np.inf, 9], [50, 50, 50, 50]]
    )
    def test_a_box_of_nothing_is_black(self, box: list[float]) -> None:
        assert not self.aligner.align(picture(), faces([box])).any()

    def test_a_box_thin_as_a_line_costs_no_more(self) -> None:
        assert self.aligner.align(picture(), faces([[0, 100, 320, 100.01]])).shape == (1, 224, 224, 3)


class TestFivePoint:
    aligner = Aligner(spec("retail-0095"))

    @pytest.mark.parametrize("angle", [0, 30, -75, 180])
    @pytest.mark.parametrize("scale", [0.7, 1.0, 1.4])
    def test_a_turned_face_becomes_the_upright_one(self, angle: float, scale: float) -> None:
        upright = picture(128, 128)
        matrix = cv2.getRotationMatrix2D((63.5, 63.5), angle, scale)
        matrix[:, 2] += 150  # into the middle of a larger picture
        image = cv2.warpAffine(upright, matrix, (430, 430), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        points = (POINTS * 128) @ matrix[:, :2].T + matrix[:, 2]
        crop = self.aligner.align(image, faces([[0, 0, 1, 1]], points[None].astype(np.float32)))[0]
        inner = np.s_[8:120, 8:120]
        assert np.abs(crop[inner].astype(int) - upright[inner]).mean() < 3

    @pytest.mark.parametrize("seed", range(8))
    def test_the_transform_is_that_of_umeyama(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        points = rng.uniform(-50, 500, (5, 2))
        target = POINTS.astype(np.float64) * 128
        matrices, exists = similarity(points[None].astype(np.float32), POINTS * 128)
        assert exists.all()
        np.testing.assert_allclose(matrices[0], umeyama(points, target), atol=1e-3)

    @pytest.mark.parametrize(
        "points",
        [np.full((5, 2), 60.0), np.full((5, 2), np.nan), np.full((5, 2), np.inf), np.full((5, 2), 1e30)],
        ids=["one place", "nan", "infinite", "beyond float32 squares"],
    )
    def test_landmarks_without_a_shape_fall_back_on_the_box(self, points: NDArray[np.float64]) -> None:
        image = picture()
        crop = self.aligner.align(image, faces([[40, 50, 140, 190]], points[None].astype(np.float32)))[0]
        np.testing.assert_array_equal(crop, cv2.resize(image[50:190, 40:140], (128, 128)))

    @pytest.mark.parametrize("side", [256, 500, 1100])
    def test_a_large_face_is_averaged_down(self, side: int) -> None:
        image = np.zeros((side, side, 3), np.uint8)
        image[::2] = 254  # lines of one pixel: sampling would keep one kind of line, or show waves
        crop = self.aligner.align(image, faces([[0, 0, 1, 1]], (POINTS * side)[None]))[0]
        assert np.abs(crop[8:-8, 8:-8].astype(int) - 127).max() <= (16 if side > 256 else 1)

    def test_averaging_moves_nothing(self) -> None:
        small = picture(128, 128)
        large = cv2.resize(small, (640, 640), interpolation=cv2.INTER_CUBIC)  # pixel centres: 5 x + 2
        crop = self.aligner.align(large, faces([[0, 0, 1, 1]], (POINTS * 128 * 5 + 2)[None]))[0]
        assert np.abs(crop[4:-4, 4:-4].astype(int) - small[4:-4, 4:-4]).max() <= 3

    def test_landmarks_outside_the_image_are_taken(self) -> None:
        crop = self.aligner.align(picture(), faces([[0, 0, 30, 40]], (POINTS * 60 - 40)[None]))
        assert crop.shape == (1, 128, 128, 3)


def test_dlibs_chip_has_dlibs_template() -> None:
    upright = picture(150, 150)
    points = np.asarray(TEMPLATES["dlib_chip"], np.float32) * 150
    crop = Aligner(spec("dlib-resnet29")).align(upright, faces([[0, 0, 1, 1]], points[None]))[0]
    assert np.abs(crop.astype(int) - upright).max() <= 1


@pytest.mark.parametrize("network", ["vggface2-resnet50", "retail-0095", "dlib-resnet29"])
def test_crops_are_written_into_the_array_of_the_batch(network: str) -> None:
    size = spec(network).size
    batch = np.full((5, size, size, 3), 7, np.uint8)
    found = faces([[10, 10, 60, 70], [100, 20, 180, 120]], np.stack([POINTS * 50 + 10, POINTS * 80 + 60]))
    given = Aligner(spec(network)).align(picture(), found, out=batch[2:4])
    assert np.shares_memory(given, batch)
    assert (batch[[0, 1, 4]] == 7).all()
    np.testing.assert_array_equal(batch[2:4], Aligner(spec(network)).align(picture(), found))


@pytest.mark.parametrize("network", ["vggface2-resnet50", "retail-0095"])
def test_no_face_gives_no_crop(network: str) -> None:
    crops = Aligner(spec(network)).align(picture(), Faces.none())
    assert crops.shape == (0, spec(network).size, spec(network).size, 3)


def test_a_read_only_image_is_taken() -> None:
    image = picture()
    image.flags.writeable = False
    Aligner(spec("retail-0095")).align(image, faces([[10, 10, 60, 70]], (POINTS * 50 + 10)[None]))


def test_jpeg_keeps_a_crop_and_its_channel_order() -> None:
    crop = picture(128, 128)
    crop[:20] = (250, 10, 10)
    back = from_jpeg(to_jpeg(crop))
    assert back.shape == crop.shape
    assert np.abs(back.astype(int) - crop).mean() < 4
    assert back[5, 60, 0] > 230
    assert back[5, 60, 2] < 30


@pytest.mark.parametrize("data", [b"", b"no image", b"\xff\xd8\xff"])
def test_bytes_that_are_no_crop_are_refused(data: bytes) -> None:
    with pytest.raises(NotAnImage):
        from_jpeg(data)
