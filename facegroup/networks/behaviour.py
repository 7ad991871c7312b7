"""Try a network of one's own on drawn faces before it serves, and say clearly what is wrong with what it answers.

A wrong mean, scale or template raises no error in any engine: the numbers only mean less. Measured with retail-0095: right,
it finds each of the eight drawn faces again at a brightness of 85 %; with a wrong mean or scale at most five of them.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from facegroup.engines.onnx_runtime import said
from facegroup.engines.precision import LEAST, agreement
from facegroup.errors import EngineUnavailable, WeightsInvalid
from facegroup.networks import drawn_faces
from facegroup.networks.spec import Engine, NetworkSpec

_SAME = {"fp32": 1e-3}  # of the length of an embedding
_SAME_ROUNDED = 0.05  # for a precision that rounds more: a cosine of 0.999
_ALIKE = 0.999
_BRIGHTNESS = 0.85
_FOUND = drawn_faces.COUNT - 1


def check(engine: Engine, spec: NetworkSpec, path: Path, precision: str = "fp32") -> None:
    """Refuse a network whose descriptors cannot be used.

    Args:
        engine: the engine that runs it.
        spec: the network.
        path: its file, for messages.
        precision: the precision that it runs in.

    Raises:
        WeightsInvalid: embeddings are not finite or zero, change from run to run or with the batch, are the same for
            different faces, or change more with the light than from face to face.
    """
    same = _SAME.get(precision, _SAME_ROUNDED)
    crops = drawn_faces.faces(spec.size)
    try:
        rows = engine.run(crops)
    except RuntimeError as error:
        raise WeightsInvalid(f"{path} cannot take the crops of {spec.name}: {said(error)}") from error
    if not np.isfinite(rows).all():
        raise WeightsInvalid(f"{path} gives numbers that are not finite (NaN or infinity). {_preprocessing(spec)}")
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    if not lengths.all():
        raise WeightsInvalid(f"{path} gives only zeros for a face. {_preprocessing(spec)}")
    # One face, since a large network takes a second for a few.
    alone, again = engine.run(crops[:1]), engine.run(crops[:1])
    if not np.linalg.norm(alone - again) <= same * lengths[0]:
        raise WeightsInvalid(
            f"{path} gives other numbers for the same face the second time. Export it for inference (model.eval()), "
            "without dropout or random numbers."
        )
    if not np.linalg.norm(rows[0] - alone) <= same * lengths[0]:
        raise WeightsInvalid(
            f"{path} gives other numbers for a face alone than in a batch. Export it for inference (model.eval()), or set "
            "batch to 1."
        )
    unit = rows / lengths[:, None]
    others = unit @ unit.T - 2 * np.eye(len(unit))
    if others.max() > _ALIKE:
        raise WeightsInvalid(
            f"{path} gives the same descriptor for different faces (cosine {others.max():.4f}). {_preprocessing(spec)}"
        )
    darker = engine.run(drawn_faces.at_brightness(crops, _BRIGHTNESS)).astype(np.float64)
    found = int((np.argmax(unit @ darker.T, axis=0) == np.arange(len(unit))).sum())
    if found < _FOUND:
        raise WeightsInvalid(
            f"{path} finds only {found} of {len(unit)} drawn faces again at {_BRIGHTNESS:.0%} of their brightness. "
            f"{_preprocessing(spec)}"
        )


def check_precision(engine: Engine, spec: NetworkSpec, precision: str, in_fp32: Callable[[], Engine]) -> str:
    """Refuse a network in a precision in which it is too far from fp32, and return how near it is.

    Args:
        engine: the engine that runs it.
        spec: the network.
        precision: the precision.
        in_fp32: opens the same network in fp32.

    Raises:
        EngineUnavailable: it is too far; the message has the figure.
    """
    crops = drawn_faces.faces(spec.size)
    found = agreement(in_fp32().run(crops), engine.run(crops))
    if not found.mean >= LEAST[precision]:
        raise EngineUnavailable(
            f"{spec.name} in {precision} is too far from fp32: {found}. The mean must be at least {LEAST[precision]}. Set "
            "embedder.precision to fp32."
        )
    return str(found)


def _preprocessing(spec: NetworkSpec) -> str:
    mean, scale = (", ".join(f"{each:g}" for each in values) for values in (spec.mean, spec.scale))
    return f"Check template, channels ({spec.channels}), mean ({mean}) and scale ({scale}): it gets (pixel − mean) / scale."
