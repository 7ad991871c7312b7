"""What callers use is counted, and refused when it is too much."""

import asyncio

import pytest

from facegroup.access.rates import Rates, network
from facegroup.access.types import EVERYBODY, Caller, Grant, RateLimits
from facegroup.errors import RateLimited


def caller(name: str, **limits: int) -> Caller:
    return Caller(name, "key", "", Grant(frozenset({"identify"}), limits=RateLimits(**limits)))


def test_what_is_too_much_is_refused_and_not_counted() -> None:
    async def run() -> None:
        rates, ada = Rates(), caller("ada", photos=10)
        (left,) = await rates.spend(ada, "::1", "photos", 7)
        assert (left.what, left.most, left.seconds, left.remaining) == ("photos", 10, 60, 3)
        with pytest.raises(RateLimited, match="3 are left") as refused:
            await rates.spend(ada, "::1", "photos", 4)
        assert 1 <= refused.value.retry_after <= 60
        assert (await rates.spend(ada, "::1", "photos", 3))[0].remaining == 0
        with pytest.raises(RateLimited, match="never fits"):
            await rates.spend(ada, "::1", "photos", 10**20)
        await rates.spend(caller("bob", photos=10), "::1", "photos", 10)  # another key has its own

    asyncio.run(run())


def test_a_key_without_limits_has_those_of_the_settings() -> None:
    async def run() -> None:
        rates = Rates(keyed=RateLimits(requests=2), anonymous=RateLimits(requests=1))
        for _ in range(2):
            await rates.spend(caller("ada"), "::1", "requests", 1)
        with pytest.raises(RateLimited):
            await rates.spend(caller("ada"), "10.0.0.9", "requests", 1)
        await rates.spend(EVERYBODY, "2001:db8::1", "requests", 1)
        with pytest.raises(RateLimited):
            await rates.spend(EVERYBODY, "2001:db8::2:3", "requests", 1)
        await rates.spend(EVERYBODY, "2001:db8:0:1::1", "requests", 1)

    asyncio.run(run())


def test_each_process_holds_its_share() -> None:
    async def run() -> None:
        rates = Rates(share=4)
        assert (await rates.spend(caller("ada", requests=10), "::1", "requests", 1))[0].most == 3

    asyncio.run(run())


def test_without_redis_each_process_counts_by_itself() -> None:
    async def run() -> None:
        rates, ada = Rates("redis://127.0.0.1:1/0"), caller("ada", requests=1)
        await rates.spend(ada, "::1", "requests", 1)
        with pytest.raises(RateLimited):
            await rates.spend(ada, "::1", "requests", 1)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", "unknown"),
        ("x" * 999, "x" * 64),
    ],
)
def test_what_counts_as_one_address(address: str, counted: str) -> None:
    assert network(address) == counted
