"""Ranges of the inputs of YuNet n's convolutions, for int8.

Over 46 photos of groups and portraits, without 2e-5 of the numbers at each end. The convolutions of the heads are not here:
they stay in fp32, because their outputs are scores and coordinates.
"""

from collections.abc import Mapping

RANGES: Mapping[str, tuple[float, float]] = {
    "Conv_0": (0.0, 255.0),
    "Conv_2": (0.0, 4.63),
    "Conv_3": (-3.922, 2.51),
    "Conv_6": (0.0, 5.174),
    "Conv_7": (-3.99, 3.339),
    "Conv_9": (0.0, 3.186),
    "Conv_10": (-2.279, 1.745),
    "Conv_12": (0.0, 2.645),
    "Conv_13": (-2.548, 1.872),
    "Conv_15": (0.0, 2.076),
    "Conv_16": (-1.069, 1.203),
    "Conv_19": (0.0, 1.639),
    "Conv_20": (-0.8373, 0.8459),
    "Conv_22": (0.0, 2.116),
    "Conv_23": (-1.222, 1.238),
    "Conv_26": (0.0, 3.066),
    "Conv_27": (-1.395, 1.208),
    "Conv_29": (0.0, 2.83),
    "Conv_30": (-1.172, 1.108),
    "Conv_33": (0.0, 2.754),
    "Conv_34": (-1.458, 1.22),
    "Conv_36": (0.0, 2.529),
    "Conv_37": (-0.768, 0.942),
    "Conv_39": (0.0, 2.328),
    "Conv_40": (-0.6396, 0.8873),
    "Conv_60": (0.0, 1.932),
    "Conv_61": (-0.5549, 0.5735),
    "Conv_45": (0.0, 2.665),
    "Conv_46": (-1.376, 1.254),
    "Conv_57": (0.0, 2.811),
    "Conv_58": (-1.197, 1.106),
    "Conv_51": (0.0, 3.189),
    "Conv_52": (-1.357, 1.601),
    "Conv_54": (0.0, 2.069),
    "Conv_55": (-1.637, 1.04),
}
"""By the name of the convolution in the ONNX file."""
