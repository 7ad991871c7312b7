"""The finder scores how live faces are: in the photo as it lies, only where that is asked for, and none where it is off."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facegroup.images.decode import decode
from facegroup.liveness.liveness import Liveness
from facegroup.networks.registry import spec
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.messages import DetectedFaces, Photo, Query
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import Limits, load
from facegroup.types import Image
from studies.presentation_attacks import printed
from tests.photos import encode, resized


@pytest.fixture(scope="module")
def finder(shared: Path) -> Iterator[Finder]:
    settings = load(model_dir=shared / "models", liveness={"model": "minifasnet"})
    finder = open_finder(settings, spec("retail-0095"))
    yield finder
    finder.close()


@pytest.fixture(scope="module")
def person(shared: Path) -> Image:
    """A photo of 600 by 600 pixels of one person."""
    file = shared / "faces/face_recognition_examples/examples/knn_examples/train/biden/biden2.jpg"
    return resized(decode(file.read_bytes(), Limits()).image, 600)


def scored(finder: Finder, *photos: Photo) -> list[Liveness | None]:
    found = finder.find(photos)
    assert all(isinstance(each, DetectedFaces) and len(each.faces) >= 1 for each in found), found
    return [each.liveness for each in found if isinstance(each, DetectedFaces)]


def test_a_person_is_live_and_a_print_of_them_is_not(finder: Finder, person: Image) -> None:
    copy = printed(person, np.random.default_rng(0))
    live, attack = scored(finder, Photo(encode(person)), Photo(encode(copy)))
    assert live is not None
    assert attack is not None
    assert live.live.tolist() == [True]
    assert attack.live.tolist() == [False]
    assert attack.reasons == ("not_live",)


def test_a_face_is_looked_at_upright(finder: Finder, person: Image) -> None:
    """A photo that lies on its side, and one that had to be searched with a border, have their surroundings upright."""
    upright, lying = scored(finder, Photo(encode(person)), Photo(encode(np.rot90(person)), upright=True))
    assert upright is not None
    assert lying is not None
    assert lying.scores == pytest.approx(upright.scores, abs=0.1)


def test_a_small_face_has_no_score(finder: Finder, person: Image) -> None:
    (liveness,), about = scored(finder, Photo(encode(resized(person, 80), "PNG"))), finder.liveness
    assert liveness is not None
    assert np.isnan(liveness.scores).tolist() == [True]
    assert (liveness.live.tolist(), liveness.reasons) == ([False], ("face_too_small",))
    assert about is not None
    assert about["min_face_size"] == 40


def test_faces_are_scored_where_that_is_asked_for(finder: Finder, person: Image) -> None:
    data = encode(resized(person, 400))
    query = Query("group")
    (known,) = finder.find([Photo(data)])
    assert isinstance(known, DetectedFaces)
    photos = {
        "described": Photo(data),
        "searched": Photo.asking(query, data),
        "only detected": Photo(data, embed=False),
        "known faces": Photo(data, faces=known.faces, query=query, background=True),
        "unasked": Photo.asking(Query("group", liveness=False), data),
        "frame that is only tracked": Photo(data, embed=False, background=True),
    }
    liveness = dict(zip(photos, scored(finder, *photos.values()), strict=True))
    assert {name for name, each in liveness.items() if each is None} == {"unasked", "frame that is only tracked"}
    for each in liveness.values():
        assert each is None or each.scores == pytest.approx(known.liveness.scores if known.liveness else None, abs=1e-4)


def test_off_loads_nothing_and_scores_nothing(tmp_path: Path, person: Image) -> None:
    settings = load(model_dir=tmp_path / "none", cache_dir=tmp_path)
    finder = open_finder(settings, spec("retail-0095"))
    try:
        assert scored(finder, Photo(encode(resized(person, 400)))) == [None]
        assert finder.liveness is None
    finally:
        finder.close()
