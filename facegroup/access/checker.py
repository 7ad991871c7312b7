"""Finds out who a request comes from, by the keys and sessions of the registry as they are now.

Each request asks the registry for its version, so that a revoked key is refused at once, by each process. Requests that come
while a Redis is asked wait for the next answer together. While the store is away, the last known keys hold for a minute.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from facegroup.access import first_key, secrets
from facegroup.access.people import Session, token_hash
from facegroup.access.registry import Registry, State, may_have_keys, open_registry
from facegroup.access.types import EVERYBODY, STRANGER, Caller, Grant, Key
from facegroup.errors import (
    AccessUnavailable,
    FacegroupError,
    InvalidSettings,
    StoreInvalid,
    StoreUnavailable,
    Unauthorised,
)
from facegroup.settings import Settings
from facegroup.store import server_log

log = logging.getLogger(__name__)

HOLD_SECONDS = 60.0
"""How long the last known keys hold while the store is away."""
PATIENCE_SECONDS = 0.25
"""How long a request waits for a store that is away; one that is back has answered by then."""
TOUCH_SECONDS = 60.0
"""How often it is noted, at most, that a key was used."""

Mode: TypeAlias = Literal["auto", "keys", "open"]

_WRONG_KEY = "This key does not hold: it is unknown, was revoked, or has expired."


@dataclass(frozen=True, slots=True)
class _Known:
    """Class of the keys of one version, found by their prefixes."""

    state: State
    by_prefix: dict[str, list[tuple[str, float, Key]]] = field(default_factory=dict)

    @classmethod
    def of(cls, state: State) -> "_Known":
        known = cls(state)
        for key in state.keys:
            for prefix, entry in (
                (key.prefix, (key.hash, math.inf, key)),
                (key.old_prefix, (key.old_hash, key.old_until, key)),
            ):
                if prefix:
                    known.by_prefix.setdefault(prefix, []).append(entry)
        return known

    def find(self, secret: secrets.Secret, now: float) -> Key | None:
        """Return the key that holds and has this secret."""
        for hashed, until, key in self.by_prefix.get(secret.prefix, ()):
            if secrets.same(hashed, secret.hash) and now < until and key.holds(now):
                return key
        return None


class Checker:
    """Class that knows the keys of a registry. May be used from several threads and event loops.

    Args:
        opens: opens the registry when a request needs it. Where there is none it makes one, or, given False, returns None.
        mode: `keys` asks everybody for a key, `open` nobody, and `auto` everybody as soon as a key was made.
        near: whether the registry answers in microseconds, and is asked without a thread.
        first: makes the first key, in a registry that never had one.
        closed: file that tells other processes of the server that there were keys; None: they know.
        idle: seconds after which a session that is not used has ended.
        provider: whether sessions of people whom an OIDC provider knows hold.
        clock: seconds that never go back.
        now: seconds since the epoch.
    """

    def __init__(
        self,
        opens: Callable[[bool], Registry | None],
        mode: Mode = "auto",
        *,
        near: bool = True,
        first: Callable[[Registry], None] | None = None,
        closed: Path | None = None,
        idle: float = math.inf,
        provider: bool = False,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._opens = opens
        self.mode: Mode = mode
        self._near = near
        self._first = first
        self._clock = clock
        self._wall = now
        self._latest = 0.0
        self._registry: Registry | None = None
        self._known = _Known(State(0))
        self._seen: float | None = None  # when the registry answered last
        self._away = False
        self._mark = closed
        self._closed = mode == "keys"
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None
        self._queued: Future[None] | None = None
        self._begun: float | None = None  # when the look began that is under way
        self._idle = idle
        self._provider = provider
        self._used: dict[str, float] = {}
        self._seen_sessions: dict[str, float] = {}  # as far as this process knows
        self._unsaved: set[str] = set()  # sessions whose use is not noted in the registry yet
        self._noted = clock()

    async def identify(self, text: str | None, token: str | None = None) -> Caller:
        """Return who a request comes from.

        Args:
            text: the key that was sent; None: none.
            token: of the session that was sent, which counts only without a key; None: none.

        Raises:
            Unauthorised: a key or a session is needed, and this is none that holds.
            AccessUnavailable: the store is away, and has been for too long.
        """
        if self.mode == "open":
            return EVERYBODY
        known = await self._current()
        if not self._closed:
            return EVERYBODY
        if text is None and token is not None:
            return await self._of_session(known, token_hash(token))
        secret = None if text is None else secrets.read(text)
        key = None if secret is None else known.find(secret, self.now())
        if key is None:
            raise Unauthorised(
                "This server asks for a key. Send one as `Authorization: Bearer fg_…`, or as `x-api-key`; or sign in."
                if text is None
                else _WRONG_KEY
            )
        self._note(key.id)
        return key.caller

    async def key_of(self, text: str) -> tuple[Key, str]:
        """Return the key that was sent, also to an open server, and its hash. Raises as `identify` does."""
        known, secret = await self._current(), secrets.read(text)
        key = None if secret is None else known.find(secret, self.now())
        if key is None or secret is None:
            raise Unauthorised(_WRONG_KEY)
        self._note(key.id)
        return key, secret.hash

    async def tell(self, text: str | None, token: str | None = None) -> Caller:
        """Return who a request comes from, where nobody needs a key: `STRANGER` without one that holds."""
        try:
            return await self.identify(text, token)
        except (Unauthorised, AccessUnavailable):
            return STRANGER

    async def again(self, caller: Caller) -> Caller:
        """Return a caller as they are now. Raises as `identify` does, if they may do nothing any more."""
        if caller.session:
            return await self._of_session(await self._current(), caller.session)
        if caller.kind == "key":
            return await self.of_key(caller.id)
        return await self.identify(None)

    async def of_key(self, key_id: str) -> Caller:
        """Return the caller with the key of this id. Raises as `identify` does."""
        known = await self._current()
        key = next((each for each in known.state.keys if each.id == key_id), None)
        if key is None or not key.holds(self.now()):
            raise Unauthorised("The key of this request does not hold any more.")
        return key.caller

    async def registry(self) -> Registry:
        """Return the registry, made where there is none. Raises `StoreUnavailable` or `StoreInvalid`."""
        await self._current()
        if self._registry is None:
            self._registry = self._opens(True)
        assert self._registry is not None
        return self._registry

    async def session(self, caller: Caller) -> Session | None:
        """Return the session of a caller; None if they have none."""
        return (await self._current()).state.sessions.get(caller.session)

    async def url_secret(self) -> bytes:
        """Return the secret that signs URLs; empty until one was signed."""
        return (await self._current()).state.url_secret

    def now(self) -> float:
        """Return the time, in seconds since the epoch. It never goes back, so that what has expired stays so."""
        self._latest = max(self._latest, self._wall())
        return self._latest

    def close(self) -> None:
        """Note what is not noted yet, and close the registry."""
        if self._thread is not None:
            self._thread.shutdown()
        self._flush()
        if self._registry is not None:
            self._registry.close()

    async def _of_session(self, known: _Known, hashed: str | None) -> Caller:
        """Return the caller with a session. Raises `Unauthorised`, or `AccessUnavailable`."""
        session, now = known.state.sessions.get(hashed or ""), self.now()
        grant = None if session is None or now >= session.ends_at else self._granted(known.state, session, now)
        if session is None or grant is None or await self._is_idle(known.state, session, now):
            raise Unauthorised("Your session has ended. Sign in again.")
        self._seen_sessions[session.hash] = now
        self._unsaved.add(session.hash)
        if session.kind != "oidc":
            self._note(session.subject)
        return session.caller(grant)

    def _granted(self, state: State, session: Session, now: float) -> Grant | None:
        """Return what the user or the key of a session may do now; None if they may do nothing any more."""
        if session.kind == "key":
            key = next((each for each in state.keys if each.id == session.subject), None)
            return key.grant if key is not None and key.proves(session.proof, now) else None
        if session.kind == "user":
            user = state.users.get(session.subject)
            return user.grant if user is not None and user.disabled_at is None else None
        return session.grant if self._provider else None

    async def _is_idle(self, state: State, session: Session, now: float) -> bool:
        """Return whether a session was not used for too long, in no process."""
        known = (session.created_at, state.seen.get(session.hash, 0.0), self._seen_sessions.get(session.hash, 0.0))
        if now - max(known) < self._idle:
            return False
        registry = self._registry
        assert registry is not None  # which has the session
        try:
            asked = self._worker().submit(registry.seen, session.hash)
            return now - await asyncio.wrap_future(asked) >= self._idle
        except StoreUnavailable:
            raise AccessUnavailable("The store does not answer, so your session cannot be checked.", 5) from None

    async def _current(self) -> _Known:
        """Return the keys as they are now, or as they were last known."""
        if self._near:
            self._look()
        else:
            await self._wait()
        # A server without keys has nothing that could be revoked meanwhile.
        if self._seen is None or (self._away and self._closed and self._clock() - self._seen > HOLD_SECONDS):
            raise AccessUnavailable("The store does not answer, so keys cannot be checked. Try again later.", 5)
        return self._known

    async def _wait(self) -> None:
        """Wait for a look at the registry that begins now; while the store hangs, only one request a second waits."""
        asked = self._ask()
        begun = self._begun
        if self._away and begun is not None and time.monotonic() - begun > PATIENCE_SECONDS:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS if self._away else None):
                # Not cancelled with one request: others wait for it, too.
                await asyncio.shield(asyncio.wrap_future(asked))

    def _ask(self) -> Future[None]:
        """Return the next look at the registry: one that has begun may have seen what was before."""
        with self._lock:
            if self._queued is None:
                self._queued = self._worker().submit(self._take_turn)
            return self._queued

    def _take_turn(self) -> None:
        with self._lock:
            self._queued = None
        self._begun = time.monotonic()
        self._look()
        self._begun = None

    def _look(self) -> None:
        """Bring the keys up to date."""
        try:
            if self._registry is None:
                self._registry = self._opens(self._first is not None)
            found = self._registry
            version = 0 if found is None else found.version()
            if found is not None and version == 0 and self._first is not None:
                version = self._make_first(found, self._first)
            if found is not None and version != self._known.state.version:
                self._known = _Known.of(found.state())
                for gone in set(self._seen_sessions).difference(self._known.state.sessions):
                    self._seen_sessions.pop(gone, None)
        except (StoreUnavailable, StoreInvalid) as error:
            self._notice(error)
            return
        if version:
            self._first = None  # a registry that lost its keys is given none, since it may be revoked
        if not self._closed:
            self._closed = self._has_had_keys(version)
        self._seen, self._away = self._clock(), False

    def _has_had_keys(self, version: int) -> bool:
        """Return whether a process of this server ever saw keys: a store that lost them opens nothing."""
        if self._mark is None or not version:
            return version != 0 or (self._mark is not None and self._mark.exists())
        try:
            self._mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._mark.touch(0o600)
        except OSError as error:
            log.error("It cannot be noted for other processes that there are keys: %s: %s", self._mark, error.strerror)
        return True

    def _make_first(self, registry: Registry, first: Callable[[Registry], None]) -> int:
        """Make the first key. What is wrong with its file is told once: every request would say it again."""
        try:
            first(registry)
        except InvalidSettings as error:
            log.error("The first key was not made: %s", error)
            self._first = None
        return registry.version()

    def _notice(self, error: FacegroupError) -> None:
        if not self._away:
            log.error("The registry of keys does not answer; the last known keys hold for a minute: %s", error)
        self._away = True

    def _note(self, ident: str) -> None:
        """Note that a key or a user was here; write it down once a minute, while nobody waits for it."""
        self._used[ident] = self.now()
        if self._clock() - self._noted >= TOUCH_SECONDS:
            self._noted = self._clock()
            self._worker().submit(self._flush)

    def _flush(self) -> None:
        used, self._used = self._used, {}
        unsaved, self._unsaved = self._unsaved, set()
        seen = {each: at for each in list(unsaved) if (at := self._seen_sessions.get(each)) is not None}
        try:
            if self._registry is not None:
                self._registry.touch(used, seen)
        except FacegroupError as error:
            log.debug("it was not noted when keys and sessions were used: %s", error)

    def _worker(self) -> ThreadPoolExecutor:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "keys")
        return self._thread


def open_checker(settings: Settings) -> Checker:
    """Return the checker of the store that settings name. Nothing is opened before a request needs it."""
    path = settings.access.first_key

    def opens(make: bool) -> Registry | None:
        return open_registry(settings.store) if make or may_have_keys(settings.store) else None

    def first(registry: Registry) -> None:
        if path is not None and (said := first_key.ensure(registry, path, told=noted)):
            log.warning("%s", said)

    def noted(key: Key) -> None:
        if fault := server_log.note(settings, first_key.event(key), "server"):
            log.warning("%s", fault)

    near = settings.store.startswith("sqlite:")
    wants = path is not None and settings.access.mode != "open"
    return Checker(
        opens,
        settings.access.mode,
        near=near,
        first=first if wants else None,
        closed=closed_mark(settings),
        idle=settings.access.session_idle_minutes * 60,
        provider=settings.oidc.issuer is not None,
    )


def closed_mark(settings: Settings) -> Path | None:
    """Return the file that a server has while it runs, once there were keys; None: it needs none.

    It is for processes that start, or are asked first, when the store has lost its keys.
    """
    if settings.access.mode != "auto" or not settings.instance:
        return None
    return settings.cache_dir / "run" / f"{settings.instance}.keys"
