"""The registry of API keys: small tables beside the store, whose version every change raises.

table    key     score        value
keys     id      created_at   key, as JSON
used     id      last used    none
secrets  urls    0            32 random bytes, which sign URLs
"""

import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from facegroup.access.secrets import Secret, make
from facegroup.access.types import Caller, Grant, Key, cleaned
from facegroup.errors import (
    Forbidden,
    KeyEnded,
    LastAdminKey,
    MalformedRequest,
    StoreUnavailable,
    TooManyKeys,
    UnknownKey,
)
from facegroup.store.rows import Place, may_be_there, open_rows
from facegroup.store.rows.rows import Count, Drop, Put, Row, Rows, Span, Step

log = logging.getLogger(__name__)

PLACE = Place("access", "key registry", 0x66676163)  # "fgac"
GRACE_SECONDS = 86_400.0
"""How long the old key holds after a rotation, unless the request says otherwise."""
MOST_GRACE_SECONDS = 30 * 86_400.0
MOST = 1000
"""Most keys; when there are more, those that no longer hold go first."""

_TRIES = 20
_KEY = TypeAdapter(Key)
_Done = TypeVar("_Done")


@dataclass(frozen=True, slots=True)
class State:
    """Class of what the registry holds at one version.

    Attributes:
        version: 0 as long as no key was ever made.
        keys: oldest first, also those that no longer hold.
        url_secret: signs URLs; empty until one is signed.
    """

    version: int
    keys: tuple[Key, ...] = ()
    url_secret: bytes = b""


class Registry:
    """Class that stores keys. May be used from several threads and processes.

    Every method raises `StoreUnavailable` if the store does not answer.

    Args:
        rows: the tables.
        now: the time, in seconds since the epoch.
    """

    def __init__(self, rows: Rows, now: Callable[[], float] = time.time) -> None:
        self._rows = rows
        self._now = now

    def version(self) -> int:
        """Return the number that every change raises; 0 as long as no key was ever made."""
        return self._rows.glance("version")

    def state(self) -> State:
        """Return everything, as it is at one version."""
        for _ in range(_TRIES):
            version = self.version()
            rows = self._rows.page("keys", Span(2 * MOST))
            (signs,) = self._rows.get("secrets", ["urls"])
            if self.version() == version:
                keys = (key for row in rows if (key := _read(row)) is not None)
                return State(version, tuple(keys), b"" if signs is None else signs.value)
        raise StoreUnavailable("The registry of keys changes all the time. Try again.")

    def all(self) -> list[Key]:
        """Return all keys with their last use, oldest first, also those that no longer hold."""
        used = {row.key: row.score for row in self._rows.page("used", Span(2 * MOST))}
        return [replace(key, last_used=used.get(key.id)) for key in self.state().keys]

    def add(self, grant: Grant, note: str = "", by: str = "library", maker: Caller | None = None) -> tuple[Key, Secret]:
        """Make a key.

        Args:
            grant: what it may do.
            note: what it is for.
            by: who makes it, as the audit log names them.
            maker: whose rights bound it; None: nobody's.

        Returns:
            The key, and its secret, which is shown now and never again.

        Raises:
            Forbidden: it would allow something that its maker may not do.
            InvalidName: a name of a gallery or an id of a camera is not valid.
            MalformedRequest: the grant or the note is not valid, or the expiry is in the past.
            TooManyKeys: there are too many that hold.
        """
        grant, note = cleaned(grant, note)
        if grant.expires_at is not None and grant.expires_at <= self._now():
            raise MalformedRequest("the expiry is in the past, so the key would never hold")
        _check(maker, grant)

        def change(state: State) -> tuple[list[Step], tuple[Key, Secret]]:
            secret = _new(state)
            key = Key(secrets.token_hex(6), secret.prefix, secret.hash, grant, note, self._now(), by)
            return [*self._room(state), _put(key)], (key, secret)

        return self._change(change)

    def add_first(self, secret: Secret, note: str = "", by: str = "library") -> Key | None:
        """Store an admin key that was made elsewhere, if no key was ever made; else return None."""

        def change(state: State) -> tuple[list[Step] | None, Key | None]:
            if state.version:
                return None, None
            grant = Grant(frozenset({"admin"}))
            key = Key(secrets.token_hex(6), secret.prefix, secret.hash, grant, note, self._now(), by)
            return [_put(key)], key

        return self._change(change)

    def revoke(self, key_id: str, *, force: bool = False) -> Key:
        """Revoke a key; one that is revoked stays so.

        Args:
            key_id: of the key.
            force: whether the last admin key may be revoked.

        Raises:
            UnknownKey: there is none.
            LastAdminKey: no other key without limits can make keys, and `force` is not set.
        """

        def change(state: State) -> tuple[list[Step] | None, Key]:
            key = find(state.keys, key_id)
            if key.revoked_at is not None:
                return None, key
            now = self._now()
            if not force and _rules(key, now) and not any(_rules(each, now) for each in state.keys if each is not key):
                raise LastAdminKey(
                    "This is the last admin key without limits. Make another one first, or revoke it with force: then "
                    "only `facegroup keys add` on the store can make keys."
                )
            gone = replace(key, revoked_at=now, old_prefix="", old_hash="", old_until=0.0)
            return [_put(gone)], gone

        return self._change(change)

    def rotate(self, key_id: str, grace: float = GRACE_SECONDS, maker: Caller | None = None) -> tuple[Key, Secret]:
        """Give a key another secret; what it may do, and until when, stays.

        Args:
            key_id: of the key.
            grace: seconds for which the secret of before holds, too. One from an earlier rotation ends at once.
            maker: whose rights bound the key; None: nobody's.

        Raises:
            Forbidden: the key allows something that its maker may not do.
            KeyEnded: it is revoked or has expired.
            UnknownKey: there is none.
        """

        def change(state: State) -> tuple[list[Step], tuple[Key, Secret]]:
            key, now, secret = find(state.keys, key_id), self._now(), _new(state)
            if not key.holds(now):
                raise KeyEnded("This key is revoked or has expired, so it cannot be rotated. Make another one.")
            _check(maker, key.grant)
            until = now + min(max(0.0, grace), MOST_GRACE_SECONDS)  # in this order NaN is 0
            new = replace(
                key,
                prefix=secret.prefix,
                hash=secret.hash,
                rotated_at=now,
                old_prefix=key.prefix,
                old_hash=key.hash,
                old_until=until,
            )
            return [_put(new)], (new, secret)

        return self._change(change)

    def touch(self, used: Mapping[str, float]) -> None:
        """Note when keys were last used, in seconds since the epoch, by id. It raises no version."""
        if used:
            self._rows.apply([Put("used", key_id, at) for key_id, at in used.items()])

    def url_secret(self) -> bytes:
        """Return the secret that signs URLs, the same for all processes; made when it is asked for first."""

        def change(state: State) -> tuple[list[Step] | None, bytes]:
            made = secrets.token_bytes(32)
            return (None, state.url_secret) if state.url_secret else ([Put("secrets", "urls", 0.0, made)], made)

        return self._change(change)

    def close(self) -> None:
        """Close the tables."""
        self._rows.close()

    def _change(self, change: Callable[[State], tuple[list[Step] | None, _Done]]) -> _Done:
        """Apply the steps that a function makes of a state, if nothing changed meanwhile; else ask it again."""
        for _ in range(_TRIES):
            state = self.state()
            steps, done = change(state)
            # The clock is in it: a store that lost its data does not come back to a number that is known.
            version = max(state.version + 1, int(self._now() * 1000))
            if steps is None or self._rows.apply([Count("version", state.version, version), *steps]):
                return done
        raise StoreUnavailable("The registry of keys changes all the time. Try again.")

    def _room(self, state: State) -> list[Step]:
        if len(state.keys) < MOST:
            return []
        gone = next((key for key in state.keys if not key.holds(self._now())), None)
        if gone is None:
            raise TooManyKeys(f"there are {MOST} keys; revoke those that nobody uses")
        return [Drop("keys", gone.id), Drop("used", gone.id)]


