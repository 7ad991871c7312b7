"""Where galleries live. In goes an address, out comes the `Store` that keeps them there."""

from facegroup.errors import StoreInvalid
from facegroup.store.base import Store

__all__ = ["open_store"]


def open_store(url: str, actor: str = "library") -> Store:
    """Return the store at an address.

    Args:
        url: ``sqlite:///relative/path``, ``sqlite:////absolute/path``, ``redis://[user:password@]host[:port][/database]``,
            or ``rediss://…`` for TLS, or ``redis+sentinel://…`` (`facegroup.store.redis_address` has the options).
        actor: whose writes are, for the audit log, where a call says nothing.

    Raises:
        StoreInvalid: it is none of these, or what is there cannot be used by this version.
        StoreUnavailable: the file cannot be opened. A Redis that does not answer raises when it is used.
    """
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        from facegroup.store.sqlite import SqliteStore

        return SqliteStore(rest[1:], actor=actor)
    if separator and scheme in ("redis", "rediss", "redis+sentinel", "rediss+sentinel"):
        from facegroup.store.redis import RedisStore

        return RedisStore(url, actor=actor)
    raise StoreInvalid(
        "the store's address must be sqlite:///path/gallery.db (four slashes for an absolute path), "
        "redis://host:6379/0, rediss://host:6379/0 for TLS, or redis+sentinel://host:26379/mymaster/0"
    )
