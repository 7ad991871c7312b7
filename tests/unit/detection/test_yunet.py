"""YuNet: the same faces alone and in a batch, of all sizes; and which way up they are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from facegroup.detection.boxes import overlap
from facegroup.detection.yunet import Yunet
from facegroup.detection.yunet_openvino import OpenVinoYunet
from facegroup.detection.yunet_spec import YUNET_N
from facegroup.errors import EngineUnavailable
from facegroup.types import Faces, Image
from tests.photos import astronaut, beside, both, hopper, nobody, resized

FILE = "yunet_n_dynamic.onnx"
SIZES = [(512, 512), (300, 512), (512, 301), (37, 512), (200, 333)]


@pytest.fixture(scope="module")
def yunet(shared: Path) -> Yunet:
    return Yunet(OpenVinoYunet(YUNET_N, shared / "models" / "yunet" / FILE, threads=2), YUNET_N)


def assorted() -> list[Image]:
    crops = [np.ascontiguousarray(astronaut()[:height, :width]) for height, width in SIZES]
    return [*crops, hopper(), both(), nobody(), resized(astronaut(), 130), resized(astronaut(), 1500)]


def same(one: Faces, other: Faces) -> None:
    assert len(one) == len(other)
    assert_allclose(one.boxes, other.boxes, atol=0.05)
    assert_allclose(one.landmarks, other.landmarks, atol=0.05)
    assert_allclose(one.confidence, other.confidence, atol=1e-3)


def test_a_batch_gives_what_each_alone_gives(yunet: Yunet) -> None:
    images = assorted()
    together = yunet.detect(images)
    assert sum(map(len, together)) >= 7
    for image, faces in zip(images, together, strict=True):
        same(faces, yunet.detect([image])[0])


@pytest.mark.parametrize(
    ("smallest", "side", "found"),
    [(12, 512, True), (20, 512, True), (40, 512, True), (100, 512, True), (20, 100, True), (12, 100, True),
     (20, 3000, True), (200, 2000, True), (400, 512, False), (10_000, 512, False)],
)  # fmt: skip
def test_the_smallest_face_decides_the_scale(yunet: Yunet, smallest: int, side: int, found: bool) -> None:
    """The face in the photo is about a quarter of its side wide; at 3000 pixels only the second copy can show it."""
    (faces,) = yunet.detect([resized(astronaut(), side)], smallest)
    assert bool(len(faces)) is found
    if found:
        expected = np.array([[176, 67, 269, 181]], np.float32) * np.float32(side / 512)
        assert overlap(faces.boxes[[faces.confidence.argmax()]], expected)[0, 0] > 0.6


def test_each_image_may_have_its_own_smallest_face(yunet: Yunet) -> None:
    photo = resized(astronaut(), 256)  # a face of about 60 pixels
    small, large = yunet.detect([photo, photo], [20, 200])
    assert (len(small), len(large)) == (1, 0)


def test_a_face_that_fills_a_large_photo_is_found_once(yunet: Yunet) -> None:
    tight = resized(np.ascontiguousarray(astronaut()[30:220, 120:310]), 1900)
    (faces,) = yunet.detect([tight])
    assert len(faces) == 1


def test_faces_are_in_the_image_and_in_order(yunet: Yunet) -> None:
    crowd = beside([astronaut(), hopper(), astronaut()])
    (faces,) = yunet.detect([crowd])
    assert len(faces) >= 3
    height, width = crowd.shape[:2]
    assert (faces.boxes >= 0).all()
    assert (faces.boxes <= [width - 1, height - 1] * 2).all()
    assert (np.diff(faces.boxes[:, 0] + faces.boxes[:, 2]) >= 0).all()
    assert ((faces.confidence >= YUNET_N.scale.least) & (faces.confidence <= 1)).all()
    left, right, _, mouth_left, mouth_right = faces.landmarks.transpose(1, 0, 2)
    assert (left[:, 0] < right[:, 0]).all()
    assert (mouth_left[:, 0] < mouth_right[:, 0]).all()
    assert (left[:, 1] < mouth_left[:, 1]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (11, 400), (33, 31), (64, 64)])
def test_images_too_small_or_too_long_for_a_face(yunet: Yunet, shape: tuple[int, int]) -> None:
    (faces,) = yunet.detect([np.full((*shape, 3), 99, np.uint8)], 12)
    assert (faces.boxes.shape, faces.landmarks.shape) == ((0, 4), (0, 5, 2))


def test_no_image_is_no_answer(yunet: Yunet) -> None:
    assert yunet.detect([]) == []
    assert yunet.turns([], []) == []


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_other_precisions_find_the_same_faces(precision: str, shared: Path, yunet: Yunet) -> None:
    try:
        net = OpenVinoYunet(YUNET_N, shared / "models" / "yunet" / FILE, threads=1, precision=precision)
    except EngineUnavailable as error:
        pytest.skip(str(error))
    images = [both(), astronaut(), hopper(), beside([hopper(), astronaut()])]
    for exact, rounded in zip(yunet.detect(images), Yunet(net, YUNET_N).detect(images), strict=True):
        assert len(exact) == len(rounded)
        eyes = np.linalg.norm(exact.landmarks[:, 0] - exact.landmarks[:, 1], axis=-1)
        assert (np.linalg.norm(exact.landmarks - rounded.landmarks, axis=-1).mean(axis=1) / eyes < 0.06).all()
        assert (exact.confidence != rounded.confidence).any()  # it is not simply fp32 again


def test_int8_is_refused_for_another_network(shared: Path) -> None:
    path = shared / "models" / "yunet" / FILE
    with pytest.raises(EngineUnavailable, match="only yunet can"):
        OpenVinoYunet(replace(YUNET_N, name="mine", source="mine.yaml"), path, 1, "int8")


def test_a_lower_least_confidence_changes_no_other_face(shared: Path, yunet: Yunet) -> None:
    net = OpenVinoYunet(YUNET_N, shared / "models" / "yunet" / FILE, threads=1)
    images = [both(), hopper(), nobody()]
    for few, many in zip(yunet.detect(images), Yunet(net, YUNET_N, 0.02).detect(images), strict=True):
        assert len(many) >= len(few)
        same(few, many[np.flatnonzero(many.confidence >= YUNET_N.scale.least)])


@pytest.mark.parametrize("turns", range(4))
def test_the_orientation_of_a_face_is_seen(yunet: Yunet, turns: int) -> None:
    upright = [astronaut(), hopper()]
    found = yunet.detect(upright)
    for image, faces in zip(upright, found, strict=True):
        height, width = image.shape[:2]
        box = faces.boxes[[faces.confidence.argmax()]]
        for _ in range(turns):
            box = np.stack([box[:, 1], width - 1 - box[:, 2], box[:, 3], width - 1 - box[:, 0]], axis=1)
            height, width = width, height
        lying = np.ascontiguousarray(np.rot90(image, turns))
        (odds,) = yunet.turns([lying], [Faces(box, np.zeros((1, 5, 2), np.float32), np.ones(1, np.float32))])
        assert int(odds[0].argmax()) == -turns % 4


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photo_without_an_image_of_a_face_has_no_turns(yunet: Yunet, turns: int) -> None:
    (odds,) = yunet.turns([np.rot90(nobody(), turns)], [Faces.none()])
    assert odds.shape == (0, 4)
