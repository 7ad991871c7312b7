"""Find a network's weights files in the model folder or among the downloads, or download them, and verify them."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from facegroup.errors import WeightsInvalid, WeightsMissing
from facegroup.networks.onnx_file import refuse_foreign
from facegroup.networks.registry import SPECS, installed
from facegroup.networks.spec import ONNX, RECORD, NetworkSpec, WeightsFile
from facegroup.settings import Settings

_DEPTH = 3


def downloads(settings: Settings) -> Path:
    """Return the folder for downloads."""
    return settings.cache_dir / "weights"


def find(file: WeightsFile, network: str, settings: Settings, source: str = "") -> Path | None:
    """Return the path of a weights file on this machine, or None.

    The file is searched for in `model_dir`, then among the downloads, as ``<dir>/<name>``, ``<dir>/<network>/<name>``, then
    up to two folders deep, such as ``<dir>/face-reidentification-retail-0095/FP16/<name>``. If there are several, the first
    one with the published size is returned: a folder may have a network in two precisions under one file name.

    Args:
        file: the file.
        network: name of the network.
        settings: the settings with the folders.
        source: the YAML file that names it; its folder comes first, and a path is only looked for from there.
    """
    beside = [Path(source).parent / file.name] if source else []
    places = beside if source and not file.url else (*beside, *_places(file, network, settings))
    found = [path for path in places if path.is_file()]
    fitting = [path for path in found if not file.bytes or path.stat().st_size == file.bytes]
    return next(iter(fitting or found), None)


def ready(spec: NetworkSpec, settings: Settings) -> bool:
    """Return whether a network can start on this machine without a download: its files and packages are installed."""
    network = spec.base or spec.name
    return installed(spec) and all(find(file, network, settings, spec.source) is not None for file in spec.weights)


def fetch(spec: NetworkSpec, settings: Settings) -> tuple[Path, ...]:
    """Return a network's verified weights files in the order of the spec, downloading the missing ones.

    Raises:
        WeightsMissing: a file is missing and cannot be downloaded. The message has its name, its URL, where to put it, and
            which other networks are ready.
        WeightsInvalid: a file is not the published one.
    """
    try:
        return fetch_files(spec.weights, spec.base or spec.name, settings, spec.source)
    except WeightsMissing as error:
        raise WeightsMissing(f"{error.detail} {_others(spec, settings)}") from error


def fetch_files(files: Sequence[WeightsFile], network: str, settings: Settings, source: str = "") -> tuple[Path, ...]:
    """Return the verified weights files of a network, embedder or not, downloading the missing ones; see `fetch`."""
    return tuple(_fetch(file, network, settings, source) for file in files)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(file: WeightsFile, network: str, settings: Settings, source: str) -> Path:
    path = find(file, network, settings, source)
    if path is not None:
        if file.name.lower().endswith(ONNX):
            refuse_foreign(path)
        _verify(path, file)
        return path
    if not file.url:
        raise WeightsMissing(
            f"Network {network} needs {Path(source).parent / file.name}, as {source} says, but there is no such "
            "file. Put it there, or correct the path."
        )
    target = downloads(settings) / network / file.name
    try:
        from facegroup.networks.download import Downloader  # and with it httpx and rich, which few processes need

        Downloader(file).to(target)
    except WeightsMissing as error:
        raise WeightsMissing(_missing(file, network, settings, error.detail)) from error
    return target


def _verify(path: Path, file: WeightsFile) -> None:
    size = path.stat().st_size
    if file.bytes and size != file.bytes:
        raise WeightsInvalid(f"{path} has {size:,} bytes, expected {file.bytes:,}. Remove it or download it again.")
    record = path.with_name(path.name + RECORD)
    expected = file.sha256 or (json.loads(record.read_text())["sha256"] if record.is_file() else "")
    if expected and (actual := sha256(path)) != expected:
        raise WeightsInvalid(f"{path} has the sha256 {actual}, expected {expected}. Remove it or download it again.")


def _places(file: WeightsFile, network: str, settings: Settings) -> Iterator[Path]:
    for folder in (settings.model_dir, downloads(settings)):
        if folder is None:
            continue
        yield folder / file.name
        yield folder / network / file.name
        for depth in range(1, _DEPTH):
            yield from sorted(folder.glob("*/" * depth + file.name))


def _missing(file: WeightsFile, network: str, settings: Settings, why: str) -> str:
    size = f"{file.bytes:,} bytes" if file.bytes else "size not published"
    digest = f"sha256 {file.sha256}" if file.sha256 else "no sha256 published"
    places = [settings.model_dir, downloads(settings)] if settings.model_dir else [downloads(settings)]
    return (
        f"Network {network} needs {file.name} ({size}, {digest}), but the download failed: {why}. "
        f"Download it from {file.url} and put it into {' or '.join(str(place) for place in places)}."
    )


def _others(spec: NetworkSpec, settings: Settings) -> str:
    others = [other.name for other in SPECS.values() if other.name != spec.name and ready(other, settings)]
    return f"Ready on this machine: {', '.join(others)}." if others else "No other network is ready on this machine."
