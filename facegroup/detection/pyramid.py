"""Lay out every image at every scale on a stack of canvases of one size, on which P-Net runs.

P-Net looks at 12×12 windows, two pixels apart. Any number of scaled images can lie side by side on a canvas if they start at
even pixels and the windows across a border are ignored, which `Canvases.owner` marks. All canvases have one shape, so the
network is compiled once. Pixels are centred float32: rounding to whole grey levels would lose or add faces near a threshold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facegroup.detection.buffers import UNBUFFERED, Buffer, DetectorBuffers
from facegroup.detection.downscaling import averaged
from facegroup.types import Floats, Image

CELL = 12
"""Side of the window of P-Net, in pixels (Zhang et al. 2016, section 3.3)."""

STRIDE = 2
KERNEL = 3
"""Side of its first kernel, in pixels."""

FACTOR = 0.709
"""Factor from scale to scale, as in the mtcnn package: half the area."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvases:
    """Canvases with the scales of a batch of images, or a part of them.

    Attributes:
        pixels: (c, h, w, 3) float32: centred red, green and blue.
        mask: (c, h - 2, w - 2) float32: 1 where P-Net's first kernel reaches over the border of an odd side, else 0.
        rows: (c,) int: how many rows of each canvas are used.
        owner: (c, h', w') int32: the tile to which the window at that position of P-Net's output belongs, or -1.
        image: (t,) int32: the image of each tile.
        level: (t,) int32: the scale of that image.
        origin: (t, 2) float32: position of the canvas's corner in the scaled image, x and y.
        ratio: (t,) float32: pixels of the image per pixel of the scaled image.
    """

    pixels: Floats
    mask: Floats
    rows: NDArray[np.intp]
    owner: NDArray[np.int32]
    image: NDArray[np.int32]
    level: NDArray[np.int32]
    origin: Floats
    ratio: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    image: int
    level: int
    scaled: tuple[int, int]  # width and height of the whole scale
    x: int
    y: int
    rows: int
    columns: int
    ratio: float


def centred(image: Image, scratch: Buffer = UNBUFFERED.photo) -> Floats:
    """Return the pixels as (h, w, 3) float32 in -127.5..127.5, as the networks take them."""
    return np.subtract(image, np.float32(127.5), scratch.take(*image.shape), dtype=np.float32)


def scales(width: int, height: int, min_face_size: int) -> list[float]:
    """Return the scales at which to search for faces from `min_face_size` pixels up to the whole image."""
    scale = CELL / min_face_size
    found = []
    while min(width, height) * scale >= CELL - 1e-9:  # 12 / 47 * 47 is less than 12
        found.append(scale)
        scale *= FACTOR
    return found


def spread(
    images: Sequence[Image],
    min_face_sizes: Sequence[int],
    canvas: tuple[int, int],
    buffers: DetectorBuffers = UNBUFFERED,
) -> Iterator[Canvases]:
    """Lay all scales of all images on canvases of `canvas` (height, width) pixels, both even.

    Args:
        images: (h, w, 3) uint8 RGB each, of any sizes.
        min_face_sizes: the smallest face to detect in each image, in pixels.
        canvas: the size for which the network was compiled.
        buffers: the buffers for them. Only the parts of a canvas that belong to a window are written.

    Yields:
        as many canvases as the buffers hold; the next ones overwrite them. Tiles are numbered consecutively.
    """
    height, width = canvas
    tiles = [
        tile
        for index, (image, size) in enumerate(zip(images, min_face_sizes, strict=True))
        for tile in _tiles(index, image.shape[:2], size, height, width)
    ]
    places, used = _pack([(tile.rows, tile.columns) for tile in tiles], height, width)
    rows = np.array(used, np.intp)
    image = np.array([tile.image for tile in tiles], np.int32)
    level = np.array([tile.level for tile in tiles], np.int32)
    corners = [(tile.x - left, tile.y - top) for tile, (_, top, left) in zip(tiles, places, strict=True)]
    origin = np.array(corners, np.float32).reshape(-1, 2)
    ratio = np.array([tile.ratio for tile in tiles], np.float32)
    for start in range(0, len(used), buffers.pages):
        pages = range(start, min(start + buffers.pages, len(used)))
        there = [(number, *places[number]) for number in range(len(tiles)) if places[number][0] in pages]
        placed = [(number, tiles[number], page - start, top, left) for number, page, top, left in there]
        pixels, mask, owner = _painted(images, placed, len(pages), canvas, buffers)
        yield Canvases(pixels, mask, rows[start : pages.stop], owner, image, level, origin, ratio)


