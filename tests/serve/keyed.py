"""Servers that ask for keys, and the keys for them."""

import secrets
from typing import Any

from facegroup.access.checker import open_checker
from facegroup.access.people import csrf_token
from facegroup.access.registry import Registry, open_registry
from facegroup.access.sessions import Sessions
from facegroup.access.types import Grant, Role, Scope
from facegroup.access.users import Users
from facegroup.errors import StageUnavailable
from facegroup.settings import Settings
from serve.api import build_api, cookies
from tests.serve.driver import Api


class Nothing:
    """A pipeline behind which nothing is: whatever reaches it was admitted, and is answered 503 `stage_unavailable`."""

    def has_room(self, count: int, size: int = 0) -> bool:
        return True

    def __getattr__(self, name: str) -> Any:
        async def away(*_: object, **__: object) -> None:
            raise StageUnavailable("nothing is here")

        return away


class Keyed:
    """A server that asks for keys.

    Args:
        settings: of the server; the keys are beside its store.
        pipeline: what answers those who are admitted.

    Attributes:
        api: the server.
        registry: its keys.
    """

    def __init__(self, settings: Settings, pipeline: Any = None) -> None:
        access = settings.access.model_copy(update={"mode": "keys"})
        self.settings = settings.model_copy(update={"access": access})
        self.registry: Registry = open_registry(settings.store)
        self.checker = open_checker(self.settings)
        self.api = Api(build_api(self.settings, pipeline or Nothing(), self.checker))

    def key(self, *scopes: Scope, **limits: Any) -> str:
        """Return a new key."""
        return self.registry.add(Grant(frozenset(scopes or ("admin",)), **limits))[1].text

    def session(self, role: Role = "admin", name: str = "", **limits: Any) -> dict[str, str]:
        """Return the headers of a page that a new user has signed in to, with the token for changes."""
        user = Users(self.registry).add(name or f"u{secrets.token_hex(4)}", "none", role, **limits)
        _, token = Sessions(self.registry, 3600).of_user(user)
        return {"cookie": f"{cookies.NAME}={token}", cookies.HEADER: csrf_token(token)}

    def id_of(self, key: str) -> str:
        """Return the id of a key."""
        return next(each.id for each in self.registry.all() if key.startswith(each.prefix))

    def close(self) -> None:
        """Close the registry."""
        self.checker.close()
        self.registry.close()


def bearer(key: str) -> dict[str, str]:
    """Return the header with a key."""
    return {"authorization": f"Bearer {key}"}


def filled(template: str, **given: str) -> str:
    """Return a path of a template, with ids of nothing that exists."""
    ids = {"gallery": "choir", "person": "ada", "photo": "0" * 64, "example": "0" * 64, "unknown": "unknown-1"}
    more = {
        "camera": "door",
        "sighting": "0" * 32,
        "webhook": "hook",
        "video": "0" * 32,
        "key": "nobody",
        "user": "nobody",
    }
    return template.format(**{**ids, **more, **given})
