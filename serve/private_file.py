"""Reads secrets from files that only their owner can read."""

import os
from pathlib import Path

from facegroup.errors import InvalidSettings

_OWNER = 0o077
_GROUP = 0o007
_LARGEST = 1 << 16


def read(path: Path, setting: str) -> str:
    """Return a file's text.

    A group may read it where another user owns the file, or where root gave it to a group: Kubernetes does so with
    secrets (`fsGroup`), since the server's user does not own them. Links are followed, which its mounts consist of.

    Args:
        path: of the file.
        setting: what names the file, for messages.

    Raises:
        InvalidSettings: others can read or change the file, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_mode & _others(about):
                raise InvalidSettings(
                    f"others can read {path} ({setting}); run chmod 600 on it. For a secret of Kubernetes or Docker, set "
                    "its defaultMode or mode to 0400, and fsGroup or uid if the server's user is not root"
                )
            return file.read(_LARGEST).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path} ({setting}) cannot be read: {error}") from error


def _others(about: os.stat_result) -> int:
    """Return the rights that nobody but the owner, or the owner and a group, may have."""
    mine = about.st_uid == os.geteuid()
    return _OWNER if mine and (about.st_uid != 0 or about.st_gid == 0) else _GROUP
