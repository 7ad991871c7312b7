"""Counts what a request uses, for the limits of its caller."""

import math

from fastapi import Request
from starlette.types import Message

from facegroup.access.rates import Rates, What, network
from facegroup.access.types import Caller
from facegroup.errors import RateLimited


async def spend(request: Request, what: What, amount: int) -> None:
    """Count what the caller of a request uses. Raises `RateLimited`, and then counts nothing."""
    rates: Rates = request.app.state.rates
    caller: Caller = request.state.caller
    request.state.left = await rates.spend(caller, _address(request), what, amount)


async def note_wrong_key(request: Request) -> None:
    """Count a key that does not hold. Raises `RateLimited` if there are too many from this address."""
    rates: Rates = request.app.state.rates
    await rates.note_wrong_key(_address(request))


_STEP = 1 << 20
"""Bytes that are counted at once. Each count may ask Redis, and a part of a body may be one byte."""


class CountedBody:
    """A request's body, whose bytes count: those that are announced before they come, all others as they come.

    Bytes that were not announced are counted in steps of a MiB, where they may be too many, and at the end.

    Args:
        request: whose body it is.

    Attributes:
        refused: the error, once it was too much.
    """

    def __init__(self, request: Request) -> None:
        self.refused: RateLimited | None = None
        self._request = request
        announced = request.headers.get("content-length", "")
        # What is longer was refused by `limits.Guard`, when it was asked for the first part.
        self._announced = int(announced) if announced.isdecimal() and len(announced) <= 18 else 0
        self._read = self._counted = 0

    async def __call__(self) -> Message:
        """Receive the next part."""
        message = await self._request.receive()
        self._read += len(message.get("body", b""))
        more = max(self._read, self._announced) - self._counted
        ended = not message.get("more_body", False)  # also if the caller has left
        if more > 0 and (ended or not self._counted or more >= min(_STEP, self._room + 1)):
            self._counted += more
            try:
                await spend(self._request, "bytes", more)
            except RateLimited as error:
                self.refused = error
                raise
        return message

    @property
    def _room(self) -> float:
        """How many bytes fitted when they were counted last."""
        left = getattr(self._request.state, "left", ())
        return next((each.remaining for each in left if each.what == "bytes"), math.inf)


def network_of(request: Request) -> str:
    """Return what counts as the address of a request's client."""
    return network(_address(request))


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
