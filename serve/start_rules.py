"""Who a server may answer before anybody has a key: everybody on loopback, nobody on any other address.

`facegroup serve` and the builder for clusters ask here before anything is started.
"""

import ipaddress
import os
import shlex
from collections.abc import Callable
from contextlib import closing
from functools import partial

from deployments import one_store
from facegroup.access import first_key
from facegroup.access.checker import Mode
from facegroup.access.registry import open_registry
from facegroup.access.types import Key
from facegroup.errors import NoKeys, StoreNotShared, StoreUnavailable
from facegroup.remote.addresses import without_secrets
from facegroup.settings import Settings
from facegroup.store import server_log
from facegroup.store.audit import Event
from serve import tls_files

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
        InvalidSettings: the first key cannot be written or read, or the certificate cannot be used.
        NoKeys: nobody could use the server, because keys are asked for and the store never had one.
        StoreInvalid: the store holds something other than keys.
    """
    tls_files.check(settings, os.environ, everywhere=everywhere)
    mode: Mode = settings.access.mode
    if mode == "auto" and (everywhere or not is_loopback(settings.host)):
        mode = "keys"
    settings = settings.model_copy(update={"access": settings.access.model_copy(update={"mode": mode})})
    if mode == "open":
        say(OPEN)
        _note(settings, say, Event("opened"))
    elif mode == "keys" or settings.access.first_key is not None:
        try:
            found = _version(settings, say)
        except StoreUnavailable as error:
            say(
                f"it is not known yet whether there are keys; until the store answers, nobody is admitted: {error.detail}"
            )
        else:
            if not found:
                raise NoKeys(_without_keys(settings, everywhere=everywhere))
    return settings


def check_shared(settings: Settings, nodes: int, *, named: bool = True) -> None:
    """Refuse a store that other machines cannot reach, where there are or may be any.

    Args:
        settings: of a server that is deployed on a cluster.
        nodes: how many machines the cluster has now.
        named: whether the store must be named, because machines may join.

    Raises:
        StoreNotShared: the store is a file and there are several machines, or the settings should name a store.
    """
    if (named or nodes > 1) and "store" not in settings.model_fields_set:
        raise StoreNotShared(
            "the file that is deployed names no store, and each machine would keep a gallery of its own; add `store: "
            "redis://host:6379/0` below `args`, or `store: sqlite:////path/gallery.db` if there is only one machine"
        )
    if nodes > 1 and one_store.is_file(settings):
        raise StoreNotShared(one_store.SEVERAL.format(store=settings.store))


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _version(settings: Settings, say: Callable[[str], None]) -> int:
    """Return the version of the keys, 0 if there never were any; make the first one if the settings name a file for it."""
    with closing(open_registry(settings.store)) as registry:
        path = settings.access.first_key
        if path is not None and (said := first_key.ensure(registry, path, told=partial(_note_key, settings, say))):
            say(said)
        return registry.version()


def _note_key(settings: Settings, say: Callable[[str], None], key: Key) -> None:
    _note(settings, say, first_key.event(key))


def _note(settings: Settings, say: Callable[[str], None], event: Event) -> None:
    if fault := server_log.note(settings, event, "server"):
        say(fault)


def _without_keys(settings: Settings, *, everywhere: bool) -> str:
    where = "on all addresses" if everywhere else f"on {settings.host}"
    how = (
        "Or set access.first_key to a file, which the start writes one to. To let everybody who can reach the server do "
        "everything, set access.mode to open"
        if everywhere
        else "Or let everybody who can reach it do everything: facegroup serve --open"
    )
    command = _command(settings.store)
    return f"This server listens {where} and has no keys, so nobody could use it. Make the first one: {command}. {how}"


def _command(store: str) -> str:
    """Return the command that makes the first key. An address of Redis may hold a password, which is not shown."""
    shown = without_secrets(store)
    more = "" if shown == store else " (with the user, password and options of your address)"
    return f"facegroup keys add --role admin --store {shlex.quote(shown)}{more}"
