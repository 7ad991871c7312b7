"""Sessions on each store: what begins and ends them, and that a checker of any process knows at once."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from facegroup.access.checker import Checker
from facegroup.access.comparing import AT_ONCE, WAITING, WAITING_FROM_ONE, PasswordWork
from facegroup.access.people import Session, csrf_token, token_hash
from facegroup.access.registry import Registry
from facegroup.access.sessions import MOST_OF_ONE, Sessions
from facegroup.access.types import ROLES, Caller, Grant
from facegroup.access.users import Users
from facegroup.errors import RateLimited, SignInRefused, StoreUnavailable, Unauthorised
from facegroup.store.rows.rows import Span
from tests.unit.access.times import Times

IDLE, HOURS = 3600.0, 12 * 3600.0


@pytest.fixture
def users(registry: Registry) -> Users:
    return Users(registry)


@pytest.fixture
def sessions(registry: Registry) -> Sessions:
    return Sessions(registry, HOURS)


@pytest.fixture(params=[True, False], ids=["near", "far"])
def made(request: pytest.FixtureRequest, registry: Registry, times: Times) -> Iterator[Callable[..., Checker]]:
    made: list[Checker] = []

    def make(**more: Any) -> Checker:
        made.append(
            Checker(
                lambda _: registry, "keys", near=request.param, idle=IDLE, clock=times.clock, now=times.wall, **more
            )
        )
        return made[-1]

    yield make
    for each in made:
        each._registry = None
        each.close()


def who(checker: Checker, token: str) -> Caller:
    return asyncio.run(checker.identify(None, token))


def ended(checker: Checker, token: str) -> bool:
    with pytest.raises(Unauthorised) as error:
        who(checker, token)
    assert token not in str(error.value)
    return True


def test_a_session_says_who_and_what_may_be_done(
    made: Callable[..., Checker], users: Users, sessions: Sessions, registry: Registry
) -> None:
    user = users.add("ada", "h", "editor", ("choir",))
    session, token = sessions.of_user(user)
    caller = who(made(), token)
    assert (caller.id, caller.kind, caller.name, caller.session) == (user.id, "user", "ada", session.hash)
    assert caller.grant == Grant(frozenset(ROLES["editor"]), ("choir",))
    assert session.hash == token_hash(token)
    for row in registry.rows.page("sessions", Span(10)):
        assert token.encode() not in row.value
        assert token not in row.key


def test_each_sign_in_has_a_new_token_and_ends_the_session_of_before(
    made: Callable[..., Checker], users: Users, sessions: Sessions
) -> None:
    user, checker = users.add("ada", "h", "viewer"), made()
    first, one = sessions.of_user(user)
    _, two = sessions.of_user(user, first.hash)
    assert one != two
    assert ended(checker, one)
    assert who(checker, two)


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 44, "é" * 43, "A" * 42 + "\n"])
def test_tokens_of_no_session(made: Callable[..., Checker], users: Users, token: str) -> None:
    users.add("ada", "h", "viewer")
    with pytest.raises(Unauthorised):
        who(made(), token)


@pytest.mark.parametrize("how", ["password", "disabled", "removed", "log out", "everywhere"])
def test_what_ends_a_session_ends_it_in_every_process(
    made: Callable[..., Checker], users: Users, sessions: Sessions, how: str
) -> None:
    user, checkers = users.add("ada", "h", "viewer"), (made(), made())
    session, token = sessions.of_user(user)
    _, others = sessions.of_user(user)
    _, grace = sessions.of_user(users.add("grace", "h", "viewer"))
    for checker in checkers:
        assert who(checker, token)
    acts: dict[str, Callable[[], object]] = {
        "password": lambda: users.change("ada", hashed="new"),
        "disabled": lambda: users.change("ada", disabled=True),
        "removed": lambda: users.remove("ada"),
        "log out": lambda: sessions.end(session.hash),
        "everywhere": lambda: sessions.end_all(session.hash),
    }
    acts[how]()
    for checker in checkers:
        assert ended(checker, token)
        assert who(checker, grace)
    assert who(checkers[0], others) if how == "log out" else ended(checkers[0], others)
    sessions.end(session.hash)
    assert sessions.end_all(session.hash) == 0


def test_a_role_changes_at_the_next_request(made: Callable[..., Checker], users: Users, sessions: Sessions) -> None:
    checker = made()
    _, token = sessions.of_user(users.add("ada", "h", "admin"))
    users.add("grace", "h", "admin")
    assert who(checker, token).grant.has("manage")
    users.change("ada", role="viewer")
    assert not who(checker, token).grant.has("manage")


def test_a_password_that_changes_during_the_sign_in(users: Users, sessions: Sessions) -> None:
    user = users.add("ada", "h", "viewer")
    users.change("ada", hashed="new")
    with pytest.raises(SignInRefused):
        sessions.of_user(user)
    users.change("ada", disabled=True)
    with pytest.raises(SignInRefused):
        sessions.of_user(users.show("ada"))


def test_a_session_of_a_key_ends_with_it(
    made: Callable[..., Checker], registry: Registry, sessions: Sessions, times: Times
) -> None:
    checker, grant = made(), Grant(frozenset({"identify"}))
    key, secret = registry.add(grant)
    _, token = sessions.of_key(key, secret.hash)
    caller = who(checker, token)
    assert (caller.id, caller.kind, caller.grant) == (key.id, "key", grant)
    rotated, new = registry.rotate(key.id, 60)
    _, newer = sessions.of_key(rotated, new.hash)
    times.pass_by(59)
    assert who(checker, token)
    times.pass_by(1)
    assert ended(checker, token)
    assert who(checker, newer)
    with pytest.raises(Unauthorised):
        sessions.of_key(key, secret.hash)
    registry.revoke(key.id)
    assert ended(checker, newer)


def test_it_ends_when_it_is_not_used(
    made: Callable[..., Checker], users: Users, sessions: Sessions, times: Times, registry: Registry
) -> None:
    one, two = made(), made()
    _, token = sessions.of_user(users.add("ada", "h", "viewer"))
    assert who(two, token)
    for _ in range(4):  # longer than idle, all the time at one process
        times.pass_by(IDLE - 1)
        if times.day > 1_800_000_000.0 + HOURS - IDLE:
            break
        assert who(one, token)
        one._worker().submit(lambda: None).result()
    assert who(two, token)  # which knows it from the registry
    times.pass_by(IDLE)
    assert ended(one, token)
    assert ended(two, token)


def test_it_ends_however_much_it_is_used(
    made: Callable[..., Checker], users: Users, sessions: Sessions, times: Times
) -> None:
    checker = made()
    session, token = sessions.of_user(users.add("ada", "h", "viewer"))
    while times.day + 1800 < session.ends_at:
        times.pass_by(1800)
        assert who(checker, token)
    times.pass_by(1800)
    assert ended(checker, token)


def test_the_oldest_of_one_user_ends(
    made: Callable[..., Checker], users: Users, sessions: Sessions, times: Times
) -> None:
    user, tokens = users.add("ada", "h", "viewer"), []
    for _ in range(MOST_OF_ONE + 2):
        times.pass_by(1)
        tokens.append(sessions.of_user(user)[1])
    _, grace = sessions.of_user(users.add("grace", "h", "viewer"))
    checker = made()
    assert [ended(checker, each) for each in tokens[:2]] == [True, True]
    for each in (*tokens[2:], grace):
        assert who(checker, each)


def test_a_provider_that_is_gone_takes_its_sessions_along(made: Callable[..., Checker], sessions: Sessions) -> None:
    grant = Grant(frozenset({"identify"}))
    _, token = sessions.of_provider(Session("", "oidc", "oidc-1", "oidc:ada", grant=grant, role="viewer"))
    caller = who(made(provider=True), token)
    assert (caller.kind, caller.name, caller.grant) == ("user", "oidc:ada", grant)
    assert ended(made(), token)


def test_the_last_known_sessions_hold_while_the_store_is_away(
    made: Callable[..., Checker], users: Users, sessions: Sessions, registry: Registry, monkeypatch: Any
) -> None:
    checker = made()
    _, token = sessions.of_user(users.add("ada", "h", "viewer"))
    assert who(checker, token)

    def away() -> int:
        raise StoreUnavailable("away")

    monkeypatch.setattr(registry, "version", away)
    assert who(checker, token)
    assert asyncio.run(checker.again(who(checker, token)))


def test_a_key_that_is_sent_counts_and_not_the_session(
    made: Callable[..., Checker], users: Users, sessions: Sessions, registry: Registry
) -> None:
    checker = made()
    _, token = sessions.of_user(users.add("ada", "h", "admin"))
    _, secret = registry.add(Grant(frozenset({"identify"})))
    assert asyncio.run(checker.identify(secret.text, token)).kind == "key"
    with pytest.raises(Unauthorised):
        asyncio.run(checker.identify("fg_wrong", token))


def test_csrf_tokens_are_bound_to_their_session(users: Users, sessions: Sessions) -> None:
    user = users.add("ada", "h", "viewer")
    tokens = [sessions.of_user(user)[1] for _ in range(3)]
    made = {csrf_token(each) for each in tokens}
    assert len(made) == 3
    assert made.isdisjoint(tokens)
    assert all(token not in each for token in tokens for each in made)


def test_nobody_fills_the_queue_of_passwords() -> None:
    async def sign_in() -> tuple[int, list[object]]:
        work, go, most, under_way = PasswordWork(), asyncio.Event(), 0, 0

        async def one(network: str) -> None:
            nonlocal most, under_way
            async with work.turn(network):
                under_way += 1
                most = max(most, under_way)
                await go.wait()
                under_way -= 1

        tasks = [asyncio.create_task(one("10.0.0.1")) for _ in range(10)]
        tasks += [asyncio.create_task(one(f"10.0.1.{number}")) for number in range(30)]
        await asyncio.sleep(0)
        go.set()
        return most, [*await asyncio.gather(*tasks, return_exceptions=True)]

    most, answers = asyncio.run(sign_in())
    refused = [isinstance(each, RateLimited) for each in answers]
    assert most <= AT_ONCE
    assert sum(refused[:10]) == 10 - WAITING_FROM_ONE
    assert sum(refused) == 40 - WAITING - AT_ONCE
