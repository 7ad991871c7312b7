"""The detector's process on a finder and an embedder that do as they are told: who is served when, and who no more."""

import asyncio
import threading
import warnings
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from deployments.detector_calls import look
from deployments.shared_crops import SharedCrops, open_shared
from facegroup.errors import FacegroupError, ImageError, NotAnImage, TimedOut
from facegroup.images.decode import Decoded
from facegroup.pipeline.batches import CropAnswers, CropBatch
from facegroup.pipeline.cost import TOGETHER
from facegroup.pipeline.finder import GIVEN_UP
from facegroup.pipeline.messages import DetectedFaces, Photo, PhotoMatches, PhotoResult, Quality, Query
from facegroup.settings import load
from facegroup.types import Descriptors, Faces, Floats, Match

with warnings.catch_warnings():  # Ray's own, of pydantic
    warnings.simplefilter("ignore")
    from deployments import detector as module
    from deployments.calls import call
    from deployments.detector import Detector
    from deployments.watch import AHEAD

SIZE = 128
"""Of the crops of retail-0095."""

LARGE = TOGETHER * 4e6
"""What a photo costs that is a batch by itself."""


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


class Finder:
    """Finds as many faces in a photo as its bytes say; decodes a photo of a large request when `open` is set."""

    def __init__(self) -> None:
        self.open, self.decoding = threading.Event(), threading.Event()
        self.open.set()
        self.decoded: list[bytes] = []
        self.found: list[bytes] = []
        self.side = 2000

    def beside(self) -> "Finder":
        return self

    def warm(self) -> None:
        pass

    def about(self) -> dict[str, str]:
        return {}

    def decode(self, photo: Photo) -> Decoded | ImageError:
        self.decoding.set()
        self.open.wait(30)
        self.decoded.append(photo.data)
        return Decoded(np.empty((self.side, self.side, 3), np.uint8), 1, self.side, self.side)

    def find(
        self, photos: Sequence[Photo], pictures: Sequence[Any] | None, wanted: Callable[[int], bool]
    ) -> list[DetectedFaces | ImageError]:
        self.found += [photo.data for index, photo in enumerate(photos) if wanted(index)]
        given = pictures or [None] * len(photos)
        return [
            each if isinstance(each, ImageError) else self._found(photo)
            for photo, each in zip(photos, given, strict=True)
        ]

    @staticmethod
    def _found(photo: Photo) -> DetectedFaces | ImageError:
        if not photo.data.isdigit():
            return NotAnImage("it is none")
        n = int(photo.data)
        faces = Faces(np.zeros((n, 4), np.float32), np.zeros((n, 5, 2), np.float32), np.ones(n, np.float32))
        quality = Quality(*(np.zeros(n, np.float32) for _ in Quality.__slots__))
        return DetectedFaces(9, 9, faces, quality, np.zeros((n, SIZE, SIZE, 3), np.uint8))


class Embedder:
    """A handle of an embedder; it embeds when `open` is set."""

    replicas = 1

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.cuts: list[int] = []
        self.queries: list[int] = []
        self.matched: list[int] = []

    def options(self, **_: Any) -> "Embedder":
        return self

    @property
    def embed(self) -> Any:
        return _Remote(self._embed)

    @property
    def match(self) -> Any:
        return _Remote(self._match)

    async def _embed(self, cut: CropBatch | SharedCrops) -> list[CropAnswers] | None:
        here = open_shared(cut) if isinstance(cut, SharedCrops) else cut
        assert here is not None
        self.cuts.append(len(here))
        self.queries.append(sum(query is not None for query in here.queries))
        await self.open.wait()
        return self._answer(here)

    def _answer(self, here: CropBatch) -> list[CropAnswers]:
        return [
            CropAnswers(np.ones((count, 256), np.float32) if keep else None, self._decided(count) if query else None)
            for count, keep, query in zip(here.counts, here.keep, here.queries, strict=True)
        ]

    async def _match(self, descriptors: Descriptors, query: Query, grades: Floats, liveness: Floats) -> PhotoMatches:
        assert len(grades) == len(liveness) == len(descriptors)
        self.matched.append(len(descriptors))
        return self._decided(len(descriptors))

    @staticmethod
    def _decided(count: int) -> PhotoMatches:
        return PhotoMatches((Match(None, "", 0, 0, None),) * count, 1, 0.4)


class _Remote:
    def __init__(self, remote: Callable[..., Any]) -> None:
        self.remote = remote


@pytest.fixture
def finder(monkeypatch: pytest.MonkeyPatch) -> Finder:
    made = Finder()
    monkeypatch.setattr("facegroup.pipeline.open_finder.open_finder", lambda settings, spec: made)
    monkeypatch.setattr(module, "replicas", lambda handle: handle.replicas)
    monkeypatch.setattr(module, "configure", lambda settings: None)
    return made


