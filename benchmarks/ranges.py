"""Measure the ranges of the inputs of R-Net's and O-Net's layers over real photos, for int8 (`detection.nets.RANGES`).

This is not part of `make bench`. Run it when the networks change: `python -m benchmarks.ranges PATH...`
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import openvino

from facegroup.detection.mtcnn import Mtcnn
from facegroup.detection.nets import RANGES, Net
from facegroup.detection.nets_openvino import OpenVinoNets, graph
from facegroup.engines.precision import compiled_for
from facegroup.errors import ImageError
from facegroup.images import folders
from facegroup.images.decode import decode
from facegroup.settings import Limits
from facegroup.types import Floats

_OUTSIDE = 2e-5
"""Share of the numbers that each end of a range leaves out: of 1e-6 to 3e-4 what changes the answers least."""

_EACH = 13  # number is kept


class Listening(OpenVinoNets):
    """The networks in fp32, with a sample of the inputs of each layer of R-Net and O-Net."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.lane = self
        self.heard: dict[Net, list[list[Floats]]] = defaultdict(list)
        self._inside: dict[Net, Any] = {}
        for name in RANGES:
            model = graph(name)
            said = [each.output(0) for each in model.get_ordered_ops() if each.get_type_name() == "PRelu"]
            inside = openvino.Model(said[:-1], model.get_parameters())  # the last goes into the head
            inside.reshape([-1, *list(model.inputs[0].shape)[1:]])
            self._inside[name] = compiled_for(openvino.Core(), inside, "fp32", 1, name)

    def _run(self, name: Net, crops: Floats) -> Floats:
        layers = [crops, *self._inside[name](crops).values()]
        self.heard[name].append([each.ravel()[::_EACH].copy() for each in layers])
        return super()._run(name, crops)


def main() -> None:
    """Print the ranges over some photos."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="photos of people, or folders of them")
    nets = Listening()
    mtcnn, seen = Mtcnn(nets), 0
    for path in folders.photos(parser.parse_args().paths).files:
        try:
            photo = decode(path.read_bytes(), Limits()).image
        except ImageError as error:
            sys.stderr.write(f"{path}: {error}\n")
            continue
        mtcnn.detect([photo])
        seen += 1
    sys.stdout.write(f"{seen} photos\n")
    for name, batches in nets.heard.items():
        limits = [np.quantile(np.concatenate(layer), [_OUTSIDE, 1 - _OUTSIDE]) for layer in zip(*batches, strict=True)]
        sys.stdout.write(f"{name}: {', '.join(f'({least:.4g}, {most:.4g})' for least, most in limits)}\n")


if __name__ == "__main__":
    main()
