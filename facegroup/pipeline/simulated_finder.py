"""The detector on a device that is not there: every photo has one face, found in a fixed time a batch, nothing decoded.

The counterpart of networks/simulated.py, for measuring what is around the networks; see there.
"""

import zlib
from collections.abc import Callable, Sequence

import numpy as np

from facegroup.errors import EmptyBody, ImageError
from facegroup.images.decode import Decoded
from facegroup.networks.simulated import NAME, Device
from facegroup.networks.spec import NetworkSpec
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.messages import DetectedFaces, Photo, Quality
from facegroup.settings import Settings
from facegroup.types import Faces

_WIDTH, _HEIGHT = 250, 250


class SimulatedFinder(Finder):
    """A `Finder` without a detector; its crops are of one colour, which the photo's bytes decide.

    Args:
        settings: how long a batch takes, and how many photos are one.
        spec: the network that the crops are for.
    """

    def __init__(self, settings: Settings, spec: NetworkSpec) -> None:
        self._device = Device(settings.detector.simulated_ms, settings.detector.batch)
        self._size = spec.size

    def find(
        self,
        photos: Sequence[Photo],
        pictures: Sequence[Decoded | ImageError] | None = None,
        wanted: Callable[[int], bool] = lambda index: True,
    ) -> list[DetectedFaces | ImageError]:
        """Return the made-up face of each photo; a photo of no bytes is refused, as always."""
        self._device.work(len(photos))
        return [self._found(photo) if photo.data else EmptyBody("the image is empty") for photo in photos]

    def decode(self, photo: Photo) -> Decoded | ImageError:
        """Decode nothing."""
        return Decoded(np.empty((0, 0, 3), np.uint8), 1, _WIDTH, _HEIGHT)

    def beside(self) -> None:
        """The device does one thing at a time."""

    def warm(self) -> None:
        """There is nothing to warm."""

    def close(self) -> None:
        """There is nothing to let go."""

    def about(self) -> dict[str, str]:
        """Say that this is no detector."""
        return {"detector": NAME, "engine": NAME, "device": NAME}

    def _found(self, photo: Photo) -> DetectedFaces:
        crops = np.full((1, self._size, self._size, 3), zlib.crc32(photo.data) & 255, np.uint8)
        return DetectedFaces(_WIDTH, _HEIGHT, _FACES, _QUALITY, crops)


_FACES = Faces(
    np.array([[75, 60, 175, 190]], np.float32),
    np.array([[[102, 110], [148, 110], [125, 138], [106, 162], [144, 162]]], np.float32),
    np.ones(1, np.float32),
)
_QUALITY = Quality(*(np.full(1, value, np.float32) for value in (100, 20, 0.5, 0.2, 0, 0, 0, 1)))