def _painted(
    images: Sequence[Image],
    placed: Sequence[tuple[int, _Tile, int, int, int]],
    pages: int,
    canvas: tuple[int, int],
    buffers: DetectorBuffers,
) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """Return pixels, mask and owners of some canvases. `placed` has number, tile, page, top and left of each tile."""
    height, width = canvas
    pixels = buffers.canvases.take(pages, height, width, 3)
    mask = np.zeros((pages, height - KERNEL + 1, width - KERNEL + 1), np.float32)
    owner = np.full((pages, (height - CELL) // STRIDE + 1, (width - CELL) // STRIDE + 1), -1, np.int32)
    photo = scaled = np.empty((0, 0, 3), np.float32)
    shown = -1, -1
    for number, tile, page, top, left in placed:
        # Only one scale at a time is in memory: allocating all of them took longer than averaging.
        if shown[0] != tile.image:
            photo = centred(images[tile.image], buffers.photo)
        if shown != (tile.image, tile.level):
            scaled, shown = _scaled(photo, *tile.scaled), (tile.image, tile.level)
        rows, columns = tile.rows, tile.columns
        place = pixels[page, top : top + _even(rows), left : left + _even(columns)]
        place[:rows, :columns] = scaled[tile.y : tile.y + rows, tile.x : tile.x + columns]
        place[rows:] = place[:, columns:] = 0
        seen = mask[page, top : top + len(place) - KERNEL + 1, left : left + place.shape[1] - KERNEL + 1]
        seen[rows - KERNEL + 1 :] = seen[:, columns - KERNEL + 1 :] = 1
        first_row, first_column = top // STRIDE, left // STRIDE
        owner[
            page,
            first_row : first_row + (rows + 1 - CELL) // STRIDE + 1,
            first_column : first_column + (columns + 1 - CELL) // STRIDE + 1,
        ] = number
    return pixels, mask, owner


def _tiles(index: int, shape: tuple[int, ...], min_face_size: int, height: int, width: int) -> Iterator[_Tile]:
    rows, columns = shape
    for level, scale in enumerate(scales(columns, rows, min_face_size)):
        # The package truncates the size and then scales back by 1 / scale; doing the same finds the same faces.
        size = max(int(columns * scale), CELL), max(int(rows * scale), CELL)
        for y, bottom in _cuts(_even(size[1]), height):
            for x, right in _cuts(_even(size[0]), width):
                yield _Tile(index, level, size, x, y, min(bottom, size[1]) - y, min(right, size[0]) - x, 1 / scale)


def _scaled(image: Floats, width: int, height: int) -> Floats:
    if width <= image.shape[1] and height <= image.shape[0]:
        return averaged(image, width, height)
    return np.asarray(cv2.resize(image, (width, height)), np.float32)


def _even(side: int) -> int:
    """Return a side rounded up to an even number.

    The package's pooling continues over the border: on an odd side, its last windows reach one pixel further.
    """
    return side + side % 2


def _cuts(length: int, limit: int) -> Iterator[tuple[int, int]]:
    """Cut a length into pieces of at most `limit` pixels so that each window lies in exactly one piece."""
    start = 0
    while start + CELL <= length:
        yield start, min(start + limit, length)
        start += limit - (CELL - STRIDE)


def _pack(sizes: Sequence[tuple[int, int]], height: int, width: int) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Pack rectangles onto pages by shelf packing, the tallest first.

    Returns:
        (page, top, left) of each rectangle, and the used rows of each page.
    """
    places = [(0, 0, 0)] * len(sizes)
    shelves: list[list[int]] = []  # page, top, height, next free column
    bottoms: list[int] = []  # first free row of each page
    for number in sorted(range(len(sizes)), key=lambda number: sizes[number], reverse=True):
        rows, columns = map(_even, sizes[number])
        shelf = next((shelf for shelf in shelves if shelf[2] >= rows and shelf[3] + columns <= width), None)
        if shelf is None:
            page = next((page for page, bottom in enumerate(bottoms) if bottom + rows <= height), len(bottoms))
            if page == len(bottoms):
                bottoms.append(0)
            shelf = [page, bottoms[page], rows, 0]
            bottoms[page] += rows
            shelves.append(shelf)
        places[number] = (shelf[0], shelf[1], shelf[3])
        shelf[3] += columns
    return places, bottoms
