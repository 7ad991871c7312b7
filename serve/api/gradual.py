"""The answer on many photos → JSON, a few faces at a time: other requests are answered in between.

A hundred photos of crowds with their descriptors are a gigabyte, which takes the ingress a minute to write.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import TypeAlias

from fastapi.responses import JSONResponse, Response, StreamingResponse

from facegroup.errors import FacegroupError
from facegroup.pipeline.messages import PhotoMatches, PhotoResult
from facegroup.wire.model import Answer
from facegroup.wire.recognition import Detection, Face, Identification, SeenImage

Head: TypeAlias = Detection | Identification
InParts: TypeAlias = tuple[SeenImage, Iterable[Face] | None]

_AT_ONCE = 50_000
_FACES = 8
_FACE, _CANDIDATE = 30, 3
"""Numbers of a face without its descriptor, and of one of its candidates."""


def answer(head: Head, seen: Iterable[PhotoResult | FacegroupError], images: Iterable[InParts]) -> Response:
    """Return an answer whose `images` are written one after the other where they are many numbers.

    Args:
        head: the answer, still without images.
        seen: what the images are of.
        images: of the answer, each with its faces; they are made when it is their turn.
    """
    if sum(map(_numbers, seen)) <= _AT_ONCE:
        return _Written(head.model_copy(update={"images": [image.with_faces(faces) for image, faces in images]}))
    return StreamingResponse(_parts(head, images), media_type="application/json")


class _Written(JSONResponse):
    def render(self, content: Answer) -> bytes:
        return content.written()


def _numbers(seen: PhotoResult | FacegroupError) -> int:
    if isinstance(seen, FacegroupError):
        return 0
    named = seen.matched.matches if isinstance(seen.matched, PhotoMatches) else ()
    numbers = len(seen.faces) * _FACE + sum(len(match.candidates) for match in named) * _CANDIDATE
    return numbers + (0 if seen.descriptors is None else seen.descriptors.size)


async def _parts(head: Head, images: Iterable[InParts]) -> AsyncIterator[bytes]:
    yield head.written(without="images")[:-1] + b',"images":['
    for index, (image, faces) in enumerate(images):
        comma = b"," if index else b""
        if faces is None:  # it has an error
            yield comma + image.written()
            continue
        yield comma + image.written()[:-1] + b',"faces":['
        left, between = iter(faces), b""
        while some := [face.written() for face in islice(left, _FACES)]:
            yield between + b",".join(some)
            between = b","
            await asyncio.sleep(0)
        yield b"]}"
    yield b"]}"
