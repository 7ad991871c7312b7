"""The first key of a server that has none: made at its start, into a file that only its user can read.

Containers and clusters listen on all addresses, so they never answer without keys. Where the file exists, as a secret of
Kubernetes does, its content is the key.
"""

import logging
import os
import socket
from contextlib import suppress
from pathlib import Path

from facegroup.access import secrets
from facegroup.access.registry import Registry
from facegroup.access.secrets import Secret
from facegroup.errors import FacegroupError, InvalidSettings

log = logging.getLogger(__name__)

_NOTE = "first key"


def ensure(registry: Registry, path: Path, by: str = "start") -> str:
    """Make the first key, if the registry never had one; return a line that says where it is, or an empty one.

    Args:
        registry: of the keys.
        path: file that the key is written to, or is read from.
        by: who makes it, for the audit log.

    Raises:
        InvalidSettings: the file cannot be written or read, or holds no key.
        StoreUnavailable: the store does not answer. Nothing is written.
    """
    if registry.version():
        return ""
    secret, made = _read(path), False
    if secret is None:
        secret, made = secrets.make(), True
        _write(path, secret)
    try:
        key = registry.add_first(secret, _NOTE, by)
    except FacegroupError:
        if made:
            _remove(path)
        raise
    if key is None:  # another process was faster
        if made:
            _remove(path)
        return ""
    return f"the admin key is in {path} on {socket.gethostname()}, which only its user can read"


def _read(path: Path) -> Secret | None:
    """Return the key in a file, None if there is no file."""
    try:
        text = path.read_bytes()[:1000].decode("ascii", "replace").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidSettings(f"access.first_key: {path} cannot be read: {error.strerror}") from error
    found = secrets.read(text)
    if found is None:
        raise InvalidSettings(
            f"access.first_key: {path} holds no key of facegroup. Write one into it that `facegroup keys make` prints, or "
            "remove the file, so that the next start makes one."
        )
    return found


def _write(path: Path, secret: Secret) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"{secret.text}\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise InvalidSettings(f"access.first_key: another process writes {path} now; start again") from error
    except OSError as error:
        raise InvalidSettings(f"access.first_key: {path} cannot be written: {error.strerror}") from error


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
