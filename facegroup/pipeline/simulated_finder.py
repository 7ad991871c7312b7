"""Simulate the detector: every photo has one face, found in a fixed time per batch without decoding.

This is the counterpart of networks/simulated.py, to measure everything around the networks.
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
    """`Finder` without a detector. Its crops have a single colour that depends on the photo's bytes.

    Args:
        settings: the settings with the time and size of a batch.
        spec: the network for the crops.
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
        """Return the made-up face of each photo. An empty photo is refused as usual."""
        self._device.work(len(photos))
        return [self._found(photo) if photo.data else EmptyBody("The image is empty (0 bytes).") for photo in photos]

    def decode(self, photo: Photo) -> Decoded | ImageError:
        """Return an empty picture without decoding."""
        return Decoded(np.empty((0, 0, 3), np.uint8), 1, _WIDTH, _HEIGHT)

    def beside(self) -> None:
        """Return None: the device does one thing at a time."""

    def warm(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def about(self) -> dict[str, str]:
        """Return the name of the simulation for each part."""
        return {"detector": NAME, "engine": NAME, "device": NAME}

    @property
    def liveness(self) -> None:
        """None: nobody says how live a simulated face is."""

    def _found(self, photo: Photo) -> DetectedFaces:
        crops = np.full((1, self._size, self._size, 3), zlib.crc32(photo.data) & 255, np.uint8)
        return DetectedFaces(_WIDTH, _HEIGHT, _FACES, _QUALITY, crops, detector=NAME)


_FACES = Faces(
    np.array([[75, 60, 175, 190]], np.float32),
    np.array([[[102, 110], [148, 110], [125, 138], [106, 162], [144, 162]]], np.float32),
    np.ones(1, np.float32),
)
_QUALITY = Quality(*(np.full(1, value, np.float32) for value in (100, 20, 0.5, 0.2, 0, 0, 0, 1)))
