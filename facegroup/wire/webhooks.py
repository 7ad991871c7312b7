"""Webhooks and the events that they would not take: what the routes on them take and answer."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Self

from pydantic import Field

from facegroup.cameras.hub.receivers import WebhookState
from facegroup.cameras.sightings import types
from facegroup.cameras.sources import address
from facegroup.wire.model import Answer, Request
from facegroup.wire.patterns import Ident, Name
from facegroup.wire.sightings import Event


class NewWebhook(Request):
    """A receiver to tell of events."""

    id: Ident = Field(description="1–64 characters of a–z, 0–9 and -")
    url: str = Field(max_length=2048, description="http(s)://, posted to; redirects are not followed")
    secret: str | None = Field(
        None, min_length=16, max_length=256, description="key of the signature; null: one is made, and shown this once"
    )
    cameras: list[Ident] = Field([], max_length=1000, description="only their events; []: all")
    gallery: Name | None = Field(None, description="only of its cameras; null: all")


class Webhook(Answer):
    """A receiver of events."""

    id: str
    url: str = Field(description="without what may be secret")
    cameras: list[str]
    gallery: str | None
    created_at: float
    delivered: int = Field(description="number of the last event that was dealt with")
    waiting: int = Field(description="events after that")
    dead: int = Field(description="number of dead letters: events that the receiver did not accept")
    error: str | None = Field(description="the latest error of the delivery; null: it works")
    secret: str | None = Field(None, description="only in the answer that made it")

    @classmethod
    def of(cls, found: types.Webhook, state: WebhookState, *, secret: bool = False) -> Self:
        """Return a receiver and how it is; its secret only in the answer that made it."""
        kept = {"id": found.id, "url": address.shown(found.url) if found.url else "", "cameras": found.cameras}
        shown = {"secret": found.secret} if secret else {}
        rest = {"gallery": found.gallery, "created_at": found.created_at}
        return cls.model_validate({**kept, **rest, **asdict(state), **shown})


class Webhooks(Answer):
    """All receivers, by id."""

    webhooks: list[Webhook]


class DeadLetter(Answer):
    """An event that a receiver would not take."""

    event: Event
    at: float
    attempts: int
    detail: str


class DeadLetters(Answer):
    """Events that a receiver would not take, by number."""

    dead_letters: list[DeadLetter]
    next: int | None

    @classmethod
    def of(cls, found: Sequence[types.DeadLetter], limit: int) -> Self:
        """Return a page of at most so many dead letters."""
        letters = [DeadLetter.from_struct(each, event=Event.of(each.event)) for each in found]
        return cls(dead_letters=letters, next=found[-1].event.seq if len(found) == limit else None)


class Retried(Answer):
    """Dead letters that are tried again."""

    retried: int
