"""The token of a cluster: who has it can run any code on all of its nodes."""

import hashlib
import os
import secrets
from pathlib import Path

from facegroup.errors import InvalidSettings
from serve import private_file
from serve.instance import strong

_BITS = 256


def token(*, create: bool) -> str:
    """Return the cluster's token: that of RAY_AUTH_TOKEN, of the file in RAY_AUTH_TOKEN_PATH, or of ~/.ray/auth_token.

    These are the places in which Ray's own commands look for it.

    Args:
        create: whether to make one if there is none.

    Raises:
        InvalidSettings: there is none, it is weak, or others can read it.
    """
    if "RAY_AUTH_TOKEN" in os.environ:
        return strong(os.environ["RAY_AUTH_TOKEN"], "RAY_AUTH_TOKEN")
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(named).expanduser() if named else Path.home() / ".ray" / "auth_token"
    if not path.exists():
        if not create:
            raise InvalidSettings(
                f"there is no {path}; copy the head's token there, so that only this user can read it (mode 0600)"
            )
        _make(path)
    return strong(private_file.read(path, "the token of the cluster"), f"the token in {path}")


def derived(secret: str, purpose: str) -> str:
    """Return a name or secret that all nodes know, and from which the token cannot be found.

    Args:
        secret: the token.
        purpose: what it is for.
    """
    salt = f"facegroup {purpose}".encode()
    return hashlib.scrypt(secret.strip().encode(), salt=salt, n=1 << 14, r=8, p=1, dklen=16).hex()


def _make(path: Path) -> None:
    """Write a new token, which only this user can read."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(_BITS // 8))
    except FileExistsError:
        pass  # another process made it just now
    except OSError as error:
        raise InvalidSettings(f"{path} cannot be written: {error.strerror}; set RAY_AUTH_TOKEN_PATH") from error
