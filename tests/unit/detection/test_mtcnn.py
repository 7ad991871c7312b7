"""The detector against the mtcnn package, image by image; and what the package cannot do: batches, odd sizes."""

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from PIL import Image as pillow

from facegroup.detection.boxes import overlap
from facegroup.detection.mtcnn import Mtcnn
from facegroup.detection.nets_openvino import OpenVinoNets
from facegroup.evaluation.average_precision import average_precision
from facegroup.types import Faces, Image
from tests.photos import astronaut, beside, both, hopper, nobody, resized

Detect = Callable[[Image, int], Faces]


@pytest.fixture(scope="module")
def mtcnn() -> Mtcnn:
    return Mtcnn(OpenVinoNets(threads=2))


@pytest.fixture(scope="module")
def package() -> Iterator[Detect]:
    """The mtcnn package, which imports TensorFlow; its answer as ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mtcnn import MTCNN

        detector = MTCNN(device="CPU:0")

        def detect(image: Image, min_face_size: int) -> Faces:
            rows = detector.detect_faces(image, min_face_size=min_face_size, box_format="xyxy", output_type="numpy")
            rows = rows[np.argsort(rows[:, 1] + rows[:, 3], kind="stable")].astype(np.float32)
            points = rows[:, 6:16].reshape(-1, 2, 5).transpose(0, 2, 1)
            return Faces(rows[:, 1:5], points, rows[:, 5])

        yield detect


def read(path: Path, side: int = 640) -> Image:
    """A photo, no larger than this: the package takes gigabytes for large ones."""
    with pillow.open(path) as photo:
        image = np.array(photo.convert("RGB"))
    return resized(image, side) if max(image.shape) > side else image


def paired(ours: Faces, theirs: Faces) -> list[tuple[int, int]]:
    """Faces of confidence ≥ 0.95 of either, each with the other's face in the same place."""
    between = overlap(ours.boxes, theirs.boxes)
    for index in np.flatnonzero(ours.confidence >= 0.95):
        assert between[index].max(initial=0) >= 0.7, f"only we find {ours.boxes[index]} ({ours.confidence[index]:.3f})"
    pairs = []
    for index in np.flatnonzero(theirs.confidence >= 0.95):
        best = between[:, index].argmax() if len(ours) else -1
        assert len(ours), f"only the package finds {theirs.boxes[index]}"
        assert between[best, index] >= 0.7, (
            f"only the package finds {theirs.boxes[index]} ({theirs.confidence[index]:.3f})"
        )
        pairs.append((int(best), int(index)))
    return pairs


def apart(ours: Faces, theirs: Faces, pairs: list[tuple[int, int]]) -> list[float]:
    """How far landmarks are from those of the package, in eye distances."""
    found = []
    for one, other in pairs:
        eyes = np.linalg.norm(theirs.landmarks[other, 0] - theirs.landmarks[other, 1])
        found += (np.linalg.norm(ours.landmarks[one] - theirs.landmarks[other], axis=1) / eyes).tolist()
    return found


def agree(mtcnn: Mtcnn, package: Detect, images: list[Image], smallest: int = 20) -> int:
    distances: list[float] = []
    for image, ours in zip(images, mtcnn.detect(images, smallest), strict=True):
        theirs = package(image, smallest)
        distances += apart(ours, theirs, paired(ours, theirs))
    if distances:
        assert np.median(distances) <= 0.02
    return len(distances) // 5


def test_the_same_faces_as_the_package(mtcnn: Mtcnn, package: Detect) -> None:
    photos = [astronaut(), hopper(), both(), nobody(), astronaut()[:, ::-1].copy(), resized(hopper(), 200)]
    assert agree(mtcnn, package, photos) >= 6


@pytest.mark.parametrize("smallest", [12, 24])
def test_the_same_faces_of_other_sizes(mtcnn: Mtcnn, package: Detect, smallest: int) -> None:
    """Of 40 the package finds nothing here: at some sizes its last scale has no room for its second pooling."""
    crowd = beside([resized(astronaut(), side) for side in (90, 128, 200, 300)])
    agree(mtcnn, package, [astronaut(), crowd], smallest)


def test_the_same_faces_in_lfw(mtcnn: Mtcnn, package: Detect, shared: Path) -> None:
    people = sorted((shared / "faces" / "lfw_deepfunneled").iterdir())[::90]
    photos = [read(sorted(person.glob("*.jpg"))[0]) for person in people]
    assert len(photos) >= 15
    assert agree(mtcnn, package, photos) >= len(photos)


def test_the_same_faces_in_groups(mtcnn: Mtcnn, package: Detect, shared: Path) -> None:
    photos = [read(path) for path in sorted((shared / "faces" / "compreface" / "sample_images").glob("*.jpg"))[::3]]
    assert agree(mtcnn, package, photos) >= 6


