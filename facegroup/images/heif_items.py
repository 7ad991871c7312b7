"""Read which images a HEIF or AVIF file contains, where their coded bytes lie, and how many pixels decoding them takes.

The decoders fill missing bytes with made-up pixels and decode a tile as often as a grid refers to it, so both are checked
before decoding.
"""

import struct
from collections import defaultdict
from collections.abc import Iterator

from facegroup.errors import TooManyPixels, TruncatedImage

_CODED = {b"hvc1", b"hev1", b"av01"}
HOLE = bytes(64)
"""Coded pixels look like noise, so a run of this many zeros is a part that was never written."""
_DEPTH = 8
_PIECES = 100_000
"""Limit for boxes, items, extents, references and properties together. A photo of 200 megapixels has 20,000."""


class _Box:
    """The content of a box, read from its beginning and never beyond its end.

    Args:
        data: the file.
        at: offset of the content.
        end: offset of the end of the content.
    """

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def take(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            struct.error: the box ends before that.
        """
        at, self.at = self.at, self.at + size
        if self.at > self.end:
            raise struct.error("a box ends early")
        return self.data[at : self.at]

    def number(self, size: int) -> int:
        """Return the next bytes as a number."""
        return int.from_bytes(self.take(size), "big")

    def numbers(self, count: int, size: int) -> list[int]:
        """Return the next `count` numbers of `size` bytes each."""
        content = self.take(count * size)
        return [int.from_bytes(content[at : at + size], "big") for at in range(0, len(content), size)]


class Items:
    """The items of a file.

    Args:
        data: the file.

    Raises:
        struct.error: the boxes are damaged.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = _PIECES
        self._kinds: dict[int, bytes] = {}
        self._extents: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self._tiles: dict[int, list[int]] = {}
        self._pixels: dict[int, int] = {}
        for kind, file in self._boxes(_Box(data, 0, len(data))):
            if kind == b"meta":
                file.take(4)
                self._read(file)

    def _read(self, meta: _Box) -> None:
        for kind, box in self._boxes(meta):
            if kind == b"iinf":
                self._read_kinds(box)
            elif kind == b"iloc":
                self._read_extents(box)
            elif kind == b"iref":
                self._read_tiles(box)
            elif kind == b"iprp":
                sizes: list[int] = []
                for name, inner in self._boxes(box):
                    if name == b"ipco":
                        sizes = [_area(it) if property == b"ispe" else 0 for property, it in self._boxes(inner)]
                    elif name == b"ipma":
                        self._read_pixels(inner, sizes)

    def _spend(self, pieces: int) -> None:
        """Refuse a file that has more pieces than any photo, before they are read."""
        self._left -= pieces
        if self._left < 0:
            raise TooManyPixels("The image has too many tiles. Save it again.")

    def _boxes(self, outer: _Box) -> Iterator[tuple[bytes, _Box]]:
        """Yield each box's type and content."""
        while outer.at + 8 <= outer.end:
            self._spend(1)
            at = outer.at
            size, kind = outer.number(4), outer.take(4)
            if size == 1:
                size = outer.number(8)
            stop = outer.end if size == 0 else at + size
            if not outer.at <= stop <= outer.end:
                return
            yield kind, _Box(outer.data, outer.at, stop)
            outer.at = stop

    def _read_kinds(self, box: _Box) -> None:
        box.take(2 if box.take(4)[0] == 0 else 4)
        for kind, entry in self._boxes(box):
            version = entry.take(4)[0]
            if kind == b"infe" and version >= 2:
                item, _ = entry.number(2 if version == 2 else 4), entry.take(2)
                self._kinds[item] = entry.take(4)

    def _read_extents(self, box: _Box) -> None:
        version, sizes = box.take(4)[0], box.number(2)
        offset, length, base, index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
        wide = 4 if version == 2 else 2
        count = box.number(wide)
        self._spend(count)
        for _ in range(count):
            item, method = box.number(wide), box.number(2) & 15 if version else 0
            box.take(2)
            start, pieces = box.number(base), box.number(2)
            self._spend(pieces)
            for _ in range(pieces):
                box.take(index if version else 0)
                where, many = box.number(offset), box.number(length)
                if method == 0:
                    self._extents[item].append((start + where, many))

    def _read_tiles(self, box: _Box) -> None:
        wide = 2 if box.take(4)[0] == 0 else 4
        for kind, entry in self._boxes(box):
            item, count = entry.number(wide), entry.number(2)
            self._spend(count)
            if kind == b"dimg":
                self._tiles[item] = entry.numbers(count, wide)

    def _read_pixels(self, box: _Box, sizes: list[int]) -> None:
        version, *_, flags = box.take(4)
        wide, long = (2 if version == 0 else 4), 1 + (flags & 1)
        count = box.number(4)
        self._spend(count)
        for _ in range(count):
            item, properties = box.number(wide), box.number(1)
            self._spend(properties)
            for number in box.numbers(properties, long):
                index = number & (0x7F if long == 1 else 0x7FFF)
                if 0 < index <= len(sizes) and sizes[index - 1]:
                    self._pixels[item] = sizes[index - 1]

    def pixels(self) -> int:
        """Return the number of pixels decoded for the image that needs most.

        Raises:
            TooManyPixels: images are nested too deeply.
        """
        known: dict[int, int] = {}

        def decoded(item: int, depth: int) -> int:
            if depth > _DEPTH:
                raise TooManyPixels("The image has too many levels of tiles within tiles. Save it again.")
            if item not in known:
                parts = sum(decoded(tile, depth + 1) for tile in self._tiles.get(item, ()))
                known[item] = max(parts, self._pixels.get(item, 0))
            return known[item]

        return max((decoded(item, 0) for item in {*self._pixels, *self._tiles}), default=0)

    def refuse_holes(self) -> None:
        """Refuse a file in which coded pixels are missing.

        Raises:
            TruncatedImage: a piece lies beyond the end of the file, or was never written.
        """
        pieces = {piece for item, own in self._extents.items() if self._kinds.get(item) in _CODED for piece in own}
        if any(begin + length > len(self._data) for begin, length in pieces):
            raise TruncatedImage("The image ends before its last pixels. Send the whole file.")
        if sum(length for _, length in pieces) > len(self._data):
            raise TruncatedImage("Parts of the image data overlap. Save the image again.")
        if any(self._data.find(HOLE, begin, begin + length) >= 0 for begin, length in pieces):
            raise TruncatedImage("Part of the image data is missing (only zeros). Send the whole file.")


def _area(box: _Box) -> int:
    box.take(4)
    return box.number(4) * box.number(4)
