"""The keys that encrypt a store, read from the settings: as they stand there, from a file, or from a command's output."""

import logging
import shlex
import stat
import subprocess
from pathlib import Path

from facegroup.errors import InvalidSettings
from facegroup.settings import Settings
from facegroup.store.encryption import SecretKeys, read_keys

log = logging.getLogger(__name__)

SECONDS = 30.0
"""For so long a command may take."""

_LARGEST = 1 << 16  # bytes of a file or an answer


def secret_keys(settings: Settings) -> SecretKeys:
    """Return the keys of the settings; without one values are kept plain.

    A file or a command is read each time. A file that others than its owner may read is logged.

    Raises:
        InvalidSettings: there is no valid key in what is set.
    """
    if settings.secret_key is not None:
        return read_keys(settings.secret_key.get_secret_value(), "FACEGROUP_SECRET_KEY")
    if settings.secret_key_file is not None:
        return read_keys(_content(settings.secret_key_file), f"{settings.secret_key_file}")
    if settings.secret_key_command is not None:
        return read_keys(_answer(settings.secret_key_command), "the answer of FACEGROUP_SECRET_KEY_COMMAND")
    return SecretKeys()


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            data = file.read(_LARGEST)
    except OSError as error:
        raise InvalidSettings(f"The key file {path} cannot be read: {error.strerror}.") from None
    if mode & 0o077:
        log.warning("%s can be read by others than its owner. Run: chmod 600 %s", path, shlex.quote(str(path)))
    return _text(data, str(path))


def _answer(command: str) -> str:
    # Nothing of what it prints is shown: it may hold the key.
    what = "FACEGROUP_SECRET_KEY_COMMAND"
    try:
        words = shlex.split(command)
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise InvalidSettings(
            f"{what} did not end within {SECONDS:g} seconds. It must print the key and end."
        ) from None
    except (OSError, ValueError, IndexError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not a command"
        raise InvalidSettings(f"{what} cannot be run: {why}.") from None
    if done.returncode:
        raise InvalidSettings(f"{what} failed with status {done.returncode}. Run it by hand to see why.")
    return _text(done.stdout[:_LARGEST], f"the answer of {what}")


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode("ascii")
    except UnicodeDecodeError:
        raise InvalidSettings(f"{where} is not a valid key. Make one with `facegroup secret-key`.") from None
