"""Faces that never were: samples with descriptors drawn at random, the same for the same number."""

from dataclasses import replace

import numpy as np

from facegroup.types import Calibration, CohortMember, Floats, Sample

D = 16
NETWORK = "a-network"
CALIBRATION = Calibration(
    *(0.55, 0.01, (0.004, 0.02), 0.97, (0.94, 0.99), NETWORK, 40, 200, 500, 1.7e9),
    ((0.1, 1.0), (0.55, 0.01), (0.8, 0.0)),
)


def descriptor(number: int, dimension: int = D) -> Floats:
    vector = np.random.default_rng(number).normal(size=dimension)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def strangers(*numbers: int, dimension: int = D) -> list[CohortMember]:
    return [CohortMember(photo_id(number), descriptor(number, dimension)) for number in numbers]


def photo_id(number: int) -> str:
    return f"{number:064x}"


def sample(number: int) -> Sample:
    return Sample(photo_id(number), descriptor(number), b"jpeg %d" % number)


def mean_of(numbers: list[int]) -> Floats:
    mean = np.mean([descriptor(number) for number in numbers], axis=0, dtype=np.float64)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def counter(number: int) -> Sample:
    """Return the sample as a counter-example."""
    return replace(sample(number), counter=True)
