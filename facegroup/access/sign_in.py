"""Signs people in: with a name and a password, or with a key."""

import asyncio
from dataclasses import replace

from facegroup.access import passwords
from facegroup.access.attempts import Attempts
from facegroup.access.checker import Checker
from facegroup.access.comparing import PasswordWork
from facegroup.access.people import Session, User
from facegroup.access.sessions import Sessions
from facegroup.access.users import Users
from facegroup.errors import InvalidName, SignInRefused, UnknownUser


class SignIn:
    """Class that begins sessions. Each ingress has one.

    Args:
        checker: knows keys, users and sessions.
        work: hashes and compares passwords.
        seconds: for which a session holds.
    """

    def __init__(self, checker: Checker, work: PasswordWork, seconds: float) -> None:
        self._checker = checker
        self._work = work
        self._seconds = seconds

    async def with_password(self, name: str, password: str, network: str, before: str = "") -> tuple[Session, str]:
        """Begin a session of a user.

        Whether there is a user of this name is told by nothing: the same is done, and counted, for each name.

        Args:
            name: that was typed.
            password: that was typed.
            network: that the request comes from.
            before: hash of a session that ends with this sign-in.

        Returns:
            The session, and its token.

        Raises:
            RateLimited: too many tries have failed, or too many sign in at once.
            SignInRefused: the name or the password is wrong, or the user is disabled.
            StoreUnavailable: the store does not answer.
        """
        async with self._work.turn(network):
            return await self._with_password(name, password, network, before)

    async def with_key(self, text: str, before: str = "") -> tuple[Session, str]:
        """Begin a session of a key. Raises `Unauthorised` if it does not hold."""
        key, proof = await self._checker.key_of(text)
        return await asyncio.to_thread((await self.sessions()).of_key, key, proof, before)

    async def sessions(self) -> Sessions:
        """Return the sessions of the registry. Raises `StoreUnavailable`."""
        return Sessions(await self._checker.registry(), self._seconds)

    async def _with_password(self, name: str, password: str, network: str, before: str) -> tuple[Session, str]:
        registry = await self._checker.registry()
        attempts = Attempts(registry.rows, self._checker.now)
        typed = name.strip().lower()
        await asyncio.to_thread(attempts.begin, typed, network)
        users = Users(registry)
        user = await asyncio.to_thread(_find, users, typed)
        stored = passwords.NOBODY if user is None else user.hash
        right = await self._work.run(lambda: passwords.matches(stored, password))
        if user is None or user.disabled_at is not None or not right:
            raise SignInRefused("The name or the password is wrong.")
        await asyncio.to_thread(attempts.forgive, typed, network)
        if passwords.is_outdated(user.hash):
            hashed = await self._work.run(lambda: passwords.hashed(password))
            await asyncio.to_thread(users.rehash, user, hashed)
            user = replace(user, hash=hashed)
        return await asyncio.to_thread((await self.sessions()).of_user, user, before)


def _find(users: Users, typed: str) -> User | None:
    try:
        return users.show(typed)
    except (UnknownUser, InvalidName):
        return None