def open_registry(url: str) -> Registry:
    """Return the registry of the store at an address. Beside ``gallery.db`` it is ``gallery.access.db``.

    Raises:
        StoreInvalid: the address cannot be read, or there is something else than a registry.
        StoreUnavailable: the file cannot be opened. A Redis that does not answer raises when it is used.
    """
    return Registry(open_rows(url, PLACE))


def may_have_keys(url: str) -> bool:
    """Return whether a store may have a registry. For a Redis that is not known until it is asked, so it is True."""
    return may_be_there(url, PLACE)


def find(keys: tuple[Key, ...], key_id: str) -> Key:
    """Return the key with an id. Raises `UnknownKey`."""
    found = next((key for key in keys if key.id == key_id), None)
    if found is None:
        raise missing(key_id)
    return found


def missing(key_id: str) -> UnknownKey:
    """Return the error for a key that is not there."""
    return UnknownKey(f"There is no key {key_id[:64]!r}.")


def _new(state: State) -> Secret:
    """Return a new secret, whose prefix no other key has, since people know keys by it."""
    taken = {prefix for key in state.keys for prefix in (key.prefix, key.old_prefix)}
    while (secret := make()).prefix in taken:
        pass
    return secret


def _rules(key: Key, now: float) -> bool:
    """Return whether a key can make any other."""
    return key.holds(now) and "admin" in key.grant.scopes and key.grant.galleries is None and key.grant.cameras is None


def _check(maker: Caller | None, grant: Grant) -> None:
    if maker is not None and not maker.grant.includes(grant):
        raise Forbidden(
            "A key cannot allow more than the one that makes it: its scopes, galleries, cameras, expiry and limits must "
            "be within yours."
        )


def _put(key: Key) -> Put:
    return Put("keys", key.id, key.created_at, _KEY.dump_json(replace(key, last_used=None)))


def _read(row: Row) -> Key | None:
    try:
        key = _KEY.validate_json(row.value)
    except ValidationError:  # which would quote it
        log.error("A damaged record in the registry of keys was skipped: %r. That key does not hold.", row.key[:64])
        return None
    return key if key.id == row.key else None
