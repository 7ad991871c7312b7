"""The answer on many photos → JSON, a few faces at a time: other requests are answered in between.

A hundred photos of crowds with their descriptors are a gigabyte, which takes the ingress a minute to write.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from fastapi.responses import JSONResponse, Response, StreamingResponse

from facegroup.errors import FacegroupError
from facegroup.pipeline.messages import PhotoMatches, PhotoResult

_AT_ONCE = 50_000
_FACES = 8
_FACE, _CANDIDATE = 30, 3
"""Numbers of a face without its descriptor, and of one of its candidates."""


def answer(
    head: dict[str, Any], seen: Iterable[PhotoResult | FacegroupError], images: Iterable[dict[str, Any]]
) -> Response:
    """Return an answer whose `images` are written one after the other where they are many numbers.

    Args:
        head: the rest of the answer.
        seen: what the images are of.
        images: of the answer; they are made when it is their turn.
    """
    if sum(map(_numbers, seen)) <= _AT_ONCE:
        return JSONResponse({**head, "images": list(images)})
    return StreamingResponse(_parts(head, images), media_type="application/json")


def _numbers(seen: PhotoResult | FacegroupError) -> int:
    if isinstance(seen, FacegroupError):
        return 0
    named = seen.matched.matches if isinstance(seen.matched, PhotoMatches) else ()
    numbers = len(seen.faces) * _FACE + sum(len(match.candidates) for match in named) * _CANDIDATE
    return numbers + (0 if seen.descriptors is None else seen.descriptors.size)


async def _parts(head: dict[str, Any], images: Iterable[dict[str, Any]]) -> AsyncIterator[bytes]:
    yield _written(head)[:-1] + b',"images":['
    for index, image in enumerate(images):
        comma = b"," if index else b""
        faces = image.pop("faces", None)
        if faces is None:  # it has an error
            yield comma + _written(image)
            continue
        yield comma + _written(image)[:-1] + b',"faces":['
        for place, some in enumerate(_few(faces)):
            yield (b"," if place else b"") + _written(some)[1:-1]
            await asyncio.sleep(0)
        yield b"]}"
    yield b"]}"


def _few(faces: list[Any]) -> Iterable[list[Any]]:
    return (faces[start : start + _FACES] for start in range(0, len(faces), _FACES))


def _written(content: Any) -> bytes:
    return bytes(JSONResponse(content).body)