def made(embedder: Embedder, **detector: Any) -> Detector:
    settings = load(network="retail-0095", store="sqlite:///unused.db", detector=detector or {"threads": 2})
    return Detector(settings, embedder)  # type: ignore[arg-type]


def photos(*faces: int | bytes, request: str = "", query: Query | None = None) -> list[Photo]:
    data = [each if isinstance(each, bytes) else b"%d" % each for each in faces]
    return [
        Photo(each, embed=query is None, query=query, request=request, cost=LARGE if request else 1e5) for each in data
    ]


def faces(answer: Any) -> int:
    assert isinstance(answer, PhotoResult)
    return len(answer.faces)


async def begun(finder: Finder) -> None:
    assert await asyncio.to_thread(finder.decoding.wait, 30)


def test_small_requests_pass_a_large_one(finder: Finder) -> None:
    async def scenario() -> None:
        detector = made(Embedder())
        finder.open.clear()
        large = asyncio.ensure_future(detector.see(photos(*[1] * 20, request="large"), 50))
        await begun(finder)
        for _ in range(3):
            answers = await asyncio.gather(*(detector.see(photos(2, 3), 50) for _ in range(8)))
            assert [[faces(each) for each in answer] for answer in answers] == [[2, 3]] * 8
        assert not large.done()
        assert finder.decoded == []
        finder.open.set()
        assert [faces(each) for each in await large] == [1] * 20

    run(scenario)


@pytest.mark.parametrize("late", ["cancelled", "deadline"])
def test_nothing_more_is_decoded_when_nobody_waits(finder: Finder, late: str) -> None:
    async def scenario() -> None:
        detector = made(Embedder())
        finder.open.clear()
        seconds = 50 if late == "cancelled" else 0.2
        large = asyncio.ensure_future(call(detector.see(photos(*[1] * 20, request="large"), seconds)))
        other = asyncio.ensure_future(detector.see(photos(*[2] * 3, request="other"), 50))
        await begun(finder)
        if late == "cancelled":
            large.cancel()
        with pytest.raises(asyncio.CancelledError if late == "cancelled" else TimedOut):
            await large
        finder.open.set()
        assert [faces(each) for each in await other] == [2] * 3
        assert finder.decoded.count(b"1") <= 1
        assert finder.found == [b"2"] * 3

    run(scenario)


def test_within_a_batch_too_nothing_more_is_decoded(finder: Finder) -> None:
    """Photos that cost so little that many are one batch."""

    async def scenario() -> None:
        detector = made(Embedder())
        cheap = [Photo(b"1", request="large", cost=1e5) for _ in range(16)]
        finder.open.clear()
        large = asyncio.ensure_future(detector.see(cheap, 50))
        await begun(finder)
        large.cancel()
        await asyncio.gather(large, return_exceptions=True)
        finder.open.set()
        assert [faces(each) for each in await detector.see(photos(2, request="other"), 50)] == [2]
        assert finder.decoded.count(b"1") <= 1

    run(scenario)


def test_large_requests_take_turns(finder: Finder) -> None:
    async def scenario() -> None:
        detector = made(Embedder())
        finder.open.clear()
        asked = [asyncio.ensure_future(detector.see(photos(*[n] * 4, request=str(n)), 50)) for n in (1, 2, 3)]
        await begun(finder)
        finder.open.set()
        await asyncio.gather(*asked)
        assert finder.decoded == [b"1", b"2", b"3"] * 4

    run(scenario)


@pytest.mark.parametrize("requests", [1, 2, 3])
def test_frames_that_are_asked_again_wait_for_large_requests(finder: Finder, requests: int) -> None:
    async def scenario() -> None:
        detector = made(Embedder())
        frames = [replace(photo, background=True, cost=1e5) for photo in photos(8, 9, request="cameras")]
        finder.open.clear()
        first = asyncio.ensure_future(detector.see(photos(1, request="first"), 50))
        await begun(finder)
        late = asyncio.ensure_future(detector.see(frames, 50))
        await asyncio.sleep(0)
        asked = [asyncio.ensure_future(detector.see(photos(2, request=str(n)), 50)) for n in range(requests)]
        await asyncio.sleep(0)
        finder.open.set()
        await asyncio.gather(first, *asked)
        assert [faces(each) for each in await late] == [8, 9]
        assert finder.decoded == [b"1"] + [b"2"] * requests + [b"8", b"9"]

    run(scenario)


