"""The registry of keys, users and sessions: small tables beside the store, whose version every change raises.

table     key              score        value
keys      id               created_at   key, as JSON
users     id               created_at   user, as JSON
sessions  hash of token    created_at   session, as JSON
seen      hash of token    last seen    none
used      id               last used    none, of keys and users
secrets   urls             0            32 random bytes, which sign URLs

`facegroup.access.users` and `facegroup.access.sessions` have what is done to users and sessions.
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from facegroup.access.people import Session, User
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

MOST_SESSIONS = 2000

_TRIES = 20
_KEY, _USER, _SESSION = TypeAdapter(Key), TypeAdapter(User), TypeAdapter(Session)
_Done = TypeVar("_Done")
_Record = TypeVar("_Record", Key, User, Session)


@dataclass(frozen=True, slots=True)
class State:
    """Class of what the registry holds at one version.

    Attributes:
        version: 0 as long as no key was ever made, and no user added.
        keys: oldest first, also those that no longer hold.
        url_secret: signs URLs; empty until one is signed.
        users: by id.
        sessions: by hash, oldest first, also some that have ended.
        seen: when sessions were used last, by hash, to the minute; perhaps also of some that are gone.
    """

    version: int
    keys: tuple[Key, ...] = ()
    url_secret: bytes = b""
    users: Mapping[str, User] = field(default_factory=dict)
    sessions: Mapping[str, Session] = field(default_factory=dict)
    seen: Mapping[str, float] = field(default_factory=dict)

    def is_ruled(self, now: float, without: Key | User | None = None) -> bool:
        """Return whether a key, or a user, that can make all others is there, besides one."""
        others: list[Key | User] = [*self.keys, *self.users.values()]
        return any(rules(each, now) for each in others if each is not without)


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
        """Return the number that every change raises; 0 as long as no key was ever made, and no user added."""
        return self._rows.glance("version")

    def state(self) -> State:
        """Return everything, as it is at one version."""
        for _ in range(_TRIES):
            version = self.version()
            keys, users = (self._rows.page(table, Span(2 * MOST)) for table in ("keys", "users"))
            sessions, seen = (self._rows.page(table, Span(2 * MOST_SESSIONS)) for table in ("sessions", "seen"))
            (signs,) = self._rows.get("secrets", ["urls"])
            if self.version() == version:
                return State(
                    version,
                    tuple(_read(_KEY, keys, "id")),
                    b"" if signs is None else signs.value,
                    {user.id: user for user in _read(_USER, users, "id")},
                    {each.hash: each for each in _read(_SESSION, sessions, "hash")},
                    {row.key: row.score for row in seen},
                )
        raise StoreUnavailable("The registry of keys changes all the time. Try again.")

    def all(self) -> list[Key]:
        """Return all keys with their last use, oldest first, also those that no longer hold."""
        used = self.used()
        return [replace(key, last_used=used.get(key.id)) for key in self.state().keys]

    def used(self) -> dict[str, float]:
        """Return when keys and users were used last, by id."""
        return {row.key: row.score for row in self._rows.page("used", Span(4 * MOST))}

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
        check_maker(maker, grant)

        def change(state: State) -> tuple[list[Step], tuple[Key, Secret]]:
            secret = _new(state)
            key = Key(secrets.token_hex(6), secret.prefix, secret.hash, grant, note, self._now(), by)
            return [*self._room(state), _put(key)], (key, secret)

        return self.change(change)

    def add_first(self, secret: Secret, note: str = "", by: str = "library") -> Key | None:
        """Store an admin key that was made elsewhere, if no key was ever made; else return None."""

        def change(state: State) -> tuple[list[Step] | None, Key | None]:
            if state.version:
                return None, None
            grant = Grant(frozenset({"admin"}))
            key = Key(secrets.token_hex(6), secret.prefix, secret.hash, grant, note, self._now(), by)
            return [_put(key)], key

        return self.change(change)

    def revoke(self, key_id: str, *, force: bool = False) -> Key:
        """Revoke a key; one that is revoked stays so.

        Args:
            key_id: of the key.
            force: whether the last admin key may be revoked.

        Raises:
            UnknownKey: there is none.
            LastAdminKey: no other key or user without limits can make keys, and `force` is not set.
        """

        def change(state: State) -> tuple[list[Step] | None, Key]:
            key = find(state.keys, key_id)
            if key.revoked_at is not None:
                return None, key
            now = self._now()
            if not force and rules(key, now) and not state.is_ruled(now, key):
                raise LastAdminKey(
                    "This is the last admin key without limits. Make another one first, or revoke it with force: then "
                    "only `facegroup keys add` on the store can make keys."
                )
            gone = replace(key, revoked_at=now, old_prefix="", old_hash="", old_until=0.0)
            return [_put(gone)], gone

        return self.change(change)

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
            check_maker(maker, key.grant)
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

        return self.change(change)

    def touch(self, used: Mapping[str, float], seen: Mapping[str, float] | None = None) -> None:
        """Note when keys and users were last used, by id, and sessions, by hash. It raises no version."""
        steps = [Put("used", ident, at) for ident, at in used.items()]
        steps += [Put("seen", hashed, at) for hashed, at in (seen or {}).items()]
        if steps:
            self._rows.apply(steps)

    def seen(self, hashed: str) -> float:
        """Return when a session was used last, as it is known now; 0 if that was never noted."""
        (row,) = self._rows.get("seen", [hashed])
        return 0.0 if row is None else row.score

    @property
    def rows(self) -> Rows:
        """The tables, for what is counted beside the registry (`facegroup.access.attempts`)."""
        return self._rows

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return self._now()

    def url_secret(self) -> bytes:
        """Return the secret that signs URLs, the same for all processes; made when it is asked for first."""

        def change(state: State) -> tuple[list[Step] | None, bytes]:
            made = secrets.token_bytes(32)
            return (None, state.url_secret) if state.url_secret else ([Put("secrets", "urls", 0.0, made)], made)

        return self.change(change)

    def close(self) -> None:
        """Close the tables."""
        self._rows.close()

    def change(self, change: Callable[[State], tuple[list[Step] | None, _Done]]) -> _Done:
        """Apply the steps that a function makes of a state, if nothing changed meanwhile; else ask it again.

        Args:
            change: returns the steps, None for none, and what is returned here.
        """
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


def rules(who: Key | User, now: float) -> bool:
    """Return whether a key or a user can make any other."""
    holds = who.holds(now) if isinstance(who, Key) else who.disabled_at is None
    return holds and "admin" in who.grant.scopes and who.grant.galleries is None and who.grant.cameras is None


def check_maker(maker: Caller | None, grant: Grant) -> None:
    """Raise `Forbidden` if a grant allows more than its maker may do."""
    if maker is not None and not maker.grant.includes(grant):
        raise Forbidden(
            "A key or user cannot be allowed more than the one that makes it: scopes, galleries, cameras, expiry and "
            "limits must be within yours."
        )


def put_user(user: User) -> Put:
    """Return the step that stores a user."""
    return Put("users", user.id, user.created_at, _USER.dump_json(replace(user, last_used=None)))


def put_session(session: Session) -> Put:
    """Return the step that stores a session."""
    return Put("sessions", session.hash, session.created_at, _SESSION.dump_json(session))


def _put(key: Key) -> Put:
    return Put("keys", key.id, key.created_at, _KEY.dump_json(replace(key, last_used=None)))


def _read(kind: TypeAdapter[_Record], rows: Iterable[Row], key: str) -> Iterator[_Record]:
    for row in rows:
        try:
            found = kind.validate_json(row.value)
        except ValidationError:  # which would quote it
            log.error(
                "A damaged record in the registry of keys and users was skipped: %r. It admits nobody.", row.key[:64]
            )
            continue
        if getattr(found, key) == row.key:
            yield found
