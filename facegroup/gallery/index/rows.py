"""Two ways to keep the rows of some people: whole, and compact with a code for a first look. Probes in, nearest rows out.

`Whole` is float32 and its similarities are final. `Compact` keeps each number in 16 bits, which is exact to about 1e-5,
and one bit of each for `near` (RaBitQ, in faiss), whose similarities are estimates and choose what is compared in full.
"""

# ruff: noqa: D102 (what the methods do is said once, in Rows)

from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from facegroup.gallery.index.products import Products
from facegroup.gallery.index.top import top
from facegroup.types import Descriptors, Floats

Columns = NDArray[np.intp]

PIECE = 256
"""How many rows are copied at once: what stays in the cache is copied twice as fast."""

_BLOCK = 64  # rows whose best is looked at first
_PROBE_BITS = 2  # of a probe's numbers against the codes; fewer lose strangers' nearest, more cost time


class Rows(Protocol):
    """Rows of unit length that never change."""

    final: bool
    """Whether the similarities of `near` are exact."""

    def __len__(self) -> int:
        """Return how many."""

    def near(
        self, probes: Descriptors, count: int, products: Products, offsets: Floats | None = None
    ) -> tuple[Columns, Floats]:
        """Return the rows nearest to each of (b, d) probes, and how similar: both (b, min(count, n)), in any order.

        With (n,) `offsets` these are subtracted from the similarities first.
        """

    def similarities(self, probe: Floats, rows: Columns) -> Floats:
        """Return how similar these rows are to one (d,) probe, in full."""

    def take(self, rows: Columns) -> Floats:
        """Return some rows, (k, d) float32."""


class Whole:
    """Rows in float32.

    Args:
        matrix: (n, d) float32, from here on the object's own. (OpenVINO takes no array that is read-only.)
    """

    final = True

    def __init__(self, matrix: Floats) -> None:
        self._matrix = matrix

    def __len__(self) -> int:
        return len(self._matrix)

    def near(
        self, probes: Descriptors, count: int, products: Products, offsets: Floats | None = None
    ) -> tuple[Columns, Floats]:
        scores = products.of(self._matrix, probes)
        if offsets is not None:
            scores -= offsets[:, None]
        return _best(scores, min(count, len(scores)))

    def similarities(self, probe: Floats, rows: Columns) -> Floats:
        found: Floats = self._matrix[rows] @ probe
        return found

    def take(self, rows: Columns) -> Floats:
        return self._matrix[rows]


class Compact:
    """Rows in 16 bits a number, with a code of one bit a number.

    Args:
        numbers: (n, d) int16.
        scales: (n,) float32: what a row's numbers are multiplied with.
        codes: faiss's index of the same rows.
    """

    final = False

    def __init__(self, numbers: NDArray[np.int16], scales: Floats, codes: Any) -> None:
        self._numbers = numbers
        self._scales = scales
        self._codes = codes

    @classmethod
    def of(cls, matrix: Floats) -> Self:
        """Return (n, d) float32 rows, n > 0, made compact."""
        import faiss

        codes = faiss.IndexRaBitQ(matrix.shape[1], faiss.METRIC_INNER_PRODUCT)
        codes.qb = _PROBE_BITS
        codes.train(matrix)  # only their mean
        codes.add(matrix)
        return cls(*_numbers(matrix), codes)

    def __len__(self) -> int:
        return len(self._numbers)

    def near(
        self, probes: Descriptors, count: int, products: Products, offsets: Floats | None = None
    ) -> tuple[Columns, Floats]:
        scores, rows = self._codes.search(probes, min(count, len(self)))
        return rows.astype(np.intp, copy=False), scores if offsets is None else scores - offsets[rows]

    def similarities(self, probe: Floats, rows: Columns) -> Floats:
        found: Floats = self._numbers[rows].astype(np.float32) @ probe
        return found * self._scales[rows]

    def take(self, rows: Columns) -> Floats:
        found: Floats = self._numbers[rows] * self._scales[rows, None]
        return found

    def edited(self, kept: Columns, matrix: Floats, order: Columns) -> Self:
        """Return the `kept` rows with those of (m, d) float32 `matrix` after them, all then in this order.

        No code is made twice: making one takes 20 times as long as comparing it does.
        """
        import faiss

        added = faiss.clone_index(self._codes)
        added.reset()
        added.add(matrix)
        bits = np.concatenate([_bits(self._codes)[kept], _bits(added)])[order]
        added.reset()
        added.add_sa_codes(bits)
        numbers, scales = _numbers(matrix)
        place = np.empty(len(order), np.intp)
        place[order] = np.arange(len(order))
        joined = np.empty((len(order), matrix.shape[1]), np.int16)
        for start in range(0, len(kept), PIECE):
            piece = kept[start : start + PIECE]
            joined[place[start : start + len(piece)]] = self._numbers[piece]
        joined[place[len(kept) :]] = numbers
        return type(self)(joined, np.concatenate([self._scales[kept], scales])[order], added)


def _bits(codes: Any) -> NDArray[np.uint8]:
    import faiss

    found: NDArray[np.uint8] = faiss.vector_to_array(codes.codes).reshape(-1, codes.code_size)
    return found


def _numbers(matrix: Floats) -> tuple[NDArray[np.int16], Floats]:
    numbers = np.empty(matrix.shape, np.int16)
    scales = np.maximum(np.abs(matrix).max(axis=1, initial=0), np.float32(1e-30)) / np.float32(32767)
    for start in range(0, len(matrix), PIECE):
        piece = slice(start, start + PIECE)
        numbers[piece] = np.rint(matrix[piece] / scales[piece, None])
    return numbers, scales.astype(np.float32)


def _best(scores: Floats, count: int) -> tuple[Columns, Floats]:
    """Return the `count` best rows of (n, b) scores, and their scores, both (b, count).

    The best of a column lie in the `count` blocks whose best are best: so only the blocks' best are sorted, and those.
    """
    blocks = len(scores) // _BLOCK
    if count * 4 > blocks:
        return top(np.ascontiguousarray(scores.T), count)
    whole = scores[: blocks * _BLOCK].reshape(blocks, _BLOCK, -1)
    chosen, _ = top(whole.max(axis=1).T, count)
    rows: Columns = (chosen[:, :, None] * _BLOCK + np.arange(_BLOCK)).reshape(len(chosen), count * _BLOCK)
    rest = np.broadcast_to(np.arange(blocks * _BLOCK, len(scores)), (len(chosen), len(scores) % _BLOCK))
    rows = np.concatenate([rows, rest], axis=1)
    places, best = top(np.take_along_axis(scores.T, rows, axis=1), count)
    return np.take_along_axis(rows, places, axis=1), best
