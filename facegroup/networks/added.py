"""Keep networks of one's own in the cache: a YAML file each, with its files in a folder of its name.

The YAML files are `<folder>/networks/<name>.yaml`. They are looked for in `model_dir`, then in `cache_dir`, where new ones
are written. One appears complete or not at all.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from facegroup.errors import InvalidSettings, UnknownNetwork
from facegroup.networks.description import NAME
from facegroup.settings import Settings

FOLDER = "networks"
_SUFFIX = ".yaml"


def find(name: str, settings: Settings) -> Path | None:
    """Return the YAML file of an added network, or None."""
    if not NAME.fullmatch(name):  # it becomes part of a path
        return None
    places = (folder / f"{name}{_SUFFIX}" for folder in _folders(settings))
    return next((path for path in places if path.is_file()), None)


def names(settings: Settings) -> list[str]:
    """Return the names of all added networks, sorted, usable or not."""
    found = (path.stem for folder in _folders(settings) for path in folder.glob(f"*{_SUFFIX}") if path.is_file())
    return sorted({name for name in found if NAME.fullmatch(name)})


def folder(settings: Settings) -> Path:
    """Return the folder in which networks are added."""
    return settings.cache_dir / FOLDER


def add(name: str, files: Sequence[Path], about: dict[str, object], settings: Settings, *, link: bool) -> Path:
    """Write the YAML file of a network, with its files beside it, and return its path.

    Args:
        name: the name, free and valid.
        files: the files on this machine, in the order of ``about["files"]``.
        about: the content of the YAML file; its files have the path ``NAME/FILE``.
        settings: the settings with `cache_dir`.
        link: whether to link to the files instead of copying them.

    Raises:
        InvalidSettings: the folder cannot be written, or the name is taken.
    """
    place = folder(settings)
    if name in names(settings) or (place / name).exists():
        raise InvalidSettings(
            f"Network {name} is there already. Choose another --name, or run: facegroup networks rm {name}"
        )
    try:
        place.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=place))
        try:
            return _made(making, name, files, about, link=link)
        except BaseException:  # Ctrl-C, too
            if not making.exists():  # it was renamed: what has the name is of this call
                (place / f"{name}{_SUFFIX}").unlink(missing_ok=True)
                shutil.rmtree(place / name, ignore_errors=True)
            shutil.rmtree(making, ignore_errors=True)
            raise
    except OSError as error:
        raise InvalidSettings(f"cache_dir: {place} cannot be written: {error.strerror or error}") from error


def remove(name: str, settings: Settings) -> None:
    """Remove an added network and its files from the cache; files that it links to stay.

    Raises:
        UnknownNetwork: no network of this name was added.
        InvalidSettings: it is in `model_dir`, or cannot be removed.
    """
    path = find(name, settings)
    if path is None:
        path = folder(settings) / f"{name}{_SUFFIX}"
        if not NAME.fullmatch(name) or not path.with_suffix("").is_dir():  # left behind by a process that was killed
            known = ", ".join(names(settings)) or "none"
            raise UnknownNetwork(f"No network {name!r} was added. Added: {known}.")
    if path.parent != folder(settings):
        raise InvalidSettings(f"{path} is in model_dir, where facegroup removes nothing. Remove it yourself.")
    try:
        path.unlink(missing_ok=True)
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)
    except OSError as error:
        raise InvalidSettings(f"{path} cannot be removed: {error.strerror or error}") from error


def _made(making: Path, name: str, files: Sequence[Path], about: dict[str, object], *, link: bool) -> Path:
    for file in files:
        if link:
            (making / file.name).symlink_to(file.absolute())
        else:
            shutil.copyfile(file, making / file.name)
    text = yaml.safe_dump(about, sort_keys=False, allow_unicode=True, width=110)
    (making / _SUFFIX).write_text(text)
    making.chmod(0o755)
    place = making.rename(making.with_name(name))
    # The YAML file comes last, so that a network is there with its files or not at all.
    return (place / _SUFFIX).rename(place.with_name(f"{name}{_SUFFIX}"))


def _folders(settings: Settings) -> Iterator[Path]:
    for base in (settings.model_dir, settings.cache_dir):
        if base is not None:
            yield base / FOLDER
