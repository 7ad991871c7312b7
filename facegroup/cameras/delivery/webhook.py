"""Poster: posts one event to one webhook, signed, to the address that was checked, and returns the outcome."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from facegroup.cameras.delivery import payloads, signature
from facegroup.cameras.sightings.types import Event, Webhook
from facegroup.cameras.sources import address
from facegroup.errors import SourceError
from facegroup.remote.authorities import trusting
from facegroup.settings import Cameras

_RESOLVERS = 8  # receivers whose names are looked up at once
TIMEOUT_SECONDS = 10.0
"""Time to connect, to send, and until the next byte of the answer; three times as long for all of it."""
_AGAIN = frozenset((408, 409, 421, 425, 429))
_LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one try.

    Attributes:
        taken: whether the receiver accepted the event.
        final: whether another try is pointless.
        detail: what was wrong.
        wait: seconds for which the receiver asked to be left alone; 0: it did not ask.
    """

    taken: bool
    final: bool = False
    detail: str = ""
    wait: float = 0.0


class Poster:
    """Posts events to webhooks. Used in one event loop.

    Args:
        settings: say which networks receivers may be in, and which authorities are trusted.
    """

    def __init__(self, settings: Cameras) -> None:
        self._settings = settings
        # Of its own: a resolver that hangs must not hold up those who wait for the journal.
        self._resolvers = ThreadPoolExecutor(_RESOLVERS, "resolve")
        # No connection is used twice: the pool keys them by IP address, and two hosts may share one.
        self._client = httpx.AsyncClient(
            verify=trusting(settings.ca),
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    async def post(self, webhook: Webhook, event: Event | payloads.Gap) -> Outcome:
        """Post an event, or a gap, once."""
        if not webhook.url or not webhook.secret:
            return Outcome(
                False,
                detail="its address or secret cannot be decrypted: FACEGROUP_SECRET_KEY or FACEGROUP_CAMERAS__KEY is "
                "missing or another one",
            )
        body = payloads.body(event)
        try:
            parts = address.split(webhook.url, ("http", "https"))
            # The name is resolved once, here, so that the address that was checked is the one that is used.
            ips = await asyncio.get_running_loop().run_in_executor(
                self._resolvers, address.resolve, parts, self._settings
            )
        except SourceError as error:
            return Outcome(False, detail=error.detail)
        name = (parts.hostname or "").encode("idna").decode()
        host = f"[{name}]" if ":" in name else name
        named = {
            "host": f"{host}:{parts.port}" if parts.port else host,
            "content-type": "application/json",
            "user-agent": "facegroup",
            **signature.headers(webhook.secret, event.id, time.time(), body),
        }
        login = address.credentials(parts)
        plain = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="")
        target = address.at(plain, ips[0])
        request = self._client.build_request("POST", target, content=body, headers=named)
        request.extensions["sni_hostname"] = name
        try:
            async with asyncio.timeout(3 * TIMEOUT_SECONDS):  # a receiver may send a byte now and then, for ever
                answer = await self._client.send(request, auth=login, stream=True)
                await answer.aclose()  # its body is not read
        except (httpx.HTTPError, TimeoutError) as error:
            return Outcome(False, detail=f"no answer: {type(error).__name__}")
        return _outcome(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        self._resolvers.shutdown(wait=False)


def _outcome(answer: httpx.Response) -> Outcome:
    if answer.is_success:
        return Outcome(True)
    detail = f"it answered {answer.status_code}"
    if answer.is_redirect:
        return Outcome(False, final=True, detail=f"{detail}: redirects are not followed")
    final = answer.is_client_error and answer.status_code not in _AGAIN
    return Outcome(False, final=final, detail=detail, wait=_wait(answer.headers.get("retry-after", "")))


def _wait(asked: str) -> float:
    """Return the seconds of a Retry-After header, which is a number or a date."""
    seconds = 0.0
    if asked.isdecimal():
        seconds = float(asked)
    elif asked:
        with suppress(ValueError, OverflowError):
            seconds = parsedate_to_datetime(asked).timestamp() - time.time()
    return min(max(seconds, 0.0), _LONGEST_WAIT)
