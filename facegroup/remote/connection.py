"""Sends requests to one server over HTTP, and repeats those that it cannot take yet.

A request that was answered with 429 is always repeated, because the server did not process it. After 503 or a lost
connection, only requests that may run twice are repeated: reads, settings, recognition, and writes with an idempotency key.
"""

import logging
import os
import random
import re
import time
from typing import Any
from urllib.parse import unquote, urlunsplit

import httpx

from facegroup.errors import (
    BodyTooLarge,
    FacegroupError,
    MalformedRequest,
    Overloaded,
    ServiceError,
    StageUnavailable,
    StoreWentBack,
    TimedOut,
    error_of,
    seconds_of,
)
from facegroup.remote.addresses import ESCAPED, parted
from facegroup.remote.proxies import transport

log = logging.getLogger(__name__)

_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "PATCH"})
KEY = "Idempotency-Key"
_SENDABLE = re.compile(r"[!-~]{1,1000}", re.ASCII)


class NoAnswer(StageUnavailable):
    """No server answers at the address, or the connection was lost."""


class Connection:
    """Class that sends requests to one server.

    Args:
        url: such as ``http://127.0.0.1:8000``.
        timeout: seconds that one request may take.
        patience: for how many seconds a refused request is repeated; 0 repeats none.
        key: API key that every request carries; None: none.
        ca: PEM file of certificate authorities that are trusted beside the usual ones; None: no others.

    Raises:
        MalformedRequest: the URL is not an address of a server, or the key cannot be sent.
        InvalidSettings: the proxy in the environment or the authorities cannot be used.
    """

    def __init__(
        self,
        url: str,
        timeout: float,
        patience: float,
        key: str | None = None,
        ca: str | os.PathLike[str] | None = None,
    ) -> None:
        parts = parted(url)
        if parts is None:
            raise MalformedRequest(f"the server's address cannot be read; write it as http://host:port. {ESCAPED}")
        # httpx logs and quotes this address, so it has no password.
        where = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
        login = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
        carrier, self._proxy = transport(where, ca)
        if key is not None and not _SENDABLE.fullmatch(key):  # of which httpx would quote all
            raise MalformedRequest("the key cannot be sent: a key is 55 letters, digits, _ and -, and begins with fg_")
        # In a header of its own: a proxy in front may want the other one for a user and a password.
        headers = {} if key is None else {"x-api-key": key}
        self.http = httpx.Client(
            base_url=where.rstrip("/"), auth=login, headers=headers, timeout=timeout, transport=carrier
        )
        self._patience = patience
        self._known = False

    def send(self, method: str, path: str, *, again: bool | None = None, **request: Any) -> httpx.Response:
        """Send a request, repeat it while the server cannot take it, and return the answer.

        Args:
            method: of HTTP.
            path: below the server's URL.
            again: whether to repeat a request that may have been processed; None decides by method and idempotency key.
            request: other arguments of httpx.

        Raises:
            FacegroupError: the server's error, as the library would raise it; `StageUnavailable` if no server answers.
        """
        keyed = KEY in request.get("headers", {})
        repeatable = method in _REPEATABLE or keyed if again is None else again
        deadline: float | None = None
        while True:
            try:
                return self._once(method, path, **request)
            except ServiceError as error:
                now = time.monotonic()
                deadline = now + self._patience if deadline is None else deadline
                pause = max(error.retry_after, 0.2) * (1 + random.random() / 4)  # spreads clients that wait
                if not self._may_help(error, repeatable) or now + pause > deadline:
                    raise
                log.info("%s %s: %s; asked again in %.0f s", method, path, error.detail, pause)
                time.sleep(pause)

    def no_answer(self, error: httpx.HTTPError) -> NoAnswer:
        """Return the error for a request without an answer."""
        through = "" if self._proxy is None else f" through {self._proxy}"
        return NoAnswer(f"no server answers at {self.http.base_url}{through}: {error or type(error).__name__}")

    def error(self, answer: httpx.Response) -> FacegroupError:
        """Return the error of an answer; a `FacegroupError` if its code is unknown."""
        try:
            body = answer.json()
        except ValueError:
            body = None
        if isinstance(body, dict) and "code" in body:
            return error_of({**body, "retry_after": answer.headers.get("retry-after")})
        # A proxy in front of the server answers so while the server is lost or starts.
        said = f"{answer.status_code}" if self._proxy is None else f"{answer.status_code}, or {self._proxy} did"
        after = seconds_of(answer.headers.get("retry-after"))
        if answer.status_code == Overloaded.status:
            return Overloaded(f"the server answered {said}: it has too much to do", after)
        if answer.status_code == BodyTooLarge.status:
            return BodyTooLarge(f"the server, or a proxy before it, answered {said}: the body is too large")
        if answer.status_code >= 500 or (answer.status_code == 404 and "/-/routes" in answer.text):
            return StageUnavailable(f"the server is not there yet: it answered {said}", after)
        return FacegroupError(f"the server answered {said}")

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def _once(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            answer = self.http.request(method, path, **request)
        except httpx.TransportError as error:
            raise self.no_answer(error) from error
        self._known = True
        if answer.is_error:
            raise self.error(answer)
        return answer

    def _may_help(self, error: ServiceError, repeatable: bool) -> bool:
        if isinstance(error, Overloaded):
            return True
        if isinstance(error, StoreWentBack | TimedOut):  # an operator must act, or it would take as long again
            return False
        if isinstance(error, NoAnswer) and not self._known:  # a wrong address is reported at once
            return False
        return repeatable
