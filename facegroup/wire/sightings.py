"""Sightings, their events and strangers: what the routes on them take and answer."""

from collections.abc import Sequence
from typing import Any, Literal, Self

from pydantic import Field

from facegroup.cameras.delivery import payloads
from facegroup.cameras.sightings import types
from facegroup.wire.model import Answer, Request, added
from facegroup.wire.patterns import Ident, Name


class Sighting(Answer):
    """One visit of one person to one camera."""

    id: str
    camera: str
    gallery: str
    person_id: str | None = Field(description="the member; null: a stranger")
    unknown: str | None = Field(description="the stranger; null: a member")
    name: str
    first_seen: float = Field(description="seconds since the epoch")
    last_seen: float
    frames: int = Field(description="number of frames in which the face was found")
    similarity: float | None = Field(description="the best; null: a stranger who was seen for the first time")
    visit_id: str = Field(description="the same on several cameras, overlapping or soon after each other")
    open: bool = Field(description="whether the person may still be there")
    crop: bool = Field(description="whether a picture of the face is kept")
    liveness: float | None = added(None, "mean of how live the last views were, 0..1; null: that was not scored")
    event: int = Field(description="number of its latest event")

    @classmethod
    def of(cls, found: types.Sighting) -> Self:
        """Return a sighting, as receivers of events see it."""
        return cls.model_validate(payloads.sighting(found))


class SightingsPage(Answer):
    """Sightings, the latest first."""

    sightings: list[Sighting]
    next: str | None = Field(description="cursor of the next page; null: this is the last")

    @classmethod
    def of(cls, found: Sequence[types.Sighting], limit: int) -> Self:
        """Return a page of at most so many sightings."""
        following = found[-1].cursor if len(found) == limit else None
        return cls(sightings=[Sighting.of(each) for each in found], next=following)


class Event(Answer):
    """What receivers are told: the data of a server-sent event, the body of a webhook, the payload of MQTT."""

    seq: int = Field(description="1, 2, 3 …, none left out")
    id: str = Field(description="unique: a repetition has the same")
    type: Literal["sighting.began", "sighting.changed", "sighting.ended"]
    at: float
    sighting: Sighting

    @classmethod
    def of(cls, found: types.Event) -> Self:
        """Return an event, as receivers see it."""
        return cls.model_validate(payloads.event(found))


class Stranger(Answer):
    """A stranger who may come back."""

    id: str
    gallery: str
    visits: int
    first_seen: float
    last_seen: float
    crops: int = Field(description="how many pictures of the face are kept, best first")

    @classmethod
    def of(cls, found: types.Unknown) -> Self:
        """Return a stranger."""
        return cls.from_struct(found)


class Strangers(Answer):
    """The strangers of a gallery, the latest seen first."""

    unknowns: list[Stranger]


class ErasedStranger(Answer):
    """What was removed with a stranger."""

    sightings: int


class Promotion(Request):
    """A stranger who becomes a member."""

    unknown: Ident = Field(max_length=64, description="such as unknown-17")
    name: Name | None = Field(None, description="of a new person; or, with an id that is there, left out")
    person_id: Ident | None = Field(None, description="of a person who is there, or of the new one")


class Promoted(Answer):
    """The member whom a stranger became."""

    person: dict[str, Any]
    photos: int = Field(description="enrolled of what was kept")
    sightings: int = Field(description="number of sightings that are the member's now")
