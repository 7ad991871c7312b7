"""Where cameras, sightings and what is told of them are kept: the contract of every journal, held by one test suite.

One process writes (the `Cameras` deployment); methods block, and may be called from several threads. Each write is one
atomic step and on disk when it returns, as far as the database can promise it. Every method raises `StoreUnavailable`
when the database does not answer, and then nothing was written; only where a Redis did the step and its answer was lost,
it stands. A database that lost data while the journal was open goes on with the numbers that it had reached, never with one
that was given before; one that is empty when it is opened begins at 1 (events' ids are never the same even so).

Sources of cameras and secrets of webhooks are sealed with the key of the settings
(`facegroup.cameras.journal.encryption`) before they are written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from facegroup.cameras.sightings.types import DeadLetter, Event, Kind, Sighting, Unknown, Video, Webhook
from facegroup.cameras.types import Camera


@dataclass(frozen=True, slots=True)
class Filter:
    """Which sightings are wanted: all that is set must hold.

    Attributes:
        camera: id.
        gallery: name.
        person_id: of a member.
        unknown: id of a stranger.
        known: only members (True), only strangers (False).
        since: last seen at or after, seconds since the epoch.
        until: first seen before.
        visit_id: of one visit.
        open: only those that may still be there (True), or have left (False).
    """

    camera: str | None = None
    gallery: str | None = None
    person_id: str | None = None
    unknown: str | None = None
    known: bool | None = None
    since: float | None = None
    until: float | None = None
    visit_id: str | None = None
    open: bool | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One event to be written: `record` gives it its number.

    Attributes:
        kind: of the event.
        sighting: as it is now; written over the one with this id.
        crop: JPEG of the face; None leaves what is kept.
        unknown: the stranger as they are now, to be written in the same step; None for members.
        was: of a change, the sighting as it was before: it is not found by that any more.
        forgotten: of a change, the id of a stranger who was none, to be removed in the same step.
    """

    kind: Kind
    sighting: Sighting
    crop: bytes | None = None
    unknown: Unknown | None = None
    was: Sighting | None = None
    forgotten: str | None = None


class Journal(Protocol):
    """A database of cameras and sightings. See the module's docstring for what holds for every method."""

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the database answers."""

    def close(self) -> None:
        """Let go of the database. Closing twice is fine."""

    # Cameras

    def cameras(self) -> list[Camera]:
        """Return all cameras, by id. One whose source cannot be unsealed has an empty source."""

    def camera(self, camera: str) -> Camera:
        """Return one. Raises UnknownCamera."""

    def create_camera(self, camera: Camera, limit: int) -> Camera:
        """Write a new camera. Raises CameraExists; TooManyCameras where there are `limit` already; KeyMissing."""

    def replace_camera(self, camera: Camera) -> Camera:
        """Write a camera over the one of its id. Raises UnknownCamera; KeyMissing."""

    def delete_camera(self, camera: str) -> None:
        """Remove a camera; its sightings stay. Raises UnknownCamera."""

    # Sightings

    def record(self, news: Sequence[NewEvent]) -> list[Event]:
        """Write sightings and their events, in one step; the numbers go on without a gap."""

    def update(self, sightings: Sequence[tuple[Sighting, bytes | None]]) -> None:
        """Write open sightings as they are now, with their better crop, without an event."""

    def sighting(self, sighting: str) -> Sighting:
        """Return one. Raises UnknownSighting."""

    def crop(self, sighting: str) -> bytes:
        """Return the face of one as JPEG. Raises UnknownSighting, also where no picture is kept."""

    def sightings(self, wanted: Filter, after: str = "", limit: int = 100) -> list[Sighting]:
        """Return a page of sightings, the latest `first_seen` first.

        Args:
            wanted: which.
            after: `Sighting.cursor` of the last one of the page before; it may be gone since.
            limit: rows of the page.

        Raises:
            MalformedRequest: `after` is no cursor.
        """

    def people(self) -> set[tuple[str, str]]:
        """Return (gallery, person id) of every member of whom there is a sighting."""

    def events(self, after: int, limit: int) -> list[Event]:
        """Return the events with numbers above `after`, in order."""

    def span(self) -> tuple[int, int]:
        """Return the numbers of the oldest event that is kept and of the newest: (1, 0) where none ever was."""

    def prune(self, before: float, keep: int, most: int = 1_000_000) -> int:
        """Erase ended sightings last seen before a moment, all but the newest `keep`, with crops and events; say how many.

        At most so many sightings go at a time; when none is left to go, events do, from the oldest on, so that those left
        have no gap. Open sightings and the newest event's number stay.
        """

    def erase(self, gallery: str, person_id: str | None = None, unknown: str | None = None) -> int:
        """Erase the sightings (with crops) of one member or stranger, or of a whole gallery; say how many.

        Their events, dead letters too, keep number, kind and date, and lose name, person and visit: the sighting that they
        show then is blank (person_id None, unknown None, name "", frames 0). A stranger is erased with the cluster, a member
        from the results of videos too, and a gallery with its videos.
        """

    # Strangers

    def next_unknown(self, gallery: str) -> str:
        """Return a new stranger's id, never given before."""

    def unknowns(self, gallery: str | None = None) -> list[Unknown]:
        """Return the strangers of one gallery or all, without shots, the latest seen first."""

    def unknown(self, gallery: str, unknown: str) -> Unknown:
        """Return one, with shots. Raises UnknownStranger."""

    def promoted(self, gallery: str, unknown: str, person_id: str, name: str) -> int:
        """Make a stranger's sightings those of a member, remove the stranger, say how many. Raises UnknownStranger."""

    def prune_unknowns(self, before: float, keep: int) -> list[tuple[str, str]]:
        """Remove strangers last seen before a moment, all but the `keep` latest; return (gallery, id) of each."""

    # Receivers

    def webhooks(self) -> list[Webhook]:
        """Return all, by id."""

    def create_webhook(self, webhook: Webhook, limit: int) -> Webhook:
        """Write a new one, which is told what comes from now on. Raises WebhookExists; TooManyWebhooks; KeyMissing."""

    def delete_webhook(self, webhook: str) -> None:
        """Remove one with its dead letters. Raises UnknownWebhook."""

    def cursor(self, subscriber: str) -> int | None:
        """Return the number of the last event that a receiver has dealt with; None for one that is new."""

    def advance(self, subscriber: str, seq: int, dead: DeadLetter | None = None) -> None:
        """Note that a receiver has dealt with all events up to `seq`, and the one that it would not take.

        Of a webhook that was removed meanwhile nothing is noted.
        """

    def dead_letters(self, subscriber: str, after: int = 0, limit: int = 100) -> list[DeadLetter]:
        """Return what a receiver would not take, by number of the event, above `after`."""

    def forget_dead_letters(self, subscriber: str, seqs: Sequence[int]) -> None:
        """Remove dead letters that were dealt with."""

    # Videos

    def videos(self, limit: int = 100) -> list[Video]:
        """Return the latest, newest first, without results."""

    def video(self, video: str) -> Video:
        """Return one. Raises UnknownVideo."""

    def write_video(self, video: Video) -> None:
        """Write one, new or over what there is."""

    def delete_video(self, video: str) -> None:
        """Remove one. Raises UnknownVideo."""

    def prune_videos(self, before: float, keep: int) -> int:
        """Remove those created before a moment, all but the newest `keep`; say how many."""