@pytest.mark.parametrize("side", [640, pytest.param(1024, marks=pytest.mark.slow)])
def test_as_precise_as_the_package_in_crowds(mtcnn: Mtcnn, package: Detect, shared: Path, side: int) -> None:
    """On the boxes of WIDER FACE, which people drew. A face more or less is 0.001."""
    folder = shared / "faces" / "wider_face"
    found, theirs, truth, invalid = [], [], [], []
    for name, rows in json.loads((folder / "gt_public.json").read_text()).items():
        path = folder / "WIDER_val" / "images" / name
        image = read(path, side)
        with pillow.open(path) as photo:
            scale = image.shape[1] / photo.width
        boxes = np.array([row["box"] for row in rows], np.float32).reshape(-1, 4) * np.float32(scale)
        boxes[:, 2:] += boxes[:, :2]
        ignored = np.array([row["invalid"] for row in rows], bool)
        truth.append(boxes[~ignored])
        invalid.append(boxes[ignored])
        found += mtcnn.detect([image])
        theirs.append(package(image, 20))
    assert sum(map(len, truth)) > 500
    ours, expected = (average_precision(each, truth, invalid) for each in (found, theirs))
    print(f"\naverage precision: ours {ours:.4f}, the package's {expected:.4f}")
    assert ours >= expected - 1e-9  # of equal faces it is a sum of the same parts


SIZES = [(512, 512), (600, 512), (250, 250), (100, 700), (1, 1), (11, 11), (12, 12), (37, 900), (3000, 1), (20, 20)]


def assorted() -> list[Image]:
    """Photos of many sizes, some with faces."""
    crops = [np.ascontiguousarray(astronaut()[:height, :width]) for height, width in SIZES]
    return [*crops, hopper(), both(), nobody(), resized(astronaut(), 130)]


def test_a_batch_gives_what_each_alone_gives(mtcnn: Mtcnn) -> None:
    images = assorted()
    together = mtcnn.detect(images)
    assert sum(map(len, together)) >= 6
    for image, faces in zip(images, together, strict=True):
        (alone,) = mtcnn.detect([image])
        same(faces, alone)


def test_each_image_may_have_its_own_smallest_face(mtcnn: Mtcnn) -> None:
    photo = resized(astronaut(), 256)  # a face of about 60 pixels
    small, large = mtcnn.detect([photo, photo], [20, 120])
    assert (len(small), len(large)) == (1, 0)
    same(small, mtcnn.detect([photo])[0])


def same(one: Faces, other: Faces) -> None:
    assert len(one) == len(other)
    assert_allclose(one.boxes, other.boxes, atol=0.05)
    assert_allclose(one.landmarks, other.landmarks, atol=0.05)
    assert_allclose(one.confidence, other.confidence, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (11, 11), (11, 400), (12, 12), (13, 4000), (64, 64)])
def test_images_too_small_or_too_long_for_a_face(mtcnn: Mtcnn, shape: tuple[int, int]) -> None:
    (faces,) = mtcnn.detect([np.full((*shape, 3), 99, np.uint8)], 12)
    assert len(faces) == 0
    assert (faces.boxes.shape, faces.landmarks.shape) == ((0, 4), (0, 5, 2))


def test_no_image_is_no_answer(mtcnn: Mtcnn) -> None:
    assert mtcnn.detect([]) == []


@pytest.mark.parametrize(
    ("smallest", "side", "found"),
    [(12, 512, True), (20, 512, True), (40, 512, True), (100, 512, True), (400, 512, False), (200, 2000, True),
     (12, 100, True), (300, 512, False), (10_000, 512, False)],
)  # fmt: skip
def test_the_smallest_face_looked_for(mtcnn: Mtcnn, smallest: int, side: int, found: bool) -> None:
    """The face in the photo is about a quarter of its side wide."""
    (faces,) = mtcnn.detect([resized(astronaut(), side)], smallest)
    assert bool((faces.confidence > 0.9).any()) is found
    if found:
        best = faces.boxes[faces.confidence.argmax()]
        expected = np.array([[176, 67, 269, 181]], np.float32) * np.float32(side / 512)
        assert overlap(best[None], expected)[0, 0] > 0.6


def test_faces_are_in_the_image_and_in_order(mtcnn: Mtcnn) -> None:
    tight = np.ascontiguousarray(astronaut()[70:170, 180:260])  # the face fills it
    crowd = beside([astronaut(), hopper(), astronaut()])
    for image in (tight, crowd):
        (faces,) = mtcnn.detect([image])
        assert len(faces) >= 1
        height, width = image.shape[:2]
        assert (faces.boxes >= 0).all()
        assert (faces.boxes <= [width - 1, height - 1] * 2).all()
        assert (faces.boxes[:, :2] < faces.boxes[:, 2:]).all()
        assert (np.diff(faces.boxes[:, 0] + faces.boxes[:, 2]) >= 0).all()
        assert ((faces.confidence > 0.8) & (faces.confidence <= 1)).all()
        left, right, _, mouth_left, mouth_right = faces.landmarks.transpose(1, 0, 2)
        assert (left[:, 0] < right[:, 0]).all()
        assert (mouth_left[:, 0] < mouth_right[:, 0]).all()
        assert (left[:, 1] < mouth_left[:, 1]).all()


def test_an_image_that_cannot_be_written_to_is_taken(mtcnn: Mtcnn) -> None:
    image = astronaut().copy()
    image.flags.writeable = False
    assert len(mtcnn.detect([image])[0]) == 1
