"""Describe YuNet, or another network with outputs of its form (`YunetSpec`)."""

from dataclasses import dataclass
from typing import Literal

from facegroup.detection.detector import ConfidenceScale

YUNET = "yunet"
"""Name of the variant n of YuNet, as a value of `detector.model`."""


@dataclass(frozen=True, slots=True)
class YunetSpec:
    """Description of a network whose outputs have YuNet's form (`facegroup.detection.yunet_anchors.OUTPUTS`).

    Attributes:
        name: the name in answers and samples.
        scale: what its confidence means.
        channels: channel order of its input.
        mean: value to subtract from each channel, in the order of `channels`.
        divisor: number by which each channel is then divided.
        licence: licence of the weights, as stated by their publisher.
        source: path of the YAML file that describes it, or empty.
    """

    name: str
    scale: ConfidenceScale
    channels: Literal["RGB", "BGR"] = "BGR"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    divisor: tuple[float, float, float] = (1.0, 1.0, 1.0)
    licence: str = ""
    source: str = ""


YUNET_N = YunetSpec(
    name=YUNET,
    scale=ConfidenceScale(
        0.688,
        ((0.688, 0.8), (0.82, 0.9), (0.846, 0.95), (0.87, 0.97), (0.91, 0.995), (0.92, 0.999), (0.93, 0.9999)),
        lead=0.5,
        close=0.3,
    ),
    licence="Apache-2.0 (Shiqi Yu, libfacedetection.train)",
)
"""YuNet n: 75,856 parameters."""
