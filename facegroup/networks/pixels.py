"""Turn crops into the numbers that a network takes, where its graph does not do it itself."""

import numpy as np

from facegroup.networks.spec import NetworkSpec
from facegroup.types import Crops, Floats


def network_pixels(crops: Crops, spec: NetworkSpec, layout: str) -> Floats:
    """Return (n, s, s, 3) uint8 RGB crops as float32 in the channel order, mean and scale of a network.

    Args:
        crops: the crops.
        spec: the network.
        layout: ``NCHW`` or ``NHWC``.

    Returns:
        C-contiguous (n, 3, s, s) or (n, s, s, 3): (pixel − mean) / scale.
    """
    pixels = crops[..., :: -1 if spec.channels == "BGR" else 1].astype(np.float32)
    pixels -= np.asarray(spec.mean, np.float32)
    if set(spec.scale) != {1.0}:
        pixels /= np.asarray(spec.scale, np.float32)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2) if layout == "NCHW" else pixels)
