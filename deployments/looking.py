"""Photos → what is in each, asked of detectors in calls, until each photo has its answer."""

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from facegroup.errors import FacegroupError
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult

Answer: TypeAlias = PhotoResult | FacegroupError | None
"""None: the photo is too much for this call, and is to be asked again as one of a request that takes turns."""

CALL_BYTES = 48 << 20
"""Of the answers to one call, or of crops that are sent: well below what a gRPC call holds (serve/ray_environment.py)."""


_CAMERAS = "cameras"
"""Whose all frames are that take turns with large requests: as many cameras as there are have no more turns than one."""


async def look(
    ask: Callable[[Sequence[Photo]], Awaitable[Sequence[Answer]]], photos: Sequence[Photo]
) -> list[PhotoResult | FacegroupError]:
    """Return what is in each photo.

    Args:
        ask: a detector; it answers one photo of each call at least.
        photos: of one request, or frames of cameras.
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
    """Return the answers that are at most so many bytes together, the first of them in any case, and None for the others."""
    left = float(most)
    fitting: list[Answer] = []
    for answer in answers:
        size = 0 if answer is None else _bytes(answer)
        fits = size <= left or left == most
        fitting.append(answer if fits else None)
        left -= size if fits else 0
    return fitting


_FACE, _CANDIDATE = 400, 1_800
"""Bytes, the most: a name has up to 800, an id 200."""


def _bytes(answer: PhotoResult | FacegroupError) -> int:
    """Return how many bytes an answer is on its way, rather too many."""
    if isinstance(answer, FacegroupError):
        return _FACE
    size = _FACE * (1 + len(answer.faces)) + sum(map(len, answer.crops or ()))
    if answer.descriptors is not None:
        size += answer.descriptors.nbytes
    if isinstance(answer.matched, PhotoMatches):
        size += _CANDIDATE * sum(len(each.candidates) + len(each.excluded) for each in answer.matched.matches)
    return size
