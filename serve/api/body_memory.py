"""How much memory the bodies of requests take together, from their first byte to their answer."""

_LARGE = 64
"""A body of more than one part in so many of the whole is large."""


class BodyMemory:
    """Bytes that bodies may take. The last quarter is kept for small ones, so that a few large ones refuse nobody else.

    Args:
        size: of the room, in bytes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.taken = 0

    def has(self, size: int, already: int = 0) -> bool:
        """Say whether a body may take so many bytes more, beside what it has already. One body alone always may."""
        small = size + already <= self._size // _LARGE
        return self.taken + size <= (self._size if small else self._size // 4 * 3) or self.taken == already

    def take(self, size: int) -> None:
        """Count bytes as taken."""
        self.taken += size

    def give(self, size: int) -> None:
        """Count bytes as free again."""
        self.taken -= size
