"""Where galleries live. In goes an address, out comes the `Store` that keeps them there."""

from facegroup.errors import StoreInvalid
from facegroup.store.base import Store

__all__ = ["open_store"]


def open_store(url: str) -> Store:
    """Return the store at an address.

    Args:
        url: ``sqlite:///relative/path``, ``sqlite:////absolute/path``, ``redis://[user:password@]host[:port][/database]``,
            or ``rediss://…`` for TLS.

    Raises:
        StoreInvalid: it is none of these, or what is there cannot be used by this version.
        StoreUnavailable: the file cannot be opened. A Redis that does not answer raises when it is used.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from facegroup.store.sqlite import SqliteStore

        return SqliteStore(rest[1:])
    if separator and scheme in ("redis", "rediss"):
        from facegroup.store.redis import RedisStore

        return RedisStore(url)
    raise StoreInvalid(
        "the store's address must be sqlite:///path/gallery.db (four slashes for an absolute path), "
        "redis://host:6379/0, or rediss://host:6379/0 for TLS"
    )