@pytest.mark.parametrize("query", [None, Query("group")])
def test_a_crowd_is_embedded_in_parts_and_decided_whole(finder: Finder, query: Query | None) -> None:
    async def scenario() -> None:
        embedder = Embedder()
        detector = made(embedder)
        (answer,) = await detector.see(photos(250, request="large", query=query), 50)
        assert faces(answer) == 250
        assert sum(embedder.cuts) == 250
        assert max(embedder.cuts) <= 16
        assert isinstance(answer, PhotoResult)
        if query is None:
            assert answer.descriptors is not None
            assert (len(answer.descriptors), answer.matched, embedder.matched) == (250, None, [])
        else:
            assert isinstance(answer.matched, PhotoMatches)
            assert (len(answer.matched.matches), answer.descriptors, embedder.matched) == (250, None, [250])
        assert sum(embedder.queries) == 0

    run(scenario)


@pytest.mark.parametrize("query", [None, Query("group")])
@pytest.mark.parametrize(
    "counts",
    [(0, 17), (40, 0), (0, 40, 3), (17, 0, 0, 5), (0, 0, 250), (40, b"none", 0), (b"none", 17), (17, 17), (40, 0, 40)],
)
def test_a_crowd_may_be_next_to_photos_without_faces(
    finder: Finder, counts: tuple[int | bytes, ...], query: Query | None
) -> None:
    finder.side = 100  # so that all are looked through at once

    async def scenario() -> None:
        asked = [replace(photo, cost=1e5) for photo in photos(*counts, request="large", query=query)]
        answers = await made(Embedder()).see(asked, 50)
        for count, answer in zip(counts, answers, strict=True):
            if isinstance(count, bytes):
                assert isinstance(answer, NotAnImage)
                continue
            assert isinstance(answer, PhotoResult)
            assert faces(answer) == count
            named = answer.descriptors if isinstance(answer.matched, FacegroupError | None) else answer.matched.matches
            assert named is not None
            assert len(named) == count

    run(scenario)


class OneHangs(Embedder):
    """A handle of two embedders, one of which answers no call while `open` is not set."""

    replicas = 2

    def __init__(self) -> None:
        super().__init__()
        self.hung = 0

    async def _embed(self, cut: CropBatch | SharedCrops) -> list[CropAnswers] | None:
        here = open_shared(cut) if isinstance(cut, SharedCrops) else cut
        assert here is not None
        if self.hung < AHEAD:
            self.hung += 1
            await self.open.wait()
        return self._answer(here)


@pytest.mark.parametrize("request_", ["", "large"])
def test_an_embedder_that_hangs_blocks_nobody_else(finder: Finder, request_: str) -> None:
    async def scenario() -> None:
        embedder = OneHangs()
        detector = made(embedder)
        embedder.open.clear()
        hung = []
        for number in range(AHEAD):
            hung.append(asyncio.ensure_future(detector.see(photos(1, request=request_ and f"{request_}{number}"), 50)))
            while embedder.hung <= number:
                await asyncio.sleep(0.01)
        for _ in range(5):
            assert [faces(each) for each in await detector.see(photos(2, 3), 50)] == [2, 3]
        assert not any(each.done() for each in hung)
        embedder.open.set()
        assert [[faces(each) for each in await some] for some in hung] == [[1]] * AHEAD

    run(scenario)


def test_the_faces_of_a_crowd_keep_nobody_from_the_embedder(finder: Finder) -> None:
    async def scenario() -> None:
        embedder = Embedder()
        detector = made(embedder)
        embedder.open.clear()
        crowd = asyncio.ensure_future(detector.see(photos(*[250] * 10, request="large"), 50))
        while len(embedder.cuts) < 2:
            await asyncio.sleep(0.01)
        small = asyncio.ensure_future(detector.see(photos(1), 50))
        while 1 not in embedder.cuts:
            await asyncio.sleep(0.01)
        assert sum(embedder.cuts) <= 2 * 16 + 1
        embedder.open.set()
        assert [faces(each) for each in await small] == [1]
        assert [faces(each) for each in await crowd] == [250] * 10

    run(scenario)


def test_a_crowd_among_photos_of_small_requests_is_asked_again(finder: Finder) -> None:
    async def scenario() -> None:
        embedder = Embedder()
        detector = made(embedder)
        answers = await detector.see(photos(1, 250, b"none", 3), 50)
        assert answers[1] is None
        assert [faces(answers[index]) for index in (0, 3)] == [1, 3]
        assert isinstance(answers[2], NotAnImage)
        whole = await look(lambda some: detector.see(list(some), 50), photos(1, 250, b"none", 3))
        assert [faces(whole[index]) for index in (0, 1, 3)] == [1, 250, 3]

    run(scenario)


def test_what_is_answered_to_nobody_is_no_photo_s_fault() -> None:
    assert "caller has left" in str(ImageError(GIVEN_UP))
