"""One server over HTTP: a request in, its answer or its error out. Answers that say "later" are waited for.

429 is asked again whatever the request is: it was shed, unprocessed. 503 and a lost connection are asked again only where
the same request twice does no more than once: reading, setting, recognition, and writes under an idempotency key.
"""

import logging
import random
import time
from collections.abc import Mapping
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
)
from facegroup.remote.addresses import ESCAPED, parted
from facegroup.remote.proxies import transport

log = logging.getLogger(__name__)

_REPEATABLE = frozenset({"GET", "HEAD", "PUT", "PATCH"})
KEY = "Idempotency-Key"


class NoAnswer(StageUnavailable):
    """Nobody answers at the address, or the connection was lost."""


class Connection:
    """Connections to one server.

    Args:
        url: such as ``http://127.0.0.1:8000``.
        timeout: seconds that one request may take.
        patience: seconds for which a request that is told to come later is repeated; 0: it never is.

    Raises:
        MalformedRequest: the URL is none that a server can have.
        InvalidSettings: the proxy that the environment names cannot be used.
    """

    def __init__(self, url: str, timeout: float, patience: float) -> None:
        parts = parted(url)
        if parts is None:
            raise MalformedRequest(f"the server's address cannot be read; write it as http://host:port. {ESCAPED}")
        # The address that httpx logs, and quotes in its errors, is one without a password.
        where = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
        login = None if parts.username is None else (unquote(parts.username), unquote(parts.password or ""))
        carrier, self._proxy = transport(where)
        self.http = httpx.Client(base_url=where.rstrip("/"), auth=login, timeout=timeout, transport=carrier)
        self._patience = patience
        self._known = False

    def send(self, method: str, path: str, *, again: bool | None = None, **request: Any) -> httpx.Response:
        """Return the answer to a request, which is repeated while the server says "later".

        Args:
            method: of HTTP.
            path: below the server's URL.
            again: whether the request may be repeated though it may have been worked on; None: by method and key.
            request: as httpx takes it.

        Raises:
            FacegroupError: the server's error, as the library would raise it; `StageUnavailable` where no server answers.
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
                pause = max(error.retry_after, 0.2) * (1 + random.random() / 4)  # spreads those who wait
                if not self._may_help(error, repeatable) or now + pause > deadline:
                    raise
                log.info("%s %s: %s; asked again in %.0f s", method, path, error.detail, pause)
                time.sleep(pause)

    def no_answer(self, error: httpx.HTTPError) -> NoAnswer:
        """Return the error that a request without an answer is."""
        through = "" if self._proxy is None else f" through {self._proxy}"
        return NoAnswer(f"no server answers at {self.http.base_url}{through}: {error or type(error).__name__}")

    def error(self, answer: httpx.Response) -> FacegroupError:
        """Return the error that an answer is; of an unknown code, the most general one."""
        try:
            body = answer.json()
        except ValueError:
            body = None
        if isinstance(body, dict) and "code" in body:
            return error_of({**body, "retry_after": answer.headers.get("retry-after")})
        # Not the server's: a proxy before it answers so while it is lost, starts, or does not know its routes yet.
        said = f"{answer.status_code}" if self._proxy is None else f"{answer.status_code}, or {self._proxy} did"
        after = _seconds(answer.headers.get("retry-after"))
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
        if isinstance(error, StoreWentBack | TimedOut):  # an operator must act; and the same would take as long again
            return False
        if isinstance(error, NoAnswer) and not self._known:  # a wrong address is said at once
            return False
        return repeatable


def error_of(problem: Mapping[str, Any]) -> FacegroupError:
    """Return the library's error of a problem's code; of an unknown code, the most general one."""
    kind = _kinds(FacegroupError).get(problem["code"], FacegroupError)
    if issubclass(kind, ServiceError):
        return kind(problem["detail"], _seconds(problem.get("retry_after")))
    return kind(problem["detail"])


def _seconds(said: object) -> int:
    """Return what a Retry-After header says; 1 where it says nothing, or a date."""
    text = str(said)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def _kinds(root: type[FacegroupError]) -> dict[str, type[FacegroupError]]:
    below = (_kinds(kind) for kind in root.__subclasses__())
    return {code: kind for kinds in below for code, kind in kinds.items()} | {root.code: root}
