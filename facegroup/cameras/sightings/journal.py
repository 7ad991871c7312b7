"""The protocol of the journal, which stores cameras, sightings and events. One test suite holds for every journal.

One process writes (the `Cameras` deployment). Methods block, and may be called from several threads. Each write is one
atomic step, and on disk when it returns, as far as the database can promise. Every method raises `StoreUnavailable` if the
database does not answer. Then nothing was written, unless a Redis did the step and its answer was lost.

If a database loses data while the journal is open, numbers continue after the last one that was given. A database that is
empty when it is opened begins with 1; ids of events are unique even so. Sources of cameras and secrets of webhooks are
encrypted with the key of the settings (`facegroup.cameras.journal.encryption`) before they are written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from facegroup.cameras.sightings.types import DeadLetter, Event, Kind, Sighting, Unknown, Video, Webhook
from facegroup.cameras.types import Camera


@dataclass(frozen=True, slots=True)
class Filter:
    """Class that selects sightings: every value that is not None must match.

    Attributes:
        camera: id of the camera.
        gallery: name of the gallery.
        person_id: id of a member.
        unknown: id of a stranger.
        known: True for members, False for strangers.
        since: last seen at or after this time, seconds since the epoch.
        until: first seen before this time.
        visit_id: id of a visit.
        open: True for people who may still be there, False for those who have left.
        cameras: ids, of which the camera's is one.
        galleries: names, of which the gallery's is one.
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
    cameras: tuple[str, ...] | None = None
    galleries: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Class that holds an event to record. `record` gives it a number.

    Attributes:
        kind: of the event.
        sighting: its new state, which replaces the stored one.
        crop: JPEG of the face; None leaves the stored one.
        unknown: new state of the stranger, written in the same step; None writes none.
        was: for a change, the state before, by which the sighting is not found any more.
        forgotten: for a change, the id of a stranger who did not exist, removed in the same step.
    """

    kind: Kind
    sighting: Sighting
    crop: bytes | None = None
    unknown: Unknown | None = None
    was: Sighting | None = None
    forgotten: str | None = None


class Journal(Protocol):
    """Protocol of a database of cameras and sightings. The module's docstring says what holds for every method."""

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the database answers."""

    def close(self) -> None:
        """Close the database. Closing twice is no error."""

    # Cameras

    def cameras(self) -> list[Camera]:
        """Return all cameras, by id. The source is empty if it cannot be decrypted."""

    def camera(self, camera: str) -> Camera:
        """Return one. Raises UnknownCamera."""

    def create_camera(self, camera: Camera, limit: int) -> Camera:
        """Store a new camera. Raises CameraExists; TooManyCameras if there are `limit` already; KeyMissing."""

    def replace_camera(self, camera: Camera) -> Camera:
        """Replace the camera with this id. Raises UnknownCamera; KeyMissing."""

    def delete_camera(self, camera: str) -> None:
        """Remove a camera; its sightings stay. Raises UnknownCamera."""

    # Sightings

    def record(self, new: Sequence[NewEvent]) -> list[Event]:
        """Write sightings and their events in one step, and number the events without a gap."""

    def update(self, sightings: Sequence[tuple[Sighting, bytes | None]]) -> None:
        """Write open sightings without an event; a crop of None leaves the stored one."""

    def sighting(self, sighting: str) -> Sighting:
        """Return one. Raises UnknownSighting."""

    def crop(self, sighting: str) -> bytes:
        """Return the face of one as JPEG. Raises UnknownSighting, also if no picture is kept."""

    def sightings(self, wanted: Filter, after: str = "", limit: int = 100) -> list[Sighting]:
        """Return a page of sightings, the latest `first_seen` first.

        Args:
            wanted: selects them.
            after: `Sighting.cursor` of the last one of the page before, which may be erased meanwhile; "" for the first.
            limit: greatest number of sightings.

        Raises:
            MalformedRequest: `after` is not a cursor.
        """

    def people(self) -> set[tuple[str, str]]:
        """Return (gallery, person id) of every member who has a sighting."""

    def events(self, after: int, limit: int) -> list[Event]:
        """Return the events with numbers above `after`, in order."""

    def span(self) -> tuple[int, int]:
        """Return the numbers of the oldest stored event and of the newest; (1, 0) if there never was one."""

    def prune(self, before: float, keep: int, most: int = 1_000_000) -> int:
        """Erase ended sightings last seen before a moment, and all but the newest `keep`; return how many.

        At most `most` sightings are erased at a time, with their crops. When none is left to erase, events are, from the
        oldest on, so that those left have no gap. Open sightings and the newest event's number stay.
        """

    def erase(self, gallery: str, person_id: str | None = None, unknown: str | None = None) -> int:
        """Erase the sightings and crops of one member or stranger, or of a whole gallery; return how many.

        Their events and dead letters keep number, kind and date, and lose name, person and visit: they show a blank
        sighting (person_id None, unknown None, name "", frames 0). A stranger is erased with the cluster, a member from the
        results of videos too, and a gallery with its videos.
        """

    # Strangers

    def next_unknown(self, gallery: str) -> str:
        """Return an id for a new stranger. No id is given twice."""

    def unknowns(self, gallery: str | None = None) -> list[Unknown]:
        """Return the strangers of one gallery or all, without shots, the latest seen first."""

    def unknown(self, gallery: str, unknown: str) -> Unknown:
        """Return one, with shots. Raises UnknownStranger."""

    def promoted(self, gallery: str, unknown: str, person_id: str, name: str) -> int:
        """Give a stranger's sightings to a member, and remove the stranger; return how many. Raises UnknownStranger."""

    def prune_unknowns(self, before: float, keep: int) -> list[tuple[str, str]]:
        """Remove strangers last seen before a moment, and all but the `keep` latest; return (gallery, id) of each."""

    # Receivers

    def webhooks(self) -> list[Webhook]:
        """Return all, by id."""

    def create_webhook(self, webhook: Webhook, limit: int) -> Webhook:
        """Store a new one, which gets the events from now on. Raises WebhookExists; TooManyWebhooks; KeyMissing."""

    def delete_webhook(self, webhook: str) -> None:
        """Remove one with its dead letters. Raises UnknownWebhook."""

    def cursor(self, subscriber: str) -> int | None:
        """Return the number of the last event that a receiver has handled; None for a new receiver."""

    def advance(self, subscriber: str, seq: int, dead: DeadLetter | None = None) -> None:
        """Store that a receiver has handled all events up to `seq`, and the one that it refused, if any.

        Nothing is stored for a webhook that was removed meanwhile.
        """

    def dead_letters(self, subscriber: str, after: int = 0, limit: int = 100) -> list[DeadLetter]:
        """Return the dead letters of a receiver with numbers above `after`, in order."""

    def forget_dead_letters(self, subscriber: str, seqs: Sequence[int]) -> None:
        """Remove the dead letters of these events."""

    # Videos

    def videos(self, limit: int = 100) -> list[Video]:
        """Return the latest, newest first, without results."""

    def video(self, video: str) -> Video:
        """Return one. Raises UnknownVideo."""

    def write_video(self, video: Video) -> None:
        """Store one, new or in place of the stored one."""

    def delete_video(self, video: str) -> None:
        """Remove one. Raises UnknownVideo."""

    def prune_videos(self, before: float, keep: int) -> int:
        """Remove those created before a moment, and all but the newest `keep`; return how many."""
