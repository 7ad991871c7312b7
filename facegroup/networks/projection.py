"""A network's learned projection on disk: a name goes in, its matrix and its `NetworkSpec` come out, checked.

`<folder>/projections/<base>+<name>/` holds `manifest.json` (what it is, where it comes from, sha256 of itself and of the
matrix) and `matrix.npz` ((k, d) float32, no pickle). Looked for in `model_dir`, then in `cache_dir`, where new ones are
put. It appears whole or not at all, and is never replaced: galleries are pinned to its name.
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
        spec: the network that base and projection are together.
        base_sha256: fingerprint of the base's weights that it was learned on.
        matrix: (k, d) float32.
        manifest: everything that is told about it.
    """

    spec: NetworkSpec
    base_sha256: str
    matrix: Floats
    manifest: Mapping[str, Any]


def full_name(base: str, name: str) -> str:
    """Return the network's name of a base's projection.

    Raises:
        InvalidName: it is not 1 to 32 characters of ``[a-z0-9-]``.
    """
    if _NAME.fullmatch(name) is None:
        raise InvalidName("a projection's name is 1 to 32 characters of a-z, 0-9 and -, and begins with no -")
    return f"{base}{JOINT}{name}"


def names(settings: Settings) -> list[str]:
    """Return the names of what lies in the folders, sorted, whether it can be used or not."""
    found = (path.name for folder in _folders(settings) for path in folder.glob(f"*{JOINT}*") if path.is_dir())
    return sorted({name for name in found if not name.startswith(".")})


def read(name: str, base: NetworkSpec, settings: Settings) -> Projection:
    """Return an installed projection.

    Args:
        name: of the network, such as ``retail-0095+mygroup``.
        base: the network before the ``+``.
        settings: where it is looked for.

    Raises:
        UnknownNetwork: there is none of this name.
        WeightsInvalid: its files are damaged, or of another network.
    """
    # No name leads out of the folder: what comes after the base is checked before it becomes a path.
    good = name.startswith(base.name + JOINT) and _NAME.fullmatch(name.removeprefix(base.name + JOINT))
    places = [folder / name for folder in _folders(settings) if good and (folder / name).is_dir()]
    if not places:
        known = ", ".join(names(settings)) or "none"
        raise UnknownNetwork(f"there is no network {name!r}: no projection of this name is installed (there: {known})")
    try:
        return _read(places[0], name, base)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise WeightsInvalid(
            f"{places[0]} is damaged: {error}; put back a whole copy, or learn it anew under another name"
        ) from error


def tag(settings: Settings) -> tuple[str, ...]:
    """Return what tells the chosen projection from an earlier one of its name, for a cache; nothing for other networks.

    Raises:
        WeightsInvalid: its manifest is damaged.
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
    """Refuse a name that is taken.

    Raises:
        MalformedRequest: as said.
    """
    if name in names(settings):
        raise MalformedRequest(
            f"there is a network {name!r} already, and galleries may be pinned to it: choose another --name"
        )


def write(matrix: Floats, manifest: Mapping[str, Any], settings: Settings) -> Path:
    """Install a projection, and return its folder.

    Args:
        matrix: (k, d).
        manifest: what is told about it, as `Projection.manifest`, less the checksums.
        settings: `cache_dir` is where it goes.

    Raises:
        MalformedRequest: the name was taken meanwhile.
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
        raise ValueError("the manifest is no object")
    wrong = [field for field, kind in _FIELDS.items() if not isinstance(manifest.get(field), kind)]
    if wrong:
        raise ValueError(f"the manifest lacks {', '.join(wrong)}")
    if manifest["format"] != FORMAT:
        raise ValueError(f"its format is {manifest['format']}, and this version reads {FORMAT}")
    if manifest["sha256"] != _digest(manifest):
        raise ValueError("the manifest is not as it was written")
    if (manifest["network"], manifest["base"]) != (name, base.name):
        raise ValueError(f"it is {manifest['network']}, of {manifest['base']}")
    if not -1 <= manifest["threshold"] <= 1:
        raise ValueError(f"its threshold is {manifest['threshold']}")
    data = (place / _MATRIX).read_bytes()
    if hashlib.sha256(data).hexdigest() != manifest["matrix_sha256"]:
        raise ValueError("the matrix is not as it was written")
    with np.load(io.BytesIO(data), allow_pickle=False) as kept:
        matrix = np.asarray(kept["matrix"], np.float32)
    if matrix.shape != (manifest["dimension"], base.dimension) or not np.isfinite(matrix).all():
        raise ValueError(f"the matrix is of {matrix.shape}")
    return Projection(_spec(base, manifest), manifest["base_sha256"], matrix, manifest)


def _spec(base: NetworkSpec, manifest: Mapping[str, Any]) -> NetworkSpec:
    return replace(
        base,
        name=manifest["network"],
        title=f"a projection of {base.name}, learned on one's own people",
        dimension=manifest["dimension"],
        threshold=manifest["threshold"],
        threshold_source=manifest["threshold_source"],
        base=base.name,
    )


def _digest(manifest: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _folders(settings: Settings) -> Iterator[Path]:
    for folder in (settings.model_dir, settings.cache_dir):
        if folder is not None:
            yield folder / FOLDER
