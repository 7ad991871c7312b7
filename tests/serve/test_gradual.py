"""An answer of many numbers is written a few faces at a time; it says the same as one that is written at once."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from fastapi.responses import JSONResponse, Response

from facegroup.errors import FacegroupError, NotAnImage
from facegroup.pipeline.messages import PhotoMatches, PhotoResult, Quality
from facegroup.types import Candidate, Faces, Match
from facegroup.wire.recognition import Detection, Face, Identification, NamedImage, SeenImage
from serve.api import gradual


def seen(faces: int, dimension: int = 0, candidates: int = 0) -> PhotoResult:
    quality = Quality(*(np.zeros(faces, np.float32) for _ in Quality.__slots__))
    found = Faces(
        np.zeros((faces, 4), np.float32),
        np.zeros((faces, 5, 2), np.float32),
        np.linspace(0.8, 1, faces, dtype=np.float32),
    )
    descriptors = np.random.default_rng(0).normal(size=(faces, dimension)).astype(np.float32) if dimension else None
    match = Match(None, "not in the dataset", 0, 0.4, None, (Candidate("a", "Änne 🙂", 0.5),) * candidates)
    return PhotoResult(
        9, 9, found, quality, descriptors, None, PhotoMatches((match,) * faces, 1, 0.4) if candidates else None
    )


HEAD = Identification(gallery="Ärzte", gallery_version=1, network="retail-0095", images=[])

CASES: dict[str, list[PhotoResult | FacegroupError]] = {
    "descriptors": [seen(0, 2048), seen(1, 2048), NotAnImage("it is none"), seen(40, 2048), seen(8, 2048)],
    "faces": [seen(256)] * 10,
    "candidates": [seen(256, candidates=100), NotAnImage("it is none")],
    "only at the end": [*(NotAnImage("it is none") for _ in range(3)), seen(100, 2048)],
}


def parts(response: Response) -> list[bytes]:
    """Return what is sent, and see that others have their turn between two parts."""
    sent: list[bytes] = []
    turns: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            sent.append(message["body"])

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def scenario() -> None:
        async def other() -> None:
            while True:
                turns.append(len(sent))
                await asyncio.sleep(0)

        task = asyncio.ensure_future(other())
        scope = {"type": "http", "method": "POST", "asgi": {"spec_version": "2.4"}}
        await response(scope, receive, send)
        task.cancel()

    asyncio.run(scenario())
    assert len(set(turns)) >= len(sent) / 4
    return sent


@pytest.mark.parametrize("case", CASES)
def test_it_says_the_same(case: str) -> None:
    given = CASES[case]
    kind = NamedImage if case == "candidates" else SeenImage

    def images() -> Iterable[tuple[SeenImage, Iterable[Face] | None]]:
        return (kind.in_parts(f"{place}.jpg", each, descriptors=True) for place, each in enumerate(given))

    head = HEAD.as_json()
    whole = {**head, "images": [image.with_faces(faces).as_json() for image, faces in images()]}
    sent = parts(gradual.answer(HEAD, given, images()))
    assert len(sent) > len(given)
    assert json.loads(b"".join(sent)) == json.loads(bytes(JSONResponse(whole).body))
    numbers = max(part.count(b",") for part in sent)
    assert numbers < 20_000, "no part takes long to write"


def test_few_numbers_are_written_at_once() -> None:
    given: list[PhotoResult | FacegroupError] = [seen(2, 2048), NotAnImage("it is none")]
    made = gradual.answer(Detection(network="x", images=[]), given, ((SeenImage(name=name), None) for name in "ab"))
    assert isinstance(made, JSONResponse)
    assert json.loads(bytes(made.body)) == {"network": "x", "images": [{"name": "a"}, {"name": "b"}]}
