"""Users of the registry: add, change and remove them, and keep the last admin."""

import secrets
from dataclasses import replace

from facegroup.access.people import User, user_name
from facegroup.access.registry import MOST, Registry, State, check_maker, put_user, rules
from facegroup.access.types import Caller, Role, cleaned
from facegroup.errors import LastAdmin, TooManyUsers, UnknownUser, UserExists
from facegroup.store.rows.rows import Drop, Step


class Users:
    """Class that changes the users of a registry. Every method raises `StoreUnavailable` if the store does not answer.

    Args:
        registry: of keys, users and sessions.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def all(self) -> list[User]:
        """Return all users with their last use, by name."""
        used, users = self._registry.used(), self._registry.state().users.values()
        return sorted((replace(user, last_used=used.get(user.id)) for user in users), key=lambda user: user.name)

    def show(self, name: str) -> User:
        """Return a user. Raises `UnknownUser`, or `InvalidName`."""
        user = find(self._registry.state(), user_name(name))
        return replace(user, last_used=self._registry.used().get(user.id))

    def add(
        self,
        name: str,
        hashed: str,
        role: Role,
        galleries: tuple[str, ...] | None = None,
        cameras: tuple[str, ...] | None = None,
        by: str = "library",
        maker: Caller | None = None,
    ) -> User:
        """Add a user.

        Args:
            name: by which they sign in.
            hashed: hash of the password; see `facegroup.access.passwords`.
            role: what they may do.
            galleries: names of the galleries that they may use; None: all.
            cameras: ids of the cameras that they may use; None: all.
            by: who adds them, as the audit log names them.
            maker: whose rights bound theirs; None: nobody's.

        Raises:
            Forbidden: they would be allowed something that their maker may not do.
            InvalidName: the name, or one of a gallery, or an id of a camera is not valid.
            MalformedRequest: they are limited to nothing.
            TooManyUsers: there are too many.
            UserExists: there is one of this name.
        """
        now, name = self._registry.now(), user_name(name)
        user = _cleaned(User(secrets.token_hex(6), name, hashed, role, galleries, cameras, now, by, now))
        check_maker(maker, user.grant)

        def change(state: State) -> tuple[list[Step], User]:
            if any(each.name == name for each in state.users.values()):
                raise UserExists(f"there is a user {name}; change them, or choose another name")
            if len(state.users) >= MOST:
                raise TooManyUsers(f"there are {MOST} users; remove those whom nobody needs")
            return [put_user(user)], user

        return self._registry.change(change)

    def change(
        self,
        name: str,
        *,
        hashed: str | None = None,
        role: Role | None = None,
        limits: tuple[tuple[str, ...] | None, tuple[str, ...] | None] | None = None,
        disabled: bool | None = None,
        maker: Caller | None = None,
    ) -> User:
        """Change a user. A new password, and disabling them, ends their sessions.

        Args:
            name: of the user.
            hashed: hash of the new password.
            role: what they may do from now on.
            limits: galleries and cameras that they may use from now on; None of the two: all.
            disabled: whether they may not sign in.
            maker: whose rights bound theirs, before and after; None: nobody's.

        Raises:
            Forbidden: they are, or would be, allowed something that the maker may not do.
            InvalidName: a name is not valid.
            LastAdmin: nobody could make keys and users any more.
            UnknownUser: there is none, or the maker's galleries and cameras do not reach them.
        """
        wanted = user_name(name)

        def change(state: State) -> tuple[list[Step] | None, User]:
            user, now = find(state, wanted, maker), self._registry.now()
            galleries, cameras = limits or (user.galleries, user.cameras)
            changed = replace(user, role=role or user.role, galleries=galleries, cameras=cameras)
            if hashed is not None:
                changed = replace(changed, hash=hashed, password_at=now)
            if disabled is not None and disabled != (user.disabled_at is not None):
                changed = replace(changed, disabled_at=now if disabled else None)
            changed = _cleaned(changed)
            check_maker(maker, changed.grant)
            if changed == user:
                return None, user
            if rules(user, now) and not rules(changed, now) and not state.is_ruled(now, user):
                raise _last(user)
            ends = hashed is not None or changed.disabled_at is not None
            return [put_user(changed), *(without_sessions(state, "user", user.id) if ends else ())], changed

        return self._registry.change(change)

    def remove(self, name: str, maker: Caller | None = None) -> User:
        """Remove a user and end their sessions. Raises as `change` does."""
        wanted = user_name(name)

        def change(state: State) -> tuple[list[Step], User]:
            user, now = find(state, wanted, maker), self._registry.now()
            if rules(user, now) and not state.is_ruled(now, user):
                raise _last(user)
            gone = [Drop("users", user.id), Drop("used", user.id)]
            return [*gone, *without_sessions(state, "user", user.id)], user

        return self._registry.change(change)

    def rehash(self, user: User, hashed: str) -> None:
        """Store the same password with today's parameters, unless another one was set meanwhile."""

        def change(state: State) -> tuple[list[Step] | None, None]:
            found = state.users.get(user.id)
            if found is None or found.hash != user.hash:
                return None, None
            return [put_user(replace(found, hash=hashed))], None

        self._registry.change(change)


def find(state: State, name: str, reaching: Caller | None = None) -> User:
    """Return the user with a name. Raises `UnknownUser`, also if a caller's galleries and cameras do not reach them."""
    user = next((user for user in state.users.values() if user.name == name), None)
    if user is None or (reaching is not None and not reaching.grant.reaches(user.grant)):
        raise UnknownUser(f"There is no user {name[:64]!r}.")
    return user


def without_sessions(state: State, kind: str, subject: str) -> list[Step]:
    """Return the steps that end all sessions of a user or a key."""
    hashes = [each.hash for each in state.sessions.values() if (each.kind, each.subject) == (kind, subject)]
    return [step for hashed in hashes for step in (Drop("sessions", hashed), Drop("seen", hashed))]


def _cleaned(user: User) -> User:
    grant, _ = cleaned(user.grant)
    return replace(user, galleries=grant.galleries, cameras=grant.cameras)


def _last(user: User) -> LastAdmin:
    return LastAdmin(
        f"{user.name} is the last admin without limits, and there is no admin key. Make another admin or a key first."
    )
