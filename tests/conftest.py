"""Fixtures for every suite: the folder of real photos, a real Redis, started once, empty for each test, an MQTT broker."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test photos and weights beside the repository; tests that need it are skipped without it."""
    if not (SHARED / "faces").is_dir():
        pytest.skip("needs ../shared")
    return SHARED


class RedisProcess:
    """A redis-server of our own on a free port; it keeps what it has on disk and can be killed and started again."""

    def __init__(self, folder: Path, *options: str) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            reason = "redis-server is not installed; without it nothing is known about the Redis store"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self.port}/0"
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(folder)]
        disk = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        self._command = [str(binary), *place, *disk, *options]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        with redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0)) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.AuthenticationError:
                    return
                except redis.ConnectionError:
                    if time.monotonic() > deadline or self._process.poll() is not None:
                        raise
                    time.sleep(0.02)

    def emptied(self) -> str:
        """Remove all that other tests left, and return the address."""
        with redis.Redis(port=self.port) as client:
            client.flushall()
        return self.url

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path_factory.mktemp("redis"))
    process.start()
    yield process
    process.kill()


@pytest.fixture
def redis_url(redis_process: RedisProcess) -> str:
    """The address of an empty database."""
    return redis_process.emptied()


class BrokerProcess:
    """A mosquitto of our own on a free port, which keeps nothing on disk; it can be killed and started again.

    Args:
        folder: for its configuration.
        password: that it asks the user `facegroup` for, or None: anybody may come.
        certificate: PEM files of its certificate and key, or None: it takes no TLS.
    """

    def __init__(self, folder: Path, password: str | None = None, certificate: tuple[Path, Path] | None = None) -> None:
        place = f"{os.environ.get('PATH', '')}:/usr/sbin"
        binary = shutil.which("mosquitto", path=place)
        if binary is None:
            reason = "mosquitto is not installed; without it nothing is known about MQTT"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        lines = [f"listener {self.port} 127.0.0.1", "persistence false", "user root", "allow_anonymous true"]
        if password is not None:
            words = folder / "passwords"
            command = [
                shutil.which("mosquitto_passwd", path=place) or "",
                "-b",
                "-c",
                str(words),
                "facegroup",
                password,
            ]
            subprocess.run(command, check=True, capture_output=True)
            lines[-1:] = ["allow_anonymous false", f"password_file {words}"]
        if certificate is not None:
            lines[1:1] = [f"certfile {certificate[0]}", f"keyfile {certificate[1]}"]
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines))
        self._command = [str(binary), "-c", str(self._config)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(tmp_path) as process:
        yield process
