"""Send photos to detectors, and ask again for those that did not fit into one call."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from facegroup.errors import FacegroupError
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult

Answer: TypeAlias = PhotoResult | FacegroupError | None
"""None if the photo is too large for this call, and must be sent again as part of a request that takes turns."""

CALL_BYTES = 48 << 20
"""Most bytes of the answers to one call, or of crops in one: well below the limit of gRPC (serve/ray_environment.py)."""


_CAMERAS = "cameras"
"""Common owner of camera frames that take turns with large requests, so that all cameras together get one turn."""


async def look(
    ask: Callable[[Sequence[Photo]], Awaitable[Sequence[Answer]]], photos: Sequence[Photo]
) -> list[PhotoResult | FacegroupError]:
    """Return the result of each photo.

    Args:
        ask: calls a detector, which answers at least one photo of each call.
        photos: photos of one request, or frames of cameras.
    """
    answers = list(await ask(photos))
    request = ""
    while late := [index for index, answer in enumerate(answers) if answer is None]:
        if not request:
            first = photos[late[0]]
            request = first.request or (_CAMERAS if first.background else secrets.token_hex(8))
        again = await ask([replace(photos[index], request=request) for index in late])
        for index, answer in zip(late, again, strict=True):
            answers[index] = answer
    return [answer for answer in answers if answer is not None]


def that_fit(answers: Sequence[Answer], most: int = CALL_BYTES) -> list[Answer]:
    """Return the answers up to a total size, always including the first, and None for the others."""
    left = float(most)
    fitting: list[Answer] = []
    for answer in answers:
        size = 0 if answer is None else _bytes(answer)
        fits = size <= left or left == most
        fitting.append(answer if fits else None)
        left -= size if fits else 0
    return fitting


_FACE, _CANDIDATE = 400, 1_800
"""Most bytes of a face and of a candidate: a name has up to 800, an id 200."""


def _bytes(answer: PhotoResult | FacegroupError) -> int:
    """Return an upper estimate of the bytes of a serialised answer."""
    if isinstance(answer, FacegroupError):
        return _FACE
    size = _FACE * (1 + len(answer.faces)) + sum(map(len, answer.crops or ()))
    if answer.descriptors is not None:
        size += answer.descriptors.nbytes
    if isinstance(answer.matched, PhotoMatches):
        size += _CANDIDATE * sum(len(each.candidates) + len(each.excluded) for each in answer.matched.matches)
    return size
