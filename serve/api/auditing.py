"""Audit entries of what the store of galleries does not write itself: keys, users, cameras, sign-ins, and refusals.

A route whose change is to be noted has a row in `EVENTS`, and does nothing more: the entry is written when it has answered
with a status below 400. Ids in the path are in the entry, else the `id` of the answer, or the `name` of a user. Words for
sign-ins are ``signed_in`` and ``signed_out``.

- A route that signs somebody in is open, so it says who it was: it sets ``request.state.caller`` to the user before it
  answers. The entry is then theirs. The row may be of a GET, such as one that a provider of identities redirects to.
- A route whose refusals have a word of their own sets ``request.state.refusal`` before it refuses: ``"sign_in_refused"``.
  They are then added up like other refusals. The name that was tried is in no entry, as people type passwords there.
- What is no request is noted by ``await app.state.auditor.note(SERVER, Event("…", None, {…}), Origin("server"))``, and by
  `facegroup.store.server_log.note` where no server runs.
"""

import asyncio
import json
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from fastapi import Request, Response

from facegroup.access.types import Caller
from facegroup.errors import FacegroupError, RateLimited, ServiceError, UnknownGallery
from facegroup.store.audit import DONE, SERVER, Event, Origin
from facegroup.store.contract import Store
from serve.api.pipeline import Pipeline

log = logging.getLogger(__name__)

_ONE = "/v1/{0}s/{{{0}}}"
_KEY, _USER, _CAMERA, _WEBHOOK, _VIDEO = map(_ONE.format, ("key", "user", "camera", "webhook", "video"))

Refusal: TypeAlias = Literal["refused", "sign_in_refused"]
"""The words for refusals."""

EVENTS = {
    ("POST", "/v1/keys"): "key_made",
    ("DELETE", _KEY): "key_revoked",
    ("POST", f"{_KEY}/rotate"): "key_rotated",
    ("POST", "/v1/session"): "signed_in",
    ("DELETE", "/v1/session"): "signed_out",
    ("POST", "/v1/users"): "user_added",
    ("PATCH", _USER): "user_changed",
    ("DELETE", _USER): "user_removed",
    ("POST", "/v1/cameras"): "camera_added",
    ("PATCH", _CAMERA): "camera_changed",
    ("DELETE", _CAMERA): "camera_removed",
    ("POST", "/v1/webhooks"): "webhook_added",
    ("DELETE", _WEBHOOK): "webhook_removed",
    ("POST", f"{_WEBHOOK}/dead-letters/retry"): "webhook_retried",
    ("POST", "/v1/videos"): "video_added",
    ("DELETE", _VIDEO): "video_removed",
    ("POST", "/v1/signed-urls"): "url_signed",
    ("DELETE", "/v1/galleries/{gallery}/unknowns/{unknown}"): "unknown_erased",
    ("POST", "/v1/galleries/{gallery}/accept"): "loss_accepted",
}
"""Method and path of each route whose change no store of galleries notes, and the word for it in the audit log."""

_NAMED = ("key", "user", "camera", "webhook", "video", "unknown")  # in paths
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SECONDS = 60.0
_CALLERS = 20
_A_DAY = 1000
_DAY = 86_400.0
_WAITING = 1000
_TRIES = 10_000  # how many refusals of a minute are told apart before they are added up


@dataclass(slots=True)
class _Refusals:
    """Class of the refusals of one caller in a minute."""

    what: Refusal
    origin: Origin
    count: int = 0
    first: float = 0.0
    last: float = field(default=0.0)


