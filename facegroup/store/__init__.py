"""Where galleries live: `open_store` returns the `Store` at an address."""

import logging
from typing import cast

from facegroup.errors import StoreInvalid, StoreUnavailable
from facegroup.store.audit import Retention
from facegroup.store.contract import Store
from facegroup.store.conversion import Converts
from facegroup.store.encryption import PLAIN, SecretKeys
from facegroup.store.paging import every

__all__ = ["check_store", "open_store"]

log = logging.getLogger(__name__)


def open_store(
    url: str, actor: str = "library", keys: SecretKeys | None = None, keep: Retention | None = None
) -> Store:
    """Return the store at an address.

    Args:
        url: ``sqlite:///relative/path``, ``sqlite:////absolute/path``, ``redis://[user:password@]host[:port][/database]``,
            or ``rediss://…`` for TLS, or ``redis+sentinel://…`` (`facegroup.store.redis.address` has the options).
        actor: who the audit log names for writes that do not say who makes them.
        keys: that encrypt its values (`facegroup.store.secret_key.secret_keys`); None keeps them plain.
        keep: how long its entries are kept; None uses the defaults of `Retention`.

    Raises:
        StoreInvalid: the address is none of these, or this version cannot use what is there.
        StoreUnavailable: the file cannot be opened. A Redis that does not answer raises when it is used.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from facegroup.store.sqlite.store import SqliteStore

        return SqliteStore(rest[1:], actor=actor, keys=keys, keep=keep)
    if separator and scheme in ("redis", "rediss", "redis+sentinel", "rediss+sentinel"):
        from facegroup.store.redis.store import RedisStore

        return RedisStore(url, actor=actor, keys=keys, keep=keep)
    raise StoreInvalid(
        "the store's address must be sqlite:///path/gallery.db (four slashes for an absolute path), "
        "redis://host:6379/0, rediss://host:6379/0 for TLS, or redis+sentinel://host:26379/mymaster/0"
    )


def check_store(url: str, keys: SecretKeys | None = None) -> None:
    """Check that a server can start on the store at an address, with the keys that encrypt its values.

    A Redis that does not answer yet and a full disk are only logged: a server answers without them, as far as it can. So
    are values that a server with a key finds plain.

    Raises:
        KeyMissing: its values are encrypted with a key that is not there.
        StoreInvalid: the address, or what is there, cannot be used; a file can be neither opened nor written.
    """
    try:
        store = open_store(url, keys=keys)
    except StoreUnavailable as error:
        raise StoreInvalid(f"{url.partition('://')[2][1:]} cannot be used: {error.detail}") from error
    try:
        store.check_writes()
        for _ in every(store.galleries, lambda gallery: gallery.name):
            pass  # each needs its key
        if keys is not None and keys.own != PLAIN and cast("Converts", store).holds_plain():
            log.warning("The store holds values that are not encrypted. Run: facegroup encrypt")
    except StoreUnavailable as error:
        log.warning("%s", error.detail)
    finally:
        store.close()
