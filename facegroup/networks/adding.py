"""Add a network of one's own to the cache: describe its file, try it, and keep it only if it can be used."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from facegroup.errors import FacegroupError, InvalidSettings, WeightsInvalid
from facegroup.networks import added, description, onnx_file, registry
from facegroup.networks.embedder import open_embedder
from facegroup.networks.spec import ONNX, NetworkSpec
from facegroup.networks.weights import sha256
from facegroup.settings import Settings


def add(
    file: Path,
    template: str,
    licence: str,
    name: str | None,
    given: Mapping[str, Any],
    settings: Settings,
    *,
    link: bool = False,
) -> tuple[NetworkSpec, Path]:
    """Add a network, and return it with the path of its YAML file.

    Args:
        file: its ONNX file, or its IR (.xml, with the .bin beside it).
        template: one of `crop_templates`.
        licence: licence of its weights.
        name: its name; None takes that of the file.
        given: what the YAML file says beside these, such as ``dimension``. Without that, it is read from the file.
        settings: the settings with the cache, and the engine that it is tried on.
        link: whether to link to the files instead of copying them.

    Raises:
        InvalidSettings: a value is wrong, or the name is taken.
        WeightsInvalid: the file cannot be used. Nothing is kept.
    """
    called = _name(file) if name is None else name
    if called in registry.SPECS or not description.NAME.fullmatch(called):
        raise InvalidSettings(
            f"--name {called!r} cannot be used. Give 1 to 64 of a-z, 0-9, '.', '_' and '-' that name no network yet."
        )
    files = _files(file)
    about: dict[str, object] = {
        "name": called,
        "files": [
            {"file": f"{called}/{each.name}", "sha256": sha256(each), "bytes": each.stat().st_size} for each in files
        ],
        "template": template,
        "licence": licence,
        **given,
    }
    about.setdefault("dimension", _dimension(file))
    wanted = description.parse(about, Path(f"{called}.yaml"))
    if file.suffix.lower() == ONNX:
        onnx_file.checked(wanted, files)
    path = added.add(called, files, about, settings, link=link)
    try:
        open_embedder(settings.model_copy(update={"network": called}))
    except BaseException as error:  # Ctrl-C, too
        added.remove(called, settings)
        if not isinstance(error, FacegroupError):
            raise
        # What was copied is gone again; the message names the file that was given.
        raise type(error)(error.detail.replace(str(path.with_suffix("") / file.name), str(file))) from error
    return registry.spec(called, settings), path


def _files(file: Path) -> tuple[Path, ...]:
    """Return the file and those that hold its weights, all of which are there."""
    if not file.is_file():
        raise InvalidSettings(f"{file} is not a file.")
    if file.suffix.lower() == ".xml":
        weights = file.with_suffix(".bin")
        if not weights.is_file():
            raise WeightsInvalid(f"{file} needs {weights.name} beside it, which is missing.")
        return file, weights
    found = onnx_file.inspect(file)
    beside = tuple(file.parent / location for location in found.external)
    onnx_file.check_external(found, tuple(path for path in beside if path.is_file()))
    if any("/" in location for location in found.external):
        raise WeightsInvalid(
            f"{file} has its weights in a folder below its own. Put them beside it, and say so in the file."
        )
    return file, *beside


def _dimension(file: Path) -> int:
    numbers: set[int | None]
    if file.suffix.lower() == ONNX:
        numbers = set(onnx_file.numbers(onnx_file.inspect(file)))
    else:
        import openvino

        try:
            outputs = openvino.Core().read_model(file).outputs
        except RuntimeError as error:
            raise WeightsInvalid(f"{file} cannot be read by OpenVINO.") from error
        shapes = [list(each.partial_shape)[1:] for each in outputs]
        static = [shape for shape in shapes if all(side.is_static for side in shape)]
        numbers = {math.prod(side.get_length() for side in shape) for shape in static}
    numbers -= {None, 1}
    if len(numbers) != 1:
        raise InvalidSettings(f"{file} does not say how many numbers it gives a face. Give --dimension.")
    return int(numbers.pop() or 0)


def _name(file: Path) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._") or "mine"
