"""Photos scaled down until the face has a given height, and the rates of searches with them."""

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from facegroup.errors import MalformedRequest
from facegroup.evaluation import identification, small_faces
from facegroup.networks.registry import spec
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import load
from tests.photos import astronaut, encode, hopper, nobody, resized


@pytest.fixture(scope="module")
def finder() -> Iterator[Finder]:
    made = open_finder(load(network="retail-0095"), spec("retail-0095"))
    yield made
    made.close()


def size(data: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(data)).size


@pytest.mark.parametrize("height", [20, 30, 50])
def test_the_face_has_the_height_that_is_asked_for(finder: Finder, height: int) -> None:
    photos = [encode(resized(astronaut(), 512)), encode(resized(hopper(), 600))]
    small = small_faces.scaled(finder, photos, height)
    for data, scaled, found in zip(photos, small, finder.find([Photo(each) for each in photos]), strict=True):
        assert isinstance(found, DetectedFaces)
        _, top, _, bottom = found.faces.boxes[0]
        factor = size(scaled)[1] / size(data)[1]
        assert factor * (bottom - top) == pytest.approx(height, abs=height / 20)
        assert size(scaled)[0] / size(data)[0] == pytest.approx(factor, rel=0.05)


def test_what_cannot_be_scaled_down_stays(finder: Finder) -> None:
    photos = [encode(nobody()), b"no photo", b"", encode(resized(astronaut(), 512))]
    assert small_faces.scaled(finder, photos, 900) == photos
    assert small_faces.scaled(finder, photos, 40)[:3] == photos[:3]
    assert small_faces.scaled(finder, [], 40) == []


@pytest.mark.parametrize("height", [0, -1, 11, 1001])
def test_a_height_that_cannot_be_is_refused(height: int) -> None:
    with pytest.raises(MalformedRequest, match="12 to 1000"):
        small_faces.check_height(height)
    small_faces.check_height(None)
    small_faces.check_height(12)


def test_members_are_enrolled_with_other_photos_than_they_are_searched_with() -> None:
    random = np.random.default_rng(0)
    good = random.normal(size=(8, 16)).astype(np.float32)
    members, strangers = [[0, 1], [2, 3], [4, 5]], [6, 7]
    for first, second in members:
        good[second] = good[first]
    small = good.copy()
    small[[1, 0]] = 0  # nothing is found in the small photos of the first member
    plain = identification.search(good, members, strangers, 1, 0)
    scaled = identification.search(small, members, strangers, 1, 0, enrolled=good)
    assert plain.searches.mated.min() > 0.99
    assert scaled.unenrolled == ()
    assert np.isinf(scaled.searches.mated).tolist() == [True, False, False]
    assert identification.search(small, members, strangers, 1, 0).unenrolled == (0,)
