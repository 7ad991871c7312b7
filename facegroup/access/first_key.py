"""The first key of a server that has none: made at its start, into a file that only its user can read.

Containers and clusters listen on all addresses, so they never answer without keys. Where the file exists, as a secret of
Kubernetes does, its content is the key. A note beside the file says which key was used: it may have been revoked, so it is
not the first one again when a store loses its keys.
"""

import logging
import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from facegroup.access import secrets
from facegroup.access.registry import Registry
from facegroup.access.secrets import Secret
from facegroup.access.types import Key
from facegroup.errors import FacegroupError, InvalidSettings
from facegroup.store.audit import Event

log = logging.getLogger(__name__)

_NOTE = "first key"
_USED = ".used"


def ensure(registry: Registry, path: Path, by: str = "start", told: Callable[[Key], object] = lambda _: None) -> str:
    """Make the first key, if the registry never had one; return a line that says where it is, or an empty one.

    Args:
        registry: of the keys.
        path: file that the key is written to, or is read from. Beside it is noted that the key was used.
        by: who makes it.
        told: is given the key that was made, for the audit log.

    Raises:
        InvalidSettings: the file cannot be written or read, or holds no key, or one that was used with keys that are lost.
        StoreUnavailable: the store does not answer. Nothing is written.
    """
    if registry.version():
        with suppress(InvalidSettings):
            if (there := _read(path)) is not None:
                _note_use(path, there)
        return ""
    secret, made = _read(path), False
    if secret is None:
        secret, made = secrets.make(), True
        _write(path, secret)
    elif _was_used(path, secret):
        if registry.version():  # another process has just used it
            return ""
        raise InvalidSettings(
            f"access.first_key: the key in {path} was used already, and the store has lost its keys. Restore the store; or "
            "remove the file, so that the next start makes another key."
        )
    try:
        key = registry.add_first(secret, _NOTE, by)
    except FacegroupError:
        if made:
            _remove(path)
        raise
    if key is None:  # another process was faster, perhaps with this very file
        if made and not any(secrets.same(each.hash, secret.hash) for each in registry.all()):
            _remove(path)
        return ""
    told(key)
    said = f"the admin key is in {path} on {socket.gethostname()}"
    if made:
        said += ", which only its user can read"
    elif _is_open(path):
        said += "; others can read it: let only its user do so (mode 0600)"
    if not _note_use(path, secret):
        said += (
            "; no note can be written beside it, so it is the admin key again if the store loses its keys: remove it"
        )
    return said


def event(key: Key) -> Event:
    """Return the entry of the audit log that tells of the first key."""
    return Event("key_made", None, {"key": key.id, "from": "access.first_key"})


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
    """Write a new file as a whole: whoever finds it finds a key in it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _put(path, f"{secret.text}\n")
    except FileExistsError as error:
        raise InvalidSettings(f"access.first_key: another process writes {path} now; start again") from error
    except OSError as error:
        raise InvalidSettings(f"access.first_key: {path} cannot be written: {error.strerror}") from error


def _put(path: Path, text: str, *, replaces: bool = False) -> None:
    made, name = tempfile.mkstemp(prefix=".", dir=path.parent)  # of mode 0600
    try:
        with open(made, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(made)
        (os.replace if replaces else os.link)(name, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        _remove(Path(name))


def _was_used(path: Path, secret: Secret) -> bool:
    try:
        return secrets.same(_note(path).read_text("ascii", "replace").strip(), secret.hash)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InvalidSettings(f"access.first_key: {_note(path)} cannot be read: {error.strerror}") from error


def _note_use(path: Path, secret: Secret) -> bool:
    """Note that a key was used; return whether that is possible. The folder of a mounted secret cannot be written."""
    with suppress(OSError, InvalidSettings):
        if not _was_used(path, secret):
            _put(_note(path), f"{secret.hash}\n", replaces=True)
        return True
    return False


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}{_USED}")


def _is_open(path: Path) -> bool:
    with suppress(OSError):
        return bool(path.stat().st_mode & 0o077)
    return False


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
