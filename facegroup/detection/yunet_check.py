"""Check a network of YuNet's form before it is used: a file of one's own may be anything."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facegroup.detection.yunet import YunetNet
from facegroup.detection.yunet_anchors import OUTPUTS, STRIDES, WIDTHS
from facegroup.detection.yunet_spec import YunetSpec
from facegroup.errors import WeightsInvalid
from facegroup.types import Floats, Image

_SIZES = ((128, 128), (128, 192))
_SAME = 0.01


def check(net: YunetNet, spec: YunetSpec, path: Path) -> None:
    """Run the network on drawn images of two sizes.

    Raises:
        WeightsInvalid: its outputs have another shape, are not finite or not probabilities, differ when it runs again, or
            depend on the other images of a batch.
    """
    for height, width in _SIZES:
        images = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), np.uint8)
        try:
            both, again, alone = (_outputs(net, each) for each in (images, images, images[:1]))
        except RuntimeError as error:
            last = str(error).strip().splitlines()[-1]
            raise WeightsInvalid(f"{path} cannot be used as {spec.name}: {last}") from error
        for index, name in enumerate(OUTPUTS):
            _check_output(f"{path}: the output {name}", name, both[index], height, width)
            if not np.array_equal(both[index], again[index]):
                raise WeightsInvalid(f"{path}: the output {name} differs when the same image is given again.")
            if np.abs(both[index][:1] - alone[index]).max() > _SAME:
                raise WeightsInvalid(f"{path}: the output {name} of an image depends on the others of its batch.")


def _check_output(what: str, name: str, values: Floats, height: int, width: int) -> None:
    part, _, stride = name.partition("_")
    anchors = (height // int(stride)) * (width // int(stride))
    expected = (2, anchors, WIDTHS[part])
    if values.shape != expected:
        raise WeightsInvalid(
            f"{what} has the shape {values.shape} for two images of {width} × {height} pixels. It should be {expected}, one "
            f"anchor for each {stride} pixels (strides {', '.join(map(str, STRIDES))})."
        )
    if not np.isfinite(values).all():
        raise WeightsInvalid(f"{what} has numbers that are not finite.")
    if part in ("cls", "obj") and not ((values >= 0) & (values <= 1)).all():
        raise WeightsInvalid(
            f"{what} should be probabilities, 0 to 1, and has {values.min():.3g} to {values.max():.3g}. Export the network "
            "with its sigmoid."
        )


def _outputs(net: YunetNet, images: Image) -> Sequence[Floats]:
    with net.inferred(images) as outputs:
        return [np.array(each) for each in outputs]
