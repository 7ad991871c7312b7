"""One Redis server: commands in, answers out, writes on disk before they return, redis-py's errors turned into ours.

On disk means: WAITAOF after each write, where the server has it (Redis 7.2 and Valkey) and keeps an append-only file;
else the server must be set to `appendonly yes` and `appendfsync always`, and a warning is logged where it is not.
Measured on Redis 8.2: a write takes 1 ms at `appendfsync always`, and 1 s at `everysec`, whose next turn it waits for.
"""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from facegroup.errors import StoreInvalid, StoreUnavailable

Command: TypeAlias = tuple[str | bytes | int | float, ...]

_CONNECT_SECONDS = 2.0
_GLANCE_SECONDS = 1.0  # a server that hangs must not hold up every batch for longer
_IDLE_SECONDS = 30  # after so long a connection is tried before it is used


class RedisServer:
    """A pool of connections to the server that a URL names.

    A command is sent once: after a lost answer nobody knows whether a write stands, so the caller must try again.

    Args:
        url: ``redis://`` or ``rediss://`` with user, password, host, port and database number.
        timeout: seconds to wait for an answer.

    Raises:
        StoreInvalid: the URL cannot be read. A server that does not answer is no error yet.
    """

    def __init__(self, url: str, timeout: float) -> None:
        # Not chained: the errors of urllib and redis-py quote the URL, and with it the password.
        try:
            pool = _pool(url, timeout)
            pool.connection_class(**pool.connection_kwargs)
        except (ValueError, TypeError, AttributeError, redis.RedisError):
            raise StoreInvalid("the address of Redis cannot be read; it is redis://user:password@host:port/0") from None
        options = pool.connection_kwargs
        self.where = f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
        self._password = str(options.get("password") or "")
        self._client: Any = redis.Redis(connection_pool=pool)  # execute_command is not typed
        self._quick: Any = redis.Redis(connection_pool=_pool(url, min(timeout, _GLANCE_SECONDS)))
        self._wait_ms = int(timeout * 800)  # shorter than the socket's timeout, so that it is the server who says no
        self._waits: bool | None = None
        self._learning = threading.Lock()
        try:
            self._learn()
        except StoreUnavailable as error:
            logging.getLogger(__name__).warning("%s", error)

    def close(self) -> None:
        """Close every connection."""
        self._client.connection_pool.disconnect()
        self._quick.connection_pool.disconnect()

    def glance(self, *commands: Command) -> list[Any]:
        """Return the answers to small commands, each of its own moment, or raise `StoreUnavailable` soon."""
        return self._ask(self._quick, False, commands)

    def read(self, *commands: Command) -> list[Any]:
        """Return the answers to `commands`, all of one moment. Raises `StoreUnavailable`."""
        return self._ask(self._client, len(commands) > 1, commands)

    def _ask(self, client: Any, together: bool, commands: Sequence[Command]) -> list[Any]:
        with self._translated():
            pipe = client.pipeline(transaction=together)
            for command in commands:
                pipe.execute_command(*command)
            return list(pipe.execute())

    def write(self, *commands: Command) -> list[Any]:
        """Return the answers to `commands`, run one after the other, when all is on disk. Raises `StoreUnavailable`."""
        waits = self._learn()
        with self._translated():
            pipe = self._client.pipeline(transaction=False)
            for command in commands:
                pipe.execute_command(*command)
            if waits:
                pipe.execute_command("WAITAOF", 1, 0, self._wait_ms)
            answers = list(pipe.execute())
        if waits and int(answers.pop()[0]) < 1:
            raise StoreUnavailable(f"Redis at {self.where} took the write, but it is not on disk yet")
        return answers

    def _learn(self) -> bool:
        """Return whether writes wait by WAITAOF; ask the server the first time that it answers."""
        with self._learning:
            if self._waits is None:
                with self._translated():
                    try:
                        # Refused where it is unknown, not allowed, or there is no append-only file.
                        self._client.execute_command("WAITAOF", 1, 0, 1)
                        self._waits = True
                    except redis.ResponseError:
                        self._waits = False
                        self._warn_unless_synced()
            return self._waits

    def _warn_unless_synced(self) -> None:
        try:
            answer = self._client.config_get("append*")
            settings = {_text(name): _text(value) for name, value in answer.items()}
        except redis.ResponseError:
            settings = {}  # a hosted server that does not show its settings
        if (settings.get("appendonly"), settings.get("appendfsync")) != ("yes", "always"):
            logging.getLogger(__name__).warning(
                "Redis at %s (appendonly %s, appendfsync %s) can lose acknowledged writes when it stops: "
                "set appendonly yes, and use Redis 7.2 or newer or set appendfsync always",
                *(self.where, settings.get("appendonly", "unknown"), settings.get("appendfsync", "unknown")),
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (redis.RedisError, OSError) as error:
            reason = str(error) or type(error).__name__
            if self._password:
                reason = reason.replace(self._password, "***")
            raise StoreUnavailable(f"Redis at {self.where} cannot be used now: {reason}") from error


def _pool(url: str, timeout: float) -> redis.ConnectionPool:
    return redis.ConnectionPool.from_url(
        url,
        socket_timeout=timeout,
        socket_connect_timeout=min(timeout, _CONNECT_SECONDS),
        retry=Retry(NoBackoff(), 0),
        health_check_interval=_IDLE_SECONDS,
        protocol=2,
    )


def _text(word: bytes | str) -> str:
    return word.decode() if isinstance(word, bytes) else word
