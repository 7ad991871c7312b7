"""The certificate in a server's own folder: what HAProxy reads whenever Ray starts it, and what is known about it.

It is a copy, since the files of the settings may be changed or broken at any time.
"""

import json
import os
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from facegroup.errors import InvalidSettings
from facegroup.settings import Settings, Tls
from serve import certificate
from serve.certificate import Certificate
from serve.haproxy_config import SECRET

_PEM = "tls.pem"
_STATE = "tls.json"
_OWN_PROXY = "put a proxy that speaks TLS in front, and name it in trusted_proxies (docs/tls.md)"


@dataclass(frozen=True, slots=True)
class State:
    """What is known about the certificate in use.

    Attributes:
        expires_at: seconds since the epoch.
        warning: what an operator must do about it, or "".
    """

    expires_at: float
    warning: str


def check(settings: Settings, environment: "os._Environ[str] | dict[str, str]", *, everywhere: bool) -> None:
    """Check that the server can use the certificate of the settings, if they have one.

    Args:
        settings: of a server that is about to start.
        environment: Ray's variables say whether HAProxy is used.
        everywhere: whether it is for a cluster, where nobody would exchange the certificate of each machine's HAProxy.

    Raises:
        InvalidSettings: the certificate cannot be used, or nothing here speaks TLS.
    """
    if settings.tls.certificate is None:
        return
    if everywhere and not environment.get(SECRET):  # `facegroup node` exchanges that of its own machine
        raise InvalidSettings(f"tls.certificate is for `facegroup serve` only; for `serve deploy`, {_OWN_PROXY}")
    if environment.get("RAY_SERVE_ENABLE_HA_PROXY", "1") != "1":
        raise InvalidSettings(
            f"tls.certificate needs HAProxy, and RAY_SERVE_ENABLE_HA_PROXY switches it off; unset that, or {_OWN_PROXY}"
        )
    certificate.read(settings.tls)


def write_first(tls: Tls, folder: Path, haproxy: str) -> Path:
    """Write the certificate of the settings into a server's folder, and return its path.

    Args:
        tls: the settings.
        folder: of the server.
        haproxy: the program; empty: there is none, which Ray reports.

    Raises:
        InvalidSettings: it cannot be used, or HAProxy refuses it.
    """
    found = certificate.read(tls)
    path = write(found, folder)
    if haproxy:
        trial = folder / "tls.cfg"
        trial.write_text(f"frontend trial\n    mode http\n    timeout client 1s\n    bind 127.0.0.1:1 ssl crt {path}\n")
        done = subprocess.run([haproxy, "-c", "-f", trial], capture_output=True, text=True, check=False, timeout=60)
        trial.unlink()
        if done.returncode:
            remove(folder)
            why = next((line for line in done.stderr.splitlines() if "ALERT" in line), done.stderr)
            raise InvalidSettings(
                f"HAProxy refuses {tls.certificate} (tls.certificate) and its key: {why.strip()[:300]}"
            )
    return path


def write(found: Certificate, folder: Path) -> Path:
    """Write a certificate in place of the one before, and return its path."""
    path = folder / _PEM
    _replace(path, found.pem)
    return path


def tell(state: State, path: str) -> None:
    """Let all processes of the server know the state of the certificate.

    Args:
        state: of it.
        path: of the certificate in the server's folder.
    """
    _replace(Path(path).with_name(_STATE), json.dumps(asdict(state)).encode())


def told(path: str) -> State | None:
    """Return the state that was told last, None if there is none yet."""
    try:
        return State(**json.loads(Path(path).with_name(_STATE).read_bytes()))
    except FileNotFoundError:
        return None


def remove(folder: Path) -> None:
    """Remove the private key."""
    with suppress(FileNotFoundError):
        (folder / _PEM).unlink()


def _replace(path: Path, data: bytes) -> None:
    made = path.with_suffix(".new")
    made.unlink(missing_ok=True)
    with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    made.replace(path)
