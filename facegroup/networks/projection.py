"""Read and write a network's learned projection on disk.

The folder `<folder>/projections/<base>+<name>/` has `manifest.json` (description, origin, sha256 of itself and of the
matrix) and `matrix.npz` ((k, d) float32, no pickle). Projections are searched for in `model_dir`, then in `cache_dir`, where
new ones are written. One appears complete or not at all, and is never replaced, because galleries are pinned to its name.
"""

import hashlib
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facegroup.errors import InvalidName, InvalidSettings, MalformedRequest, UnknownNetwork, WeightsInvalid
from facegroup.networks.spec import NetworkSpec
from facegroup.settings import Settings
from facegroup.types import Floats

FOLDER = "projections"
FORMAT = 1
JOINT = "+"
"""Between the name of the base and the name of the projection."""

_MANIFEST, _MATRIX = "manifest.json", "matrix.npz"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_FIELDS = {"format": int, "network": str, "base": str, "base_sha256": str, "dimension": int, "threshold": float,
           "threshold_source": str, "matrix_sha256": str, "sha256": str}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A linear map of one network's unit descriptors.

    Attributes:
        spec: the network that base and projection form together.
        base_sha256: fingerprint of the base's weights on which it was learned.
        matrix: (k, d) float32.
        manifest: its description.
    """

    spec: NetworkSpec
    base_sha256: str
    matrix: Floats
    manifest: Mapping[str, Any]


def full_name(base: str, name: str) -> str:
    """Return the network name of a base's projection.

    Raises:
        InvalidName: the projection's name is not 1 to 32 characters of ``[a-z0-9-]``.
    """
    if _NAME.fullmatch(name) is None:
        raise InvalidName("Invalid projection name. Use 1 to 32 characters of a-z, 0-9 and -, not beginning with -.")
    return f"{base}{JOINT}{name}"


def names(settings: Settings) -> list[str]:
    """Return the names of all projections in the folders, sorted, usable or not."""
    found = (path.name for folder in _folders(settings) for path in folder.glob(f"*{JOINT}*") if path.is_dir())
    return sorted({name for name in found if not name.startswith(".")})


def read(name: str, base: NetworkSpec, settings: Settings) -> Projection:
    """Return an installed projection.

    Args:
        name: name of the network, such as ``retail-0095+mygroup``.
        base: the network before the ``+``.
        settings: the settings with the folders to search.

    Raises:
        UnknownNetwork: no projection has this name.
        WeightsInvalid: its files are damaged, or belong to another network.
    """
    # The name is checked before it becomes part of a path, so it cannot lead out of the folder.
    good = name.startswith(base.name + JOINT) and _NAME.fullmatch(name.removeprefix(base.name + JOINT))
    places = [folder / name for folder in _folders(settings) if good and (folder / name).is_dir()]
    if not places:
        known = ", ".join(names(settings)) or "none"
        raise UnknownNetwork(f"Unknown network {name!r}: no such projection is installed. Installed: {known}.")
    try:
        return _read(places[0], name, base)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise WeightsInvalid(
            f"{places[0]} is damaged: {error}. Restore a complete copy, or train it again under another name."
        ) from error


def tag(settings: Settings) -> tuple[str, ...]:
    """Return a cache key that tells the chosen projection from an earlier one of its name. It is empty for other networks.

    Raises:
        WeightsInvalid: the projection's manifest is damaged.
    """
    for folder in _folders(settings):
        path = folder / settings.network / _MANIFEST
        if JOINT in settings.network and path.is_file():
            try:
                return (str(json.loads(path.read_text())["matrix_sha256"])[:12],)
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise WeightsInvalid(f"{path} is damaged: {error}") from error
    return ()


def check_free(name: str, settings: Settings) -> None:
    """Refuse a name that is already used.

    Raises:
        MalformedRequest: the name is already used.
    """
    if name in names(settings):
        raise MalformedRequest(
            f"Network {name!r} already exists, and galleries may be pinned to it. Choose another --name."
        )


def write(matrix: Floats, manifest: Mapping[str, Any], settings: Settings) -> Path:
    """Install a projection, and return its folder.

    Args:
        matrix: (k, d).
        manifest: its description, as `Projection.manifest` without the checksums.
        settings: the settings with `cache_dir`, where it is written.

    Raises:
        MalformedRequest: the name is already used.
        InvalidSettings: the folder cannot be written.
    """
    check_free(manifest["network"], settings)
    file = io.BytesIO()
    np.savez(file, matrix=np.asarray(matrix, np.float32))
    told = {**manifest, "format": FORMAT, "dimension": len(matrix)}
    told["matrix_sha256"] = hashlib.sha256(file.getvalue()).hexdigest()
    told["sha256"] = _digest(told)
    folder = settings.cache_dir / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=folder))
        try:
            (making / _MATRIX).write_bytes(file.getvalue())
            (making / _MANIFEST).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
            making.chmod(0o755)
            return making.rename(folder / str(manifest["network"]))
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        raise InvalidSettings(f"cache_dir: {folder} cannot be written: {error}") from error


def _read(place: Path, name: str, base: NetworkSpec) -> Projection:
    manifest = json.loads((place / _MANIFEST).read_text())
    if not isinstance(manifest, dict):
        raise ValueError("the manifest is not a JSON object")
    wrong = [field for field, kind in _FIELDS.items() if not isinstance(manifest.get(field), kind)]
    if wrong:
        raise ValueError(f"the manifest lacks {', '.join(wrong)}")
    if manifest["format"] != FORMAT:
        raise ValueError(f"its format is {manifest['format']}, but this version reads {FORMAT}")
    if manifest["sha256"] != _digest(manifest):
        raise ValueError("the checksum of the manifest is wrong")
    if (manifest["network"], manifest["base"]) != (name, base.name):
        raise ValueError(f"it contains {manifest['network']}, based on {manifest['base']}")
    if not -1 <= manifest["threshold"] <= 1:
        raise ValueError(f"its threshold is {manifest['threshold']}")
    data = (place / _MATRIX).read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest["matrix_sha256"]:
        raise ValueError("the checksum of the matrix is wrong")
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        matrix = np.asarray(kept["matrix"], np.float32)
    if matrix.shape != (manifest["dimension"], base.dimension) or not np.isfinite(matrix).all():
        raise ValueError(f"the matrix has shape {matrix.shape} or is not finite")
    return Projection(_spec(base, manifest), manifest["base_sha256"], matrix, manifest)


def _spec(base: NetworkSpec, manifest: Mapping[str, Any]) -> NetworkSpec:
    return replace(
        base,
        name=manifest["network"],
        title=f"a projection of {base.name}, learned on your own people",
        dimension=manifest["dimension"],
        threshold=manifest["threshold"],
        threshold_source=manifest["threshold_source"],
        cohort_threshold=None,  # the base's was measured on its own descriptors
        base=base.name,
    )


def _digest(manifest: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _folders(settings: Settings) -> Iterator[Path]:
    for folder in (settings.model_dir, settings.cache_dir):
        if folder is not None:
            yield folder / FOLDER
