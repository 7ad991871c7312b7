"""Users of the registry on each store: what may change of them, and the last admin."""

from collections.abc import Callable
from typing import Any

import pytest

from facegroup.access.people import User, user_name
from facegroup.access.registry import Registry, open_registry
from facegroup.access.types import Caller, Grant
from facegroup.access.users import Users
from facegroup.errors import Forbidden, InvalidName, LastAdmin, LastAdminKey, MalformedRequest, UnknownUser, UserExists
from tests.unit.access.times import Times

ADMIN = Grant(frozenset({"admin"}))


@pytest.fixture
def users(registry: Registry) -> Users:
    return Users(registry)


def caller(**limits: Any) -> Caller:
    return Caller("maker", "key", "", Grant(frozenset({"admin"}), **limits))


def test_a_user_is_kept_as_they_were_added(users: Users, registry: Registry, times: Times, url: str) -> None:
    made = users.add(" Ada@Choir ", "hash", "editor", ("choeur", "choeur"), ("door",), "cli")
    assert (made.name, made.role, made.galleries, made.cameras) == ("ada@choir", "editor", ("choeur",), ("door",))
    assert (made.created_at, made.created_by, made.password_at) == (times.day, "cli", times.day)
    registry.touch({made.id: 5.0})
    again = open_registry(url)
    assert Users(again).all() == [User(**{**{name: getattr(made, name) for name in made.__slots__}, "last_used": 5.0})]
    assert Users(again).show("ADA@choir").last_used == 5.0
    again.close()
    assert "hash" not in repr(made)


def test_every_change_raises_the_version(users: Users, registry: Registry) -> None:
    versions = [registry.version()]
    acts: list[Callable[[], object]] = [
        lambda: users.add("ada", "h", "admin"),
        lambda: users.add("grace", "h", "admin"),
        lambda: users.change("ada", role="viewer"),
        lambda: users.change("ada", hashed="other"),
        lambda: users.change("ada", disabled=True),
        lambda: users.remove("ada"),
    ]
    for act in acts:
        act()
        versions.append(registry.version())
    assert versions == sorted(set(versions))
    users.change("grace", role="admin", disabled=False)
    assert registry.version() == versions[-1]  # nothing has changed


@pytest.mark.parametrize(
    "name", ["", " ", "ada lovelace", "-ada", "é", "a" * 65, "ada/..", "a\x00", "ada\nb", "oidc:ada"]
)
def test_names_of_no_user(users: Users, name: str) -> None:
    with pytest.raises(InvalidName):
        users.add(name, "h", "viewer")
    with pytest.raises(InvalidName):
        users.change(name, role="admin")


def test_a_name_is_taken_once(users: Users) -> None:
    users.add("ada", "h", "viewer")
    with pytest.raises(UserExists):
        users.add("ADA", "h", "admin")
    users.remove("Ada")
    with pytest.raises(UnknownUser):
        users.remove("ada")
    assert user_name(" ADA ") == "ada"


def test_a_user_who_comes_back_is_another_one(users: Users) -> None:
    before = users.add("ada", "h", "viewer")
    users.remove("ada")
    assert users.add("ada", "h", "viewer").id != before.id


def test_a_user_is_limited_to_something(users: Users) -> None:
    for galleries, cameras in (((), None), (None, ())):
        with pytest.raises(MalformedRequest):
            users.add("ada", "h", "viewer", galleries, cameras)
    with pytest.raises(InvalidName):
        users.add("ada", "h", "viewer", ("a/b",))


def test_the_last_admin_stays(users: Users, registry: Registry) -> None:
    users.add("ada", "h", "admin")
    users.add("grace", "h", "admin", ("choir",))  # cannot make users for everything
    users.add("eileen", "h", "editor")
    changes: list[Callable[[], object]] = [
        lambda: users.remove("ada"),
        lambda: users.change("ada", disabled=True),
        lambda: users.change("ada", role="editor"),
        lambda: users.change("ada", limits=(("choir",), None)),
        lambda: users.change("ada", limits=(None, ("door",))),
    ]
    for change in changes:
        with pytest.raises(LastAdmin):
            change()
    users.change("ada", hashed="other")
    key, _ = registry.add(ADMIN)
    users.change("ada", disabled=True)
    with pytest.raises(LastAdminKey):
        registry.revoke(key.id)
    users.change("ada", disabled=False)
    registry.revoke(key.id)  # ada can make another one
    with pytest.raises(LastAdmin):
        users.remove("ada")
    users.add("hedy", "h", "admin")
    users.remove("ada")


def test_nobody_is_given_more_than_their_maker_has(users: Users, times: Times) -> None:
    limited = caller(galleries=("choir", "band"))
    users.add("ada", "h", "admin", ("choir",), maker=limited)
    users.add("grace", "h", "admin")
    for galleries in (None, ("secret",), ("choir", "secret")):
        with pytest.raises(Forbidden):
            users.add("eileen", "h", "viewer", galleries, maker=limited)
    with pytest.raises(Forbidden):
        users.change("ada", limits=(None, None), maker=limited)
    with pytest.raises(UnknownUser):
        users.change("grace", hashed="mine", maker=limited)
    with pytest.raises(UnknownUser):
        users.remove("grace", limited)
    with pytest.raises(Forbidden):
        users.add("eileen", "h", "viewer", maker=caller(expires_at=times.day + 9))


def test_the_same_password_is_hashed_anew_unless_it_was_changed(users: Users) -> None:
    user = users.add("ada", "old", "viewer")
    users.rehash(user, "new")
    assert users.show("ada").hash == "new"
    users.rehash(user, "older")
    assert users.show("ada").hash == "new"
    users.remove("ada")
    users.rehash(user, "new")
    assert users.all() == []
