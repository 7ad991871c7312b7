"""How a gallery is kept for matching, by the settings: in full or compact, in pieces of which size, on how many threads."""

from dataclasses import dataclass, field

from facegroup.gallery.index.products import Products
from facegroup.settings import Matcher

_SEGMENT_BYTES = 128 << 20  # of float32 rows: a copy of so much stays well under the 100 ms an enrolment may take
_SEGMENT_ROWS = 16_384  # likewise: their ids are sorted anew
_FRESH_BYTES = 4 << 20  # which each change copies, of 1,024 rows at most
_FRESH_ROWS = 1_024
_LOOK = 400  # people compared in full for each probe, at least; how many of them may be of one segment: a quarter


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What the settings come to.

    Attributes:
        index: `exact`, `compact`, or `auto`, by size.
        exact_bytes: of float32 rows; `auto` keeps more than that compact.
        segment_bytes: of float32 rows in one segment.
        fresh_bytes: of float32 rows that wait to be sealed.
        look: people compared in full for each probe, at least.
        products: what compares them.
    """

    index: str = "exact"
    exact_bytes: int = 0
    segment_bytes: int = _SEGMENT_BYTES
    fresh_bytes: int = _FRESH_BYTES
    look: int = _LOOK
    products: Products = field(default_factory=lambda: Products(1))

    @classmethod
    def of(cls, settings: Matcher) -> "Plan":
        """Return the plan that the settings ask for."""
        threads = settings.threads or max(1, int(settings.num_cpus))
        return cls(settings.index, settings.exact_mb * 1_000_000, products=Products(threads))

    def compact(self, size: int) -> bool:
        """Return whether so many bytes of float32 rows are kept compact."""
        return self.index == "compact" or (self.index == "auto" and size > self.exact_bytes)

    def rows(self, dimension: int) -> int:
        """Return how many rows a segment has at most."""
        return max(1, min(_SEGMENT_ROWS, self.segment_bytes // (4 * dimension)))

    def fresh(self, dimension: int) -> int:
        """Return how many rows may wait to be sealed."""
        return min(self.rows(dimension), _FRESH_ROWS, self.fresh_bytes // (4 * dimension))

    def first_look(self, count: int) -> tuple[int, int]:
        """Return how many of each segment, and how many of all, are compared in full for the `count` most similar."""
        return max(self.look // 4, 2 * count), max(self.look, 4 * count)