class Auditor:
    """Class that writes audit entries through a pipeline. What cannot be written now is tried again each minute.

    Refusals are added up by the minute, for each code and caller. Of one minute the 20 most frequent are entries of their
    own, and the others are one entry for each code. After 1,000 entries a day all are. So nobody can fill the log by being
    refused.

    Args:
        pipeline: what leads to the store.
        now: seconds since the epoch.
    """

    def __init__(self, pipeline: Pipeline, now: Any = time.time) -> None:
        self._pipeline = pipeline
        self._now = now
        self._refused: dict[tuple[Refusal, str, str, str], _Refusals] = {}
        self._waiting: deque[tuple[str, Event, Origin, str]] = deque(maxlen=_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._day, self._spent = 0, 0

    async def changed(self, request: Request, row: tuple[str, str], answer: Response) -> None:
        """Write the entry of a change that a route has made, if it is one of `EVENTS`."""
        what = EVENTS.get(row)
        if what is None or answer.status_code >= 400:
            return
        detail = {name: value for name, value in request.path_params.items() if name in _NAMED}
        kind = row[1].rpartition("/")[2].removesuffix("s")
        if not detail and isinstance(made := _body(answer, "name" if kind == "user" else "id"), str):
            detail = {kind: made}
        if row[0] == "PATCH":
            detail["fields"] = sorted(await request.json())
        gallery = request.path_params.get("gallery", SERVER)
        await self.note(gallery, Event(what, None, detail), origin(request))

    async def note(self, gallery: str, event: Event, by: Origin, result: str = DONE) -> None:
        """Write an entry now, or later if the store does not answer. Never raises."""
        try:
            await self._pipeline.ask(Store.note, gallery, event, by, result)
        except UnknownGallery:
            await self.note(SERVER, Event(event.what, None, {**event.detail, "gallery": gallery}), by, result)
        except FacegroupError as error:
            log.warning("the audit entry %s by %s cannot be written now: %s", event.what, by.actor, error)
            self._waiting.append((gallery, event, by, result))
            self._start()

    def refused(self, error: FacegroupError, by: Origin, method: str, what: Refusal = "refused") -> None:
        """Count a refusal, if it is one of access, or a conflict of a change. Overload is no refusal.

        Args:
            error: that is answered.
            by: who is refused.
            method: of the request.
            what: the word for it in the audit log.
        """
        denied = error.status in (401, 403) or (error.status == 409 and method not in _SAFE)
        if isinstance(error, ServiceError):
            denied = isinstance(error, RateLimited)
        if not denied:
            return
        which = (what, error.code, by.actor, by.address)
        if which not in self._refused and len(self._refused) >= _TRIES:
            which = (what, error.code, "", "")
            by = Origin("server")
        found = self._refused.setdefault(which, _Refusals(what, by, 0, self._now()))
        found.count, found.last = found.count + 1, self._now()
        self._start()

    async def flush(self) -> None:
        """Write what was counted and what waits."""
        for _ in range(len(self._waiting)):
            await self.note(*self._waiting.popleft())
        counted, self._refused = self._refused, {}
        day = int(self._now() // _DAY)
        if day != self._day:
            self._day, self._spent = day, 0
        rest: dict[tuple[Refusal, str], _Refusals] = {}
        ordered = sorted(counted.items(), key=lambda each: -each[1].count)
        for number, ((what, code, actor, _), each) in enumerate(ordered):
            if actor and number < _CALLERS and self._spent < _A_DAY:
                self._spent += 1
                await self.note(SERVER, _event(each), each.origin, code)
                continue
            other = rest.setdefault((what, code), _Refusals(what, Origin("server"), 0, each.first))
            other.count += each.count
            other.first, other.last = min(other.first, each.first), max(other.last, each.last)
        for (_, code), each in rest.items():
            await self.note(SERVER, _event(each), each.origin, code)

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._later())

    async def _later(self) -> None:
        while self._refused or self._waiting:
            await asyncio.sleep(_SECONDS)
            await self.flush()


def origin(request: Request) -> Origin:
    """Return whose request it is: the key or the user, or the address that the connection comes from."""
    caller: Caller | None = getattr(request.state, "caller", None)
    client = request.client.host if request.client else "unknown"
    actor = f"http {client}"
    if caller is not None and caller.kind != "anonymous":
        actor = f"key {caller.id}" if caller.kind == "key" else f"user {caller.name}"
    return Origin(actor, str(getattr(request.state, "request_id", "")), client)


def _event(found: _Refusals) -> Event:
    return Event(found.what, None, {"count": found.count, "first": found.first, "last": found.last})


def _body(answer: Response, field: str) -> object:
    """Return a field of what an answer tells of."""
    try:
        found = json.loads(bytes(getattr(answer, "body", b"")))
    except ValueError:
        return None
    return found.get(field) if isinstance(found, dict) else None
