"""What crosses from stage to stage, joined and split again: whatever the batch, each photo gets its own back."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from facegroup.errors import FacegroupError, NotAnImage, UnknownGallery
from facegroup.liveness.liveness import Liveness
from facegroup.networks.alignment import from_jpeg
from facegroup.pipeline import batches as pipeline
from facegroup.pipeline.messages import DetectedFaces, Photo, PhotoMatches, PhotoResult, Quality, Query
from facegroup.pipeline.quality_policies import LIMITS
from facegroup.types import NOT_IN_DATASET, Descriptors, Faces, Floats, Match

SIZE, D = 4, 3
QUERY = Query("group")


def found(number: int, count: int) -> DetectedFaces:
    """A photo of `count` faces, whose crops say which photo and face they are."""
    zeros: Floats = np.zeros(count, np.float32)
    faces = Faces(np.zeros((count, 4), np.float32), np.zeros((count, 5, 2), np.float32), zeros)
    crops = np.empty((count, SIZE, SIZE, 3), np.uint8)
    crops[:] = 16 * number + np.arange(count)[:, None, None, None]
    quality = Quality(*[zeros + 16 * number] * len(Quality.__slots__))
    liveness = Liveness.judged(zeros + 16 * number, 0.5) if number % 2 else None
    return DetectedFaces(100 + number, 200, faces, quality, crops, liveness=liveness)


def embed(cut: pipeline.CropBatch) -> Descriptors:
    """Descriptors that say which crop they are of."""
    return np.repeat(cut.crops[:, 0, 0, :1].astype(np.float32), D, axis=1)


def match(
    probes: Descriptors, asked: list[tuple[Query, int]], grades: Floats, liveness: Floats
) -> list[PhotoMatches | FacegroupError]:
    """Decisions that say which descriptor they are of; nobody knows the gallery `nowhere`."""
    assert grades.shape == (len(probes), len(LIMITS))
    # A face's grades go where its descriptor goes: all of a photo's parts are its number.
    sizes = next(place for place, limit in enumerate(LIMITS) if limit.part == "size")
    low, high = LIMITS[sizes].standard, LIMITS[sizes].strict
    numbers = (grades[:, sizes] - 0.5) * 2 * (high - low) + low
    np.testing.assert_allclose(numbers, probes[:, 0] // 16 * 16, atol=0.01)
    # So does its liveness, which every second photo has.
    assert_array_equal(liveness, np.where(probes[:, 0] // 16 % 2, probes[:, 0] // 16 * 16, np.nan))
    answers: list[PhotoMatches | FacegroupError] = []
    start = 0
    for query, count in asked:
        rows = probes[start : start + count, 0].tolist()
        start += count
        named = tuple(Match(None, NOT_IN_DATASET, value, 0.4, None) for value in rows)
        answers.append(UnknownGallery() if query.gallery == "nowhere" else PhotoMatches(named, 1, 0.4))
    assert start == len(probes)
    return answers


kinds = st.fixed_dictionaries(
    {
        "faces": st.one_of(st.none(), st.integers(0, 4)),
        "embed": st.booleans(),
        "crops": st.booleans(),
        "gallery": st.sampled_from(["", "group", "nowhere"]),
    }
)


@settings(deadline=None)
@given(batches=st.lists(st.lists(kinds, max_size=5), min_size=1, max_size=4))
def test_each_photo_gets_its_own_back(batches: list[list[dict[str, int | bool | str | None]]]) -> None:
    """Several detectors' batches meet in one embedder's, and part again."""
    all_photos, all_found, cuts = [], [], []
    for batch in batches:
        photos = [
            Photo(
                b"",
                embed=bool(k["embed"]),
                crops=bool(k["crops"]),
                query=Query(str(k["gallery"])) if k["gallery"] else None,
            )
            for k in batch
        ]
        here: list[DetectedFaces | FacegroupError] = [
            NotAnImage(str(number)) if k["faces"] is None else found(number, int(k["faces"]))
            for number, k in enumerate(batch)
        ]
        all_photos.append(photos)
        all_found.append(here)
        cuts.append(pipeline.cut(photos, here, SIZE))
    joined = pipeline.join(cuts)
    descriptors = embed(joined)
    answers = pipeline.embedded(joined, descriptors, match(*pipeline.asked(joined, descriptors)))
    for photos, here, back in zip(all_photos, all_found, pipeline.split(cuts, answers), strict=True):
        for photo, each, seen in zip(photos, here, pipeline.seen(photos, here, back), strict=True):
            if isinstance(each, FacegroupError):
                assert seen is each
                continue
            assert isinstance(seen, PhotoResult)
            assert (seen.width, seen.height, seen.faces) == (each.width, each.height, each.faces)
            assert seen.liveness is each.liveness
            marks = each.crops[:, 0, 0, 0].astype(np.float32)
            if photo.embed:
                assert seen.descriptors is not None
                assert_array_equal(seen.descriptors, np.repeat(marks[:, None], D, axis=1))
            else:
                assert seen.descriptors is None
            if photo.query is None:
                assert seen.matched is None
            elif photo.query.gallery == "nowhere":
                assert isinstance(seen.matched, UnknownGallery)
            else:
                assert isinstance(seen.matched, PhotoMatches)
                assert [each.similarity for each in seen.matched.matches] == marks.tolist()
            if photo.crops:
                assert [from_jpeg(crop)[0, 0, 0] for crop in seen.crops or ()] == pytest.approx(marks.tolist(), abs=3)
            else:
                assert seen.crops is None


def test_a_photo_that_wants_only_faces_does_not_reach_the_network() -> None:
    photos = [Photo(b"", embed=False), Photo(b""), Photo(b"", embed=False, query=QUERY)]
    cut = pipeline.cut(photos, [found(0, 2), found(1, 1), found(2, 3)], SIZE)
    assert (cut.counts, cut.queries, cut.keep, len(cut)) == ((1, 3), (None, QUERY), (True, False), 4)


def test_nothing_to_embed_is_an_empty_cut() -> None:
    cut = pipeline.cut([Photo(b"")], [NotAnImage()], SIZE)
    assert (cut.crops.shape, cut.counts) == ((0, SIZE, SIZE, 3), ())
    descriptors, asked, grades, liveness = pipeline.asked(cut, np.empty((0, D), np.float32))
    assert (descriptors.shape, asked, grades.shape, liveness.shape) == ((0, D), [], (0, len(LIMITS)), (0,))
    assert pipeline.embedded(cut, descriptors, []) == []


@given(counts=st.lists(st.one_of(st.none(), st.integers(0, 6)), max_size=8), most=st.integers(1, 9))
def test_a_batch_in_portions_is_the_same_batch(counts: list[int | None], most: int) -> None:
    photos = [Photo(b"", embed=index % 4 > 0) for index in range(len(counts))]
    batch = [NotAnImage() if count is None else found(index, count) for index, count in enumerate(counts)]
    whole = pipeline.cut(photos, batch, SIZE)
    parts = [pipeline.cut(photos[some], batch[some], SIZE) for some in pipeline.portions(photos, batch, most)]
    assert [count for part in parts for count in part.counts] == list(whole.counts)
    assert_array_equal(np.concatenate([part.crops for part in parts]), whole.crops)
    for part in parts:
        assert len(part) <= most or len(part.counts) == 1
    for one, other in pairwise(parts):
        assert len(one) + next((count for count in other.counts if count), 0) > most  # no more portions than needed


def test_crops_of_a_batch_are_not_copied_where_there_is_one() -> None:
    cut = pipeline.cut([Photo(b"")], [found(0, 2)], SIZE)
    assert pipeline.join([cut]).crops is cut.crops
    assert pipeline.join([cut, replace(cut)]).counts == (2, 2)
