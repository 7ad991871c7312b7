"""Counts what callers use, and says when it is too much: requests and photos a minute, bytes a day.

The method is a sliding window counter: the window before counts in proportion to what of it is still in the last minute or
day (the package `limits`). What is refused is not counted. With a Redis store all processes count together, in Redis. With
SQLite each process counts by itself, and holds its share of a limit. While Redis does not answer, each process counts by
itself, too.
"""

import asyncio
import ipaddress
import logging
import math
import time
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis import RedisError

from facegroup.access.types import Caller, RateLimits
from facegroup.errors import RateLimited
from facegroup.settings import Settings
from facegroup.store.redis.address import connect

log = logging.getLogger(__name__)

What: TypeAlias = Literal["requests", "photos", "bytes", "wrong-keys"]
_COUNTED: tuple[What, ...] = get_args(What)[:3]
_AWAY_SECONDS = 5.0  # for which a Redis that failed is not asked again
_TIMEOUT = 1.0
_UNLIMITED = RateLimits()


@dataclass(frozen=True, slots=True)
class Left:
    """Class of what a caller may still use.

    Attributes:
        what: is counted.
        most: in a window.
        seconds: of the window.
        remaining: of `most`.
        reset: seconds until more is there.
    """

    what: What
    most: int
    seconds: int
    remaining: int
    reset: int


class Rates:
    """Class that counts. May be used from several threads and event loops.

    Args:
        redis_url: address of the Redis that counts for all processes; None: this process counts alone.
        share: how many processes count alone, so that each holds this part of a limit.
        keyed: limits of keys that have none of their own.
        anonymous: limits of callers without a key, for each address.
        wrong_keys: a minute, for each address; None: no limit.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        share: int = 1,
        keyed: RateLimits = _UNLIMITED,
        anonymous: RateLimits = _UNLIMITED,
        wrong_keys: int | None = None,
    ) -> None:
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared: SlidingWindowCounterRateLimiter | None = None
        if redis_url is not None:
            reached = connect(redis_url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
            storage = RedisStorage("redis://", reached.client.connection_pool, "facegroup:{rates}")
            self._shared = SlidingWindowCounterRateLimiter(storage)
        self._share = share
        self._keyed = keyed
        self._anonymous = anonymous
        self._wrong = wrong_keys
        self._away_until = -math.inf

    async def spend(self, caller: Caller, address: str, what: What, amount: int) -> list[Left]:
        """Count what a caller uses; return what is left, of all that is limited.

        Args:
            caller: who they are.
            address: that the request comes from; counts for callers without a key.
            what: is used.
            amount: of it.

        Raises:
            RateLimited: it is more than is left. It is not counted.
        """
        limits = self._of(caller)
        if all(most is None for most in limits.values()):
            return []
        client = f"{caller.kind} {caller.id or network(address)}"
        items = {each: _item(each, most, self._share) for each, most in limits.items() if most is not None}
        fits, left = await self._ask(client, items, what, amount)
        if not fits:
            own = next(each for each in left if each.what == what)
            raise _refused(own, amount, left)
        return left

    async def note_wrong_key(self, address: str) -> None:
        """Count a key that does not hold. Raises `RateLimited` if there are too many from an address."""
        if self._wrong is None:
            return
        item = _item("wrong-keys", self._wrong, self._share)
        fits, left = await self._ask(f"wrong {network(address)}", {"wrong-keys": item}, "wrong-keys", 1)
        if not fits:
            raise RateLimited(
                "Too many keys that do not hold came from this address. Wait, and send a key that holds.",
                max(left[0].reset, 1),
            )

    def _of(self, caller: Caller) -> dict[What, int | None]:
        default = self._anonymous if caller.kind == "anonymous" else self._keyed
        own = caller.limits
        pairs = ((own.requests, default.requests), (own.photos, default.photos), (own.bytes, default.bytes))
        return dict(zip(_COUNTED, (other if mine is None else mine for mine, other in pairs), strict=True))

    async def _ask(
        self, client: str, items: dict[What, RateLimitItem], what: What, amount: int
    ) -> tuple[bool, list[Left]]:
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return await asyncio.to_thread(_count, self._shared, client, items, what, amount)
            except (RedisError, OSError) as error:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                log.warning("Redis does not count rates; this process counts alone: %s", type(error).__name__)
        return _count(self._own, client, items, what, amount)


def open_rates(settings: Settings) -> Rates:
    """Return what counts for an ingress with these settings. Raises `StoreInvalid`: the store's address is not valid."""
    access = settings.access
    alone = settings.store.startswith("sqlite:")
    return Rates(
        None if alone else settings.store,
        settings.ingress.replicas if alone else 1,
        RateLimits(access.requests_per_minute, access.photos_per_minute, access.bytes_per_day),
        RateLimits(
            access.anonymous_requests_per_minute, access.anonymous_photos_per_minute, access.anonymous_bytes_per_day
        ),
        access.wrong_keys_per_minute,
    )


def network(address: str) -> str:
    """Return what counts as one address: for IPv6 its /64, which a provider gives to one customer."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


def _count(
    limiter: SlidingWindowCounterRateLimiter, client: str, items: dict[What, RateLimitItem], what: What, amount: int
) -> tuple[bool, list[Left]]:
    item = items.get(what)
    fits = item is None or amount <= 0 or limiter.hit(item, what, client, cost=amount)
    left = []
    for each, found in items.items():
        stats = limiter.get_window_stats(found, each, client)
        reset = min(max(math.ceil(stats.reset_time - time.time()), 0), found.get_expiry())
        left.append(Left(each, found.amount, found.get_expiry(), stats.remaining, reset))
    return fits, left


def _item(what: What, most: int, share: int) -> RateLimitItem:
    kind = RateLimitItemPerDay if what == "bytes" else RateLimitItemPerMinute
    return kind(max(math.ceil(most / share), 1))


def _refused(own: Left, amount: int, left: list[Left]) -> RateLimited:
    window = "a day" if own.what == "bytes" else "a minute"
    told = f"This caller may use {own.most:,} {own.what} {window}, and {own.remaining:,} are left."
    if amount > own.most:
        told += f" This request has {amount:,}, which never fits. Send less at once."
    else:
        told += " Try again later."
    return RateLimited(told, max(own.reset, 1), tuple(left))
