"""Splits photos into requests by count and bytes, and into smaller ones where the server refuses a request."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from facegroup.errors import BodyTooLarge, FacegroupError, ImageTooLarge, TimedOut, TooManyImages

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST_PHOTOS = 100
MOST_BYTES = 32 << 20


class Portions:
    """Class that splits lists of photos into requests, and remembers how much a server accepts at once.

    Args:
        photos: maximum number of photos in a request.
        size: maximum number of bytes in a request with several photos; a single photo always fits.
    """

    def __init__(self, photos: int = MOST_PHOTOS, size: int = MOST_BYTES) -> None:
        self._photos = photos
        self._bytes = size

    def send(
        self,
        items: Sequence[Item],
        data: Callable[[Item], bytes],
        ask: Callable[[Sequence[Item]], Answer],
        own: tuple[type[FacegroupError], ...],
    ) -> Iterator[tuple[Sequence[Item], Answer | FacegroupError]]:
        """Yield portions of the items in order, each with its answer.

        Args:
            items: photos, with any data of the caller's.
            data: returns the bytes of an item.
            ask: sends a portion. If the server refuses it for its size or its time, it is halved; for a single photo, the
                error is the answer.
            own: errors that are the answer to a photo that was sent alone.
        """
        start = 0
        late = False
        while start < len(items):
            part = items[start : start + self._count(items[start:], data)]
            answer: Answer | FacegroupError
            try:
                answer = ask(part)
            except (BodyTooLarge, ImageTooLarge, TooManyImages, TimedOut) as error:
                if len(part) > 1:
                    self._learn(part, data, by_bytes=isinstance(error, BodyTooLarge))
                    continue
                if isinstance(error, TimedOut) and not late:  # again: it may have waited for other requests
                    late = True
                    continue
                answer = error
            except own as error:
                if len(part) > 1:
                    raise
                answer = error
            yield part, answer
            start += len(part)
            late = False

    def _count(self, items: Sequence[Item], data: Callable[[Item], bytes]) -> int:
        total = 0
        for place, each in enumerate(items[: self._photos]):
            total += len(data(each))
            if place and total > self._bytes:
                return place
        return min(len(items), self._photos)

    def _learn(self, part: Sequence[Item], data: Callable[[Item], bytes], *, by_bytes: bool) -> None:
        if by_bytes:
            self._bytes = sum(len(data(each)) for each in part) // 2
        else:
            self._photos = len(part) // 2
