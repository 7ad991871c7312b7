"""One Redis server: commands, writes that are on disk before they return, and errors of facegroup for those of redis-py.

On disk means: WAITAOF after each write, where the server has it (Redis 7.2 and Valkey) and keeps an append-only file;
else the server must be set to `appendonly yes` and `appendfsync always`, and a warning is logged where it is not.
Measured on Redis 8.2: a write takes 1 ms at `appendfsync always`, and 1 s at `everysec`, whose next turn it waits for.
"""

import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from facegroup.errors import StoreInvalid, StoreUnavailable
from facegroup.store.encryption import key_missing
from facegroup.store.redis.address import Address, connect

Command: TypeAlias = tuple[str | bytes | int | float, ...]

_FOREIGN = re.compile(r"FOREIGN (.+)|WRONGTYPE")
_SEALED = re.compile(r"KEYMISSING (\w+)")
_KEY = re.compile(r"facegroup:[^\s'\"]+")
_CONNECT_SECONDS = 2.0
_GLANCE_SECONDS = 1.0  # a server that hangs must not hold up every batch for longer
_REWRITE_SECONDS = 600.0
_BUSY = ("aof_rewrite_in_progress", "aof_rewrite_scheduled", "rdb_bgsave_in_progress")
_IDLE_SECONDS = 30  # after so long a connection is tried before it is used


class RedisServer:
    """Class of a pool of connections to the server that a URL names.

    A command is sent once: after a lost answer nobody knows whether a write stands, so the caller must try again.

    Args:
        url: see `facegroup.store.redis.address`.
        timeout: seconds to wait for an answer.

    Raises:
        StoreInvalid: the URL cannot be read. A server that does not answer is no error yet.
    """

    def __init__(self, url: str, timeout: float) -> None:
        def reach(seconds: float) -> Address:
            return connect(
                url,
                socket_timeout=seconds,
                socket_connect_timeout=min(seconds, _CONNECT_SECONDS),
                retry=Retry(NoBackoff(), 0),
                health_check_interval=_IDLE_SECONDS,
                protocol=2,
            )

        address = reach(timeout)
        self.where, self._secrets, self._replicas = address.where, address.secrets, address.replicas
        self._client: Any = address.client  # execute_command is not typed
        self._quick: Any = reach(min(timeout, _GLANCE_SECONDS)).client
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

    def rewrite(self) -> None:
        """Have the server write its append-only file anew, without what was replaced, and wait for it.

        Raises:
            StoreUnavailable: the server does not let this user do so, cannot write the file, or does not end.
        """
        if not int(self._persistence().get("aof_enabled", 0)):
            return
        self._idle()  # one that runs already may have begun before the last value was replaced
        self.read(("BGREWRITEAOF",))
        if self._idle().get("aof_last_bgrewrite_status", "ok") != "ok":
            raise StoreUnavailable("Redis could not write its append-only file anew. Its log says why.")

    def _idle(self) -> dict[str, Any]:
        """Wait until the server writes no file in the background, and return what it says of its files."""
        deadline = time.monotonic() + _REWRITE_SECONDS
        while True:
            answer = self._persistence()
            if not any(int(answer.get(name, 0)) for name in _BUSY):
                return answer
            if time.monotonic() > deadline:
                raise StoreUnavailable("Redis did not write its append-only file anew in time.")
            time.sleep(0.1)

    def _persistence(self) -> dict[str, Any]:
        (answer,) = self.read(("INFO", "persistence"))
        return dict(answer)

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
            if self._replicas:
                pipe.execute_command("WAIT", self._replicas, self._wait_ms)
            answers = list(pipe.execute())
        if self._replicas and int(answers.pop()) < self._replicas:
            raise StoreUnavailable(
                f"Redis at {self.where} took the write, but not {self._replicas} replicas have it yet"
            )
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
            told = str(error) or type(error).__name__
            # redis-py puts the command in front, which may hold names and descriptors.
            reason = told.rpartition("of pipeline caused error: ")[2]
            for password in self._secrets:
                reason = reason.replace(password, "***")
            if isinstance(error, redis.ResponseError) and (sealed := _SEALED.match(reason)):
                raise key_missing(frozenset((sealed[1],))) from None
            if isinstance(error, redis.ResponseError) and (foreign := _FOREIGN.match(reason)):
                named = _KEY.search(told)
                what = foreign[1] or f"{named[0] if named else 'a key'} holds a value of another type"
                # Not chained, for the same reason.
                raise StoreInvalid(f"Redis at {self.where} holds what facegroup did not write: {what}") from None
            raise StoreUnavailable(f"Redis at {self.where} cannot be used now: {reason}") from None


def _text(word: bytes | str) -> str:
    return word.decode() if isinstance(word, bytes) else word
