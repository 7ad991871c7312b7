"""Photos asked of detectors until each has its answer; and answers that are cut where a call would be too large."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from deployments.detector_calls import Answer, look, that_fit
from facegroup.errors import NotAnImage
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult, Quality
from facegroup.types import Candidate, Faces, Match


def seen(size: int, *, descriptors: int = 0, candidates: int = 0) -> PhotoResult:
    """Return an answer with crops of so many bytes, or so many descriptors of 1,000 bytes, or candidates."""
    quality = Quality(*(np.empty(0, np.float32) for _ in Quality.__slots__))
    match = Match(None, "", 0, 0, None, (Candidate("a", "Ann", 0.5),) * candidates)
    return PhotoResult(
        *(1, 1, Faces.none(), quality),
        np.empty((descriptors, 250), np.float32),
        (bytes(size),),
        PhotoMatches((match,), 1, 0.4),
    )


@pytest.mark.parametrize(
    ("sizes", "fitting"),
    [
        ([100_000] * 5, [True] * 5),
        ([400_000] * 5, [True, True, False, False, False]),
        ([2_000_000, 100], [True, False]),
        ([900_000, 400_000, 50_000], [True, False, True]),
        ([], []),
    ],
)
def test_answers_are_cut_in_bytes(sizes: list[int], fitting: list[bool]) -> None:
    answers = [seen(size) for size in sizes]
    cut = that_fit(answers, 1_000_000)
    assert [each is not None for each in cut] == fitting
    assert all(each in (None, answer) for each, answer in zip(cut, answers, strict=True))


def test_everything_that_an_answer_carries_counts() -> None:
    error = NotAnImage("it is none")
    assert that_fit([seen(0, descriptors=900), error, seen(0, descriptors=900)], 1_000_000)[1:] == [error, None]
    assert that_fit([seen(0, candidates=500), error, seen(0, candidates=500)], 1_000_000)[1:] == [error, None]
    assert that_fit([None, error], 1_000_000) == [None, error]


class Detector:
    """Answers so many photos of a call, and remembers the calls."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.calls: list[list[tuple[bytes, str]]] = []

    async def see(self, photos: Sequence[Photo]) -> list[Answer]:
        self.calls.append([(photo.data, photo.request) for photo in photos])
        answers = [NotAnImage(photo.data.decode()) for photo in photos]
        return [answer if index < self.most else None for index, answer in enumerate(answers)]


@pytest.mark.parametrize("most", [1, 2, 3, 9])
@pytest.mark.parametrize("request_id", ["", "large"])
def test_each_photo_gets_its_answer_in_its_place(most: int, request_id: str) -> None:
    detector = Detector(most)
    photos = [Photo(b"%d" % number, request=request_id) for number in range(7)]
    answers = asyncio.run(look(detector.see, photos))
    assert [str(answer) for answer in answers] == [str(number) for number in range(7)]
    assert len(detector.calls) == -(-7 // most)
    again = {request for call in detector.calls[1:] for _, request in call}
    assert len(again) == (1 if detector.calls[1:] else 0)
    assert "" not in again
    assert not request_id or again <= {request_id}


def test_frames_of_all_cameras_take_turns_as_one() -> None:
    detector = Detector(1)
    for camera in range(3):
        answers = asyncio.run(look(detector.see, [Photo(b"%d" % camera, background=True)] * 3))
        assert [str(answer) for answer in answers] == [str(camera)] * 3
    again = {request for call in detector.calls for _, request in call} - {""}
    assert len(again) == 1
    asyncio.run(look(detector.see, [Photo(b"of a request")] * 2))
    assert detector.calls[-1][0][1] not in again


def test_nothing_is_asked_of_no_photos() -> None:
    assert asyncio.run(look(Detector(1).see, [])) == []
