"""Made-up people whose descriptors hold who they are in a few numbers, and noise in the others: a projection can help."""

import numpy as np

from facegroup.types import Descriptors

DIMENSION = 128


class People:
    """Draws descriptors of people.

    Args:
        seed: of what is drawn.
        noise: in the numbers that say nothing; with 0 there is nothing to gain.
        within: how far photos of one person are apart.
    """

    def __init__(self, seed: int = 0, noise: float = 0.6, within: float = 0.25) -> None:
        self._draw = np.random.default_rng(seed)
        self._noise, self._within = noise, within

    def person(self, photos: int) -> Descriptors:
        """Return so many descriptors of somebody new, (photos, 128) of unit length."""
        own = self._draw.normal(size=16)
        signal = own + self._within * self._draw.normal(size=(photos, 16))
        rows = np.concatenate([signal, self._noise * self._draw.normal(size=(photos, DIMENSION - 16))], axis=1)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)
