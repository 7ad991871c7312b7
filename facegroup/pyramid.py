"""Images → one stack of equal canvases that holds every image at every scale.

Pixels are grey levels from the middle, in float32: rounded to whole levels, faces near a threshold are lost or won.
P-Net looks at 12×12 windows, two pixels apart. So any number of scaled images can lie side by side on one canvas, if they
start at even pixels and the windows that reach over a border are left out: `Canvases.owner` says which those are. All the
canvases have one shape, whatever the photos: the network is compiled once, and never waits for a new shape.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facegroup.averaging import averaged
from facegroup.types import Floats, Image

CELL = 12
"""Side of the window of P-Net, in pixels (Zhang et al. 2016, section 3.3)."""

STRIDE = 2
CHANNELS = 4
"""Of a canvas: the three colours, and what P-Net must not see."""

FACTOR = 0.709
"""From scale to scale, as in the mtcnn package: half the area."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvases:
    """Every scale of every image of a batch.

    Attributes:
        pixels: (c, h, w, 4) float32: centred red, green and blue, and 1 where there is nothing.
        rows: (c,) int: how many rows of each canvas are used.
        owner: (c, h', w') int32: which tile the window at that position of P-Net's output belongs to, or -1.
        image: (t,) int32: which image a tile is of.
        level: (t,) int32: which scale of that image.
        origin: (t, 2) float32: where the canvas's corner lies in the scaled image, x and y.
        ratio: (t,) float32: pixels of the image per pixel of the scaled image.
    """

    pixels: Floats
    rows: NDArray[np.intp]
    owner: NDArray[np.int32]
    image: NDArray[np.int32]
    level: NDArray[np.int32]
    origin: Floats
    ratio: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    pixels: Floats
    image: int
    level: int
    x: int
    y: int
    ratio: float


def centred(image: Image) -> Floats:
    """Return (h, w, 3) float32 grey levels from the middle, -127.5..127.5: what the networks take."""
    return np.subtract(image, np.float32(127.5), dtype=np.float32)


def scales(width: int, height: int, min_face_size: int) -> list[float]:
    """Return the scales at which to look for faces from `min_face_size` pixels up to the whole image."""
    scale = CELL / min_face_size
    found = []
    while min(width, height) * scale >= CELL - 1e-9:  # 12 / 47 * 47 is less than 12
        found.append(scale)
        scale *= FACTOR
    return found


def spread(images: Sequence[Floats], min_face_sizes: Sequence[int], canvas: tuple[int, int]) -> Canvases:
    """Lay all scales of all images on canvases of `canvas` (height, width) pixels, both even.

    Args:
        images: (h, w, 3) float32 each, centred, of any sizes.
        min_face_sizes: for each image, the smallest face looked for, in pixels.
        canvas: the size that the network was compiled for.
    """
    height, width = canvas
    tiles = [
        tile
        for index, (image, size) in enumerate(zip(images, min_face_sizes, strict=True))
        for tile in _tiles(index, image, size, height, width)
    ]
    places, used = _shelve([tile.pixels.shape[:2] for tile in tiles], height, width)
    pixels = np.zeros((len(used), height, width, CHANNELS), np.float32)
    owner = np.full((len(used), (height - CELL) // STRIDE + 1, (width - CELL) // STRIDE + 1), -1, np.int32)
    origin = np.empty((len(tiles), 2), np.float32)
    for number, (tile, (page, top, left)) in enumerate(zip(tiles, places, strict=True)):
        rows, columns = tile.pixels.shape[:2]
        pixels[page, top : top + rows, left : left + columns] = tile.pixels
        first_row, first_column = top // STRIDE, left // STRIDE
        owner[
            page,
            first_row : first_row + (rows - CELL) // STRIDE + 1,
            first_column : first_column + (columns - CELL) // STRIDE + 1,
        ] = number
        origin[number] = tile.x - left, tile.y - top
    return Canvases(
        pixels,
        np.array(used, np.intp),
        owner,
        np.array([tile.image for tile in tiles], np.int32),
        np.array([tile.level for tile in tiles], np.int32),
        origin,
        np.array([tile.ratio for tile in tiles], np.float32),
    )


def _tiles(index: int, image: Floats, min_face_size: int, height: int, width: int) -> Iterator[_Tile]:
    rows, columns = image.shape[:2]
    for level, scale in enumerate(scales(columns, rows, min_face_size)):
        # The package truncates the size and then scales back by 1 / scale; so must we, to find what it finds.
        size = max(int(columns * scale), CELL), max(int(rows * scale), CELL)
        scaled = averaged(image, *size) if scale < 1 else np.asarray(cv2.resize(image, size), np.float32)
        scaled = _evened(scaled)
        for y, bottom in _cuts(scaled.shape[0], height):
            for x, right in _cuts(scaled.shape[1], width):
                yield _Tile(scaled[y:bottom, x:right], index, level, x, y, 1 / scale)


def _evened(scaled: Floats) -> Floats:
    """Return an (h, w, 3) image with a fourth channel of 0, and an odd side made even by pixels of 0, 0, 0, 1: nothing.

    The package's pooling goes on over the border: of an odd side its last windows reach one pixel further.
    """
    rows, columns = scaled.shape[:2]
    evened = np.zeros((rows + rows % 2, columns + columns % 2, CHANNELS), np.float32)
    evened[:rows, :columns, :3] = scaled
    evened[rows:, :, 3] = 1
    evened[:, columns:, 3] = 1
    return evened


def _cuts(length: int, limit: int) -> Iterator[tuple[int, int]]:
    """Cut a length into pieces of at most `limit` that share the windows on no cut: each window is in just one piece."""
    start = 0
    while start + CELL <= length:
        yield start, min(start + limit, length)
        start += limit - (CELL - STRIDE)


def _shelve(sizes: Sequence[tuple[int, int]], height: int, width: int) -> tuple[list[tuple[int, int, int]], list[int]]:
    """Place rectangles on pages, shelf by shelf, the tallest first: (page, top, left) of each, and each page's used rows."""
    places = [(0, 0, 0)] * len(sizes)
    shelves: list[list[int]] = []  # page, top, height, next free column
    bottoms: list[int] = []  # first free row of each page
    for number in sorted(range(len(sizes)), key=lambda number: sizes[number], reverse=True):
        rows, columns = (side + side % 2 for side in sizes[number])
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
