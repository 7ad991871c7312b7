"""Sessions of the registry: begun by a sign-in, ended by a log-out, or with the user or the key."""

from collections.abc import Callable
from dataclasses import replace

from facegroup.access.people import Session, User, new_token, token_hash
from facegroup.access.registry import MOST_SESSIONS, Registry, State, put_session
from facegroup.access.types import Key
from facegroup.access.users import without_sessions
from facegroup.errors import SignInRefused, Unauthorised
from facegroup.store.rows.rows import Drop, Step

MOST_OF_ONE = 20
"""Most sessions of one user or key; the oldest ends when there are more."""


class Sessions:
    """Class that begins and ends sessions. Every method raises `StoreUnavailable` if the store does not answer.

    Args:
        registry: of keys, users and sessions.
        seconds: for which a session holds, however much it is used.
    """

    def __init__(self, registry: Registry, seconds: float) -> None:
        self._registry = registry
        self._seconds = seconds

    def of_user(self, user: User, before: str = "") -> tuple[Session, str]:
        """Begin a session of a user whose password was right.

        Args:
            user: as they were when the password was compared.
            before: hash of a session that ends with this sign-in.

        Returns:
            The session and its token, which is stored nowhere.

        Raises:
            SignInRefused: they were changed meanwhile.
        """

        def holds(state: State) -> bool:
            now = state.users.get(user.id)
            return now is not None and now.disabled_at is None and now.hash == user.hash

        return self._begin(Session("", "user", user.id, user.name), before, holds)

    def of_key(self, key: Key, proof: str, before: str = "") -> tuple[Session, str]:
        """Begin a session of a key that holds. It ends with the key.

        Args:
            key: of the registry.
            proof: hash of what was sent: the key, or the one that it replaced.
            before: hash of a session that ends with this sign-in.

        Raises:
            Unauthorised: the key was revoked meanwhile.
        """

        def holds(state: State) -> bool:
            return any(each.id == key.id and each.proves(proof, self._registry.now()) for each in state.keys)

        try:
            return self._begin(Session("", "key", key.id, key.note, proof), before, holds)
        except SignInRefused:
            raise Unauthorised("This key does not hold: it is unknown, was revoked, or has expired.") from None

    def of_provider(self, session: Session, before: str = "") -> tuple[Session, str]:
        """Begin a session of somebody whom an OIDC provider knows."""
        return self._begin(session, before, lambda _: True)

    def end(self, hashed: str) -> None:
        """End a session. One that is gone is no error."""

        def change(state: State) -> tuple[list[Step] | None, None]:
            return (_ended(hashed) if hashed in state.sessions else None), None

        self._registry.change(change)

    def end_all(self, hashed: str) -> int:
        """End all sessions of whom this one is of, this one too; return how many."""

        def change(state: State) -> tuple[list[Step] | None, int]:
            session = state.sessions.get(hashed)
            steps = [] if session is None else without_sessions(state, session.kind, session.subject)
            return steps or None, len(steps) // 2

        return self._registry.change(change)

    def _begin(self, session: Session, before: str, holds: Callable[[State], bool]) -> tuple[Session, str]:
        token = new_token()
        hashed = token_hash(token)
        assert hashed is not None

        def change(state: State) -> tuple[list[Step], Session]:
            if not holds(state):
                raise SignInRefused("The name or the password is wrong.")
            now = self._registry.now()
            made = replace(session, hash=hashed, created_at=now, ends_at=now + self._seconds)
            return [*_room(state, made, before, now), put_session(made)], made

        return self._registry.change(change), token


def _room(state: State, made: Session, before: str, now: float) -> list[Step]:
    """Return the steps that end what has ended anyway, the session of before, and the oldest beyond the limits."""
    gone = {each.hash for each in state.sessions.values() if each.ends_at <= now or each.hash == before}
    left = [each for each in state.sessions.values() if each.hash not in gone]
    own = [each.hash for each in left if (each.kind, each.subject) == (made.kind, made.subject)]
    gone.update(own[: max(0, len(own) + 1 - MOST_OF_ONE)])
    gone.update(each.hash for each in left[: max(0, len(left) + 1 - MOST_SESSIONS)])
    gone.update(state.seen.keys() - state.sessions.keys())
    return [step for hashed in gone for step in _ended(hashed)]


def _ended(hashed: str) -> list[Step]:
    return [Drop("sessions", hashed), Drop("seen", hashed)]
