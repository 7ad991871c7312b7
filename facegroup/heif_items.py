"""What is inside a HEIF or AVIF file: its images, where their coded bytes lie, and how many pixels are decoded for each.

Their decoders show whatever they make of bytes that are missing, and decode a tile as often as a grid names it, so both
are looked at before.
"""

import struct
from collections import defaultdict
from collections.abc import Iterator

from facegroup.errors import TooManyPixels, TruncatedImage

_CODED = {b"hvc1", b"hev1", b"av01"}
HOLE = bytes(64)
"""Coded pixels look like noise; so many zeros in them are a piece that was never written."""
_DEPTH = 8
_REFERENCES = 100_000


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield each box's type, where its content begins, and where it ends."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        stop = end if size == 0 else at + size
        if not at + head <= stop <= end:
            return
        yield kind, at + head, stop
        at = stop


class Items:
    """The items of a file.

    Args:
        data: the file.

    Raises:
        struct.error: the boxes are damaged.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._kinds: dict[int, bytes] = {}
        self._extents: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._tiles: dict[int, list[int]] = {}
        self._pixels: dict[int, int] = {}
        sizes: list[int] = []
        for kind, begin, end in _boxes(data, 0, len(data)):
            for inner, at, stop in _boxes(data, begin + 4, end) if kind == b"meta" else ():
                if inner == b"iinf":
                    self._read_kinds(at, stop)
                elif inner == b"iloc":
                    self._read_extents(at)
                elif inner == b"iref":
                    self._read_tiles(at, stop)
                elif inner == b"iprp":
                    for name, first, last in _boxes(data, at, stop):
                        if name == b"ipco":
                            sizes = [
                                _area(data, where) if property == b"ispe" else 0
                                for property, where, _ in _boxes(data, first, last)
                            ]
                        elif name == b"ipma":
                            self._read_pixels(first, sizes)

    def _number(self, at: int, size: int) -> int:
        if at + size > len(self._data):
            raise struct.error("a box ends early")
        return int.from_bytes(self._data[at : at + size], "big")

    def _read_kinds(self, at: int, end: int) -> None:
        for kind, begin, _ in _boxes(self._data, at + (6 if self._data[at] == 0 else 8), end):
            if kind == b"infe" and self._data[begin] >= 2:
                wide = 2 if self._data[begin] == 2 else 4
                type_at = begin + 4 + wide + 2
                self._kinds[self._number(begin + 4, wide)] = self._data[type_at : type_at + 4]

    def _read_extents(self, at: int) -> None:
        version, sizes = self._data[at], self._number(at + 4, 2)
        offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
        wide = 4 if version == 2 else 2
        count, at = self._number(at + 6, wide), at + 6 + wide
        for _ in range(count):
            item, at = self._number(at, wide), at + wide
            method, at = (self._number(at, 2) & 15, at + 2) if version else (0, at)
            start, at = self._number(at + 2, base), at + 2 + base
            pieces, at = self._number(at, 2), at + 2
            for _ in range(pieces):
                at += index if version else 0
                where, many = self._number(at, offset), self._number(at + offset, length)
                at += offset + length
                if method == 0:
                    self._extents[item].append((start + where, many))

    def _read_tiles(self, at: int, end: int) -> None:
        wide = 2 if self._data[at] == 0 else 4
        left = _REFERENCES
        for kind, begin, _ in _boxes(self._data, at + 4, end):
            count = self._number(begin + wide, 2)
            left -= count
            if left < 0:
                raise TooManyPixels("the image is made of too many tiles; save it again")
            if kind == b"dimg":
                first = begin + wide + 2
                self._tiles[self._number(begin, wide)] = [self._number(first + wide * n, wide) for n in range(count)]

    def _read_pixels(self, at: int, sizes: list[int]) -> None:
        wide, long = (2 if self._data[at] == 0 else 4), 1 + (self._data[at + 3] & 1)
        count, at = self._number(at + 4, 4), at + 8
        for _ in range(count):
            item, properties = self._number(at, wide), self._number(at + wide, 1)
            at += wide + 1
            for n in range(properties):
                index = self._number(at + n * long, long) & (0x7F if long == 1 else 0x7FFF)
                if 0 < index <= len(sizes) and sizes[index - 1]:
                    self._pixels[item] = sizes[index - 1]
            at += properties * long

    def pixels(self) -> int:
        """Return the most pixels that are decoded for any one of the images.

        Raises:
            TooManyPixels: images are made of images that are made of images, too often.
        """
        known: dict[int, int] = {}

        def decoded(item: int, depth: int) -> int:
            if depth > _DEPTH:
                raise TooManyPixels("the image is made of tiles within tiles; save it again")
            if item not in known:
                parts = sum(decoded(tile, depth + 1) for tile in self._tiles.get(item, ()))
                known[item] = max(parts, self._pixels.get(item, 0))
            return known[item]

        return max((decoded(item, 0) for item in {*self._pixels, *self._tiles}), default=0)

    def refuse_holes(self) -> None:
        """Refuse coded pixels of which a piece is missing.

        Raises:
            TruncatedImage: a piece lies beyond the end, or was never written.
        """
        for item, extents in self._extents.items():
            for begin, length in extents if self._kinds.get(item) in _CODED else ():
                if begin + length > len(self._data):
                    raise TruncatedImage("the image ends before its last pixels; send the whole file")
                if self._data.find(HOLE, begin, begin + length) >= 0:
                    raise TruncatedImage(
                        "a piece is missing inside the image: it holds only zeros; send the whole file"
                    )


def _area(data: bytes, at: int) -> int:
    width, height = struct.unpack_from(">4xII", data, at)
    return int(width) * int(height)
