"""Who a server may answer before anybody has a key: everybody on loopback, nobody on any other address.

`facegroup serve` and the builder for clusters ask here before anything is started.
"""

import ipaddress
import shlex
from collections.abc import Callable
from contextlib import closing

from facegroup.access import first_key
from facegroup.access.checker import Mode
from facegroup.access.registry import open_registry
from facegroup.errors import NoKeys, StoreUnavailable
from facegroup.settings import Settings

OPEN = (
    "this server is open (access.mode): everybody who can reach it can read, name, change and erase everybody, and use "
    "the cameras"
)


def checked(settings: Settings, say: Callable[[str], None], *, everywhere: bool = False) -> Settings:
    """Return settings that say whether keys are asked for; make the first key if they name a file for it.

    Args:
        settings: of a server that is about to start.
        say: is told in a line what an operator must know.
        everywhere: whether the server listens on all addresses, whatever `host` says: clusters do.

    Raises:
        InvalidSettings: the first key cannot be written or read.
        NoKeys: nobody could use the server, because keys are asked for and the store never had one.
        StoreInvalid: the store holds something other than keys.
    """
    mode: Mode = settings.access.mode
    if mode == "auto" and (everywhere or not is_loopback(settings.host)):
        mode = "keys"
    settings = settings.model_copy(update={"access": settings.access.model_copy(update={"mode": mode})})
    if mode == "open":
        say(OPEN)
    elif mode == "keys":
        _check_keys(settings, say, "on all addresses" if everywhere else f"on {settings.host}")
    elif settings.access.first_key is not None:
        _make_first(settings, say)
    return settings


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_keys(settings: Settings, say: Callable[[str], None], where: str) -> None:
    try:
        if settings.access.first_key is not None:
            _make_first(settings, say)
            return
        with closing(open_registry(settings.store)) as registry:
            found = registry.version()
    except StoreUnavailable as error:
        say(f"it is not known yet whether there are keys; until the store answers, nobody is admitted: {error.detail}")
        return
    if not found:
        raise NoKeys(
            f"This server listens {where} and has no keys, so nobody could use it. Make the first one: "
            f"{_command(settings.store)}. Or let everybody who can reach it do everything: facegroup serve --open"
        )


def _make_first(settings: Settings, say: Callable[[str], None]) -> None:
    assert settings.access.first_key is not None
    with closing(open_registry(settings.store)) as registry:
        if said := first_key.ensure(registry, settings.access.first_key):
            say(said)


def _command(store: str) -> str:
    """Return the command that makes the first key. An address of Redis may hold a password, which is not shown."""
    own = f" --store {shlex.quote(store)}" if store.startswith("sqlite:") else ""
    return f"facegroup keys add --role admin{own}"
