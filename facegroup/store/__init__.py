"""Where galleries live: `open_store` returns the `Store` at an address."""

import logging

from facegroup.errors import StoreInvalid, StoreUnavailable
from facegroup.store.audit import Retention
from facegroup.store.contract import Store

__all__ = ["check_store", "open_store"]

log = logging.getLogger(__name__)


def open_store(url: str, actor: str = "library", keep: Retention | None = None) -> Store:
    """Return the store at an address.

    Args:
        url: ``sqlite:///relative/path``, ``sqlite:////absolute/path``, ``redis://[user:password@]host[:port][/database]``,
            or ``rediss://…`` for TLS, or ``redis+sentinel://…`` (`facegroup.store.redis.address` has the options).
        actor: who the audit log names for writes that do not say who makes them.
        keep: how long its entries are kept; None uses the defaults of `Retention`.

    Raises:
        StoreInvalid: the address is none of these, or this version cannot use what is there.
        StoreUnavailable: the file cannot be opened. A Redis that does not answer raises when it is used.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from facegroup.store.sqlite.store import SqliteStore

        return SqliteStore(rest[1:], actor=actor, keep=keep)
    if separator and scheme in ("redis", "rediss", "redis+sentinel", "rediss+sentinel"):
        from facegroup.store.redis.store import RedisStore

        return RedisStore(url, actor=actor, keep=keep)
    raise StoreInvalid(
        "the store's address must be sqlite:///path/gallery.db (four slashes for an absolute path), "
        "redis://host:6379/0, rediss://host:6379/0 for TLS, or redis+sentinel://host:26379/mymaster/0"
    )


def check_store(url: str) -> None:
    """Check that a server can start on the store at an address.

    A Redis that does not answer yet and a full disk are only logged: a server answers without them, as far as it can.

    Raises:
        StoreInvalid: the address, or what is there, cannot be used; a file can be neither opened nor written.
    """
    try:
        store = open_store(url)
    except StoreUnavailable as error:
        raise StoreInvalid(f"{url.partition('://')[2][1:]} cannot be used: {error.detail}") from error
    try:
        store.check_writes()
    except StoreUnavailable as error:
        log.warning("%s", error.detail)
    finally:
        store.close()
