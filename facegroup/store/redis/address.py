"""Addresses of Redis: one server, with a password, an ACL user or TLS; or the master that Sentinels name.

    redis://user:password@host:6379/0
    rediss://user:password@host:6379/0?ssl_ca_certs=/path/ca.pem&ssl_certfile=…&ssl_keyfile=…
    redis+sentinel://user:password@host1:26379,host2:26379/mymaster/0?sentinel_username=…&sentinel_password=…
    rediss+sentinel://…   the same over TLS, to the Sentinels too

User and password are percent-encoded; in a Sentinel's address they are the master's. `replicas=1` lets a write return only
when so many replicas have it (WAIT).
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import redis
from redis.sentinel import Sentinel

from facegroup.errors import StoreInvalid
from facegroup.remote.addresses import ESCAPED, ambiguous

_SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True)
class Address:
    """Class of a Redis server: where it is, and a client for it.

    Attributes:
        client: a `redis.Redis`.
        where: host and port, or the master's name; shown in messages.
        secrets: never shown in messages.
        replicas: how many replicas a write waits for.
    """

    client: Any
    where: str
    secrets: tuple[str, ...]
    replicas: int = 0


def connect(url: str, **options: Any) -> Address:
    """Return a client for `url`; nothing is sent yet.

    Args:
        url: see the module's docstring.
        options: of redis-py's connections.

    Raises:
        StoreInvalid: it cannot be read; the message does not quote it, for the password's sake.
    """
    # Not chained: the errors of urllib and redis-py quote the URL, and with it the password.
    try:
        scheme, _, rest = url.partition("://")
        rest, _, query = rest.partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True))
        replicas = int(given.pop("replicas", 0))
        if replicas < 0 or ambiguous(url):
            raise ValueError
        if scheme.endswith("+sentinel"):
            return _sentinel(scheme.removesuffix("+sentinel"), rest, given, replicas, options)
        plain = f"{scheme}://{rest}" + (f"?{urlencode(given)}" if given else "")
        pool = redis.ConnectionPool.from_url(plain, **options)
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError, AttributeError, redis.RedisError):
        raise StoreInvalid(
            "the address of Redis cannot be read; it is redis://user:password@host:port/0, rediss://… for TLS, or "
            f"redis+sentinel://user:password@host:port,host:port/mymaster/0. {ESCAPED}"
        ) from None
    kept = pool.connection_kwargs
    where = f"{kept.get('host', 'localhost')}:{kept.get('port', 6379)}"
    return Address(redis.Redis(connection_pool=pool), where, _secrets(kept), replicas)


def _sentinel(scheme: str, rest: str, given: dict[str, str], replicas: int, options: dict[str, Any]) -> Address:
    login, _, rest = rest.rpartition("@")
    hosts, _, path = rest.partition("/")
    name, _, database = path.partition("/")
    sentinels = [_host(each) for each in hosts.split(",")]
    if not name:
        raise ValueError
    own: dict[str, Any] = {
        key.removeprefix("sentinel_"): given.pop(key) for key in list(given) if key.startswith("sentinel_")
    }
    if own.keys() - {"username", "password"}:
        raise ValueError
    # redis-py knows the options of a URL, and what type each has.
    url = f"{scheme}://{login + '@' if login else ''}localhost/{int(database or 0)}"
    pool = redis.ConnectionPool.from_url(url + (f"?{urlencode(given)}" if given else ""), **options)
    pool.connection_class(**pool.connection_kwargs)
    kept: dict[str, Any] = {key: value for key, value in pool.connection_kwargs.items() if key not in ("host", "port")}
    tls: dict[str, Any] = {key: value for key, value in kept.items() if key.startswith("ssl")}
    if scheme == "rediss":
        kept["ssl"] = tls["ssl"] = True
    shared: dict[str, Any] = {
        key: options[key] for key in ("socket_timeout", "socket_connect_timeout", "protocol") if key in options
    }
    untyped: Any = Sentinel
    finder = untyped(sentinels, sentinel_kwargs={**shared, **tls, **own}, **kept)
    return Address(
        finder.master_for(unquote(name)),
        f"the master {unquote(name)} of Sentinel {hosts}",
        (*_secrets(kept), *_secrets(own)),
        replicas,
    )


def _host(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.username is not None:
        raise ValueError
    return parts.hostname, parts.port or _SENTINEL_PORT


def _secrets(kept: dict[str, Any]) -> tuple[str, ...]:
    return (str(kept["password"]),) if kept.get("password") else ()
