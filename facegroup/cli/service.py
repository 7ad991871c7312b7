"""What commands ask of a recogniser or of a client of a server, and how their options and answers are read."""

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar, Unpack

from facegroup.enrolment.samples import Enrolment
from facegroup.errors import FacegroupError, MalformedRequest
from facegroup.gallery.verification import Verified
from facegroup.images import drawing
from facegroup.images.decode import decode
from facegroup.images.files import MOST_BYTES, read
from facegroup.pipeline.messages import PhotoMatches, PhotoResult
from facegroup.settings import Limits
from facegroup.store.contract import Changes, Erased, Merged
from facegroup.types import NO_FACE_FOUND, TAKEN, FaceChoice, Gallery, Image, Match, Person, Policy

Item = TypeVar("Item")


class People(Protocol):
    """The part of `facegroup.store.contract.Store` that commands use."""

    def gallery(self, name: str) -> Gallery:
        """Return one gallery."""

    def people(self, gallery: str, after: str = "", limit: int = 100, name: str | None = None) -> list[Person]:
        """Return a page of people."""

    def person(self, gallery: str, person_id: str) -> Person:
        """Return one person."""

    def create_person(
        self, gallery: str, name: str, metadata: dict[str, Any] | None = None, person_id: str | None = None
    ) -> Person:
        """Create a person without samples."""

    def update_person(
        self,
        gallery: str,
        person_id: str,
        *,
        name: str | None = None,
        metadata: dict[str, Any] | None = None,
        expires_at: float | None = None,
    ) -> Person:
        """Rename a person, or set the expiry."""

    def update_gallery(self, name: str, **changes: Unpack[Changes]) -> Gallery:
        """Change settings of a gallery."""

    def merge_people(self, gallery: str, into: str, source: str) -> Merged:
        """Merge a person into another."""

    def delete_person(self, gallery: str, person_id: str) -> Erased:
        """Erase a person."""


class Service(Protocol):
    """A `facegroup.recognizer.Recognizer`, or a `facegroup.client.Client`."""

    @property
    def store(self) -> People:
        """Galleries and people."""

    def new_gallery(self, name: str) -> Gallery:
        """Return the gallery of this name, created where there is none."""

    def identify(
        self,
        photos: Sequence[bytes],
        gallery: str,
        threshold: float | None = None,
        quality: Policy | None = None,
        unique: bool | None = None,
        liveness: bool | None = None,
    ) -> list[PhotoResult | FacegroupError]:
        """Return who is in each photo."""

    def enrol(
        self,
        gallery: str,
        photos: Sequence[tuple[str, bytes]],
        person_id: str,
        face: FaceChoice | None = None,
        strict: bool = False,
    ) -> Enrolment:
        """Enrol named photos of one person."""

    def correct(
        self,
        gallery: str,
        photos: Sequence[tuple[str, bytes]],
        person_id: str,
        face: FaceChoice | None = None,
        strict: bool = False,
    ) -> Enrolment:
        """Make faces counter-examples of a person."""

    def verify(
        self,
        photos: tuple[bytes, bytes],
        threshold: float | None = None,
        faces: tuple[FaceChoice | None, FaceChoice | None] = (None, None),
        liveness: bool | None = None,
    ) -> Verified:
        """Compare two photos."""

    def verify_person(
        self,
        photo: bytes,
        gallery: str,
        person_id: str,
        threshold: float | None = None,
        face: FaceChoice | None = None,
        liveness: bool | None = None,
    ) -> Verified:
        """Compare a photo with a person."""

    def crops(self, gallery: str, person_id: str) -> Iterable[bytes]:
        """Return a person's aligned faces as JPEG."""


def identify(
    service: Service,
    gallery: str,
    files: Sequence[Path],
    threshold: float | None,
    quality: Policy | None = None,
    unique: bool | None = None,
    most: int = MOST_BYTES,
    liveness: bool | None = None,
) -> Iterator[tuple[Path, bytes, PhotoResult | FacegroupError]]:
    """Yield each photo with its matches, as soon as they are known, or with its error if it cannot be read or used."""
    for part in read(files, most):
        good = [data for _, data in part if isinstance(data, bytes)]
        seen = iter(service.identify(good, gallery, threshold, quality, unique, liveness))
        for path, data in part:
            if isinstance(data, bytes):
                yield path, data, next(seen)
            else:
                yield path, b"", data


def moment(text: str) -> float:
    """Return a time in seconds since the epoch; "never" is infinite. Raises `MalformedRequest`."""
    if text == "never":
        return math.inf
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedRequest(f"Invalid time {text!r}. Use ISO 8601 (2030-01-31T12:00:00Z) or 'never'.") from None
    if when.tzinfo is None:
        raise MalformedRequest(f"The time {text!r} has no time zone. Use ISO 8601 with one (2030-01-31T12:00:00Z).")
    return when.timestamp()


def face_choice(text: str | None, option: str = "--face") -> FaceChoice | None:
    """Return which face an option means. Raises `MalformedRequest`."""
    words: dict[str | None, FaceChoice | None] = {None: None, "largest": "largest", "dominant": "dominant"}
    if text is None or text in words:
        return words[text]
    if text.isascii() and text.isdigit() and len(text) < 6:
        return int(text)
    raise MalformedRequest(f"{option} takes the number of a face, from 0, left to right; largest; or dominant")


def sheet(service: Service, gallery: str, people: Sequence[Person]) -> Image:
    """Return a picture with one row of aligned faces per person."""
    from facegroup.networks.alignment import from_jpeg  # imports OpenCV, which few commands need

    rows = sorted(people, key=lambda person: person.name.casefold())
    return drawing.sheet([(each.name, [from_jpeg(crop) for crop in service.crops(gallery, each.id)]) for each in rows])


def boxes(data: bytes, seen: PhotoResult, limits: Limits) -> Image:
    """Return a photo with its named boxes drawn."""
    decoded = decode(data, limits)
    labels = [f"{match.name} {match.similarity:.2f}" if match.person_id else answer(match) for match in matches(seen)]
    return drawing.boxes(decoded.image, seen.faces.boxes * decoded.scale, labels)


def matches(seen: PhotoResult) -> tuple[Match, ...]:
    """Return the decisions on the faces of a photo that was identified."""
    assert isinstance(seen.matched, PhotoMatches)
    return seen.matched.matches


def lines(seen: PhotoResult | FacegroupError) -> list[str]:
    """Return the lines to print for a photo: a name per face, from left to right, and how live it is where that is known."""
    if isinstance(seen, FacegroupError):
        return [f"error: {seen.detail} ({seen.code})"]
    scores = [None] * len(seen.faces) if seen.liveness is None else map(seen.liveness.score, range(len(seen.liveness)))
    return [
        answer(match) if score is None else f"{answer(match)}, liveness {score:.2f}"
        for match, score in zip(matches(seen), scores, strict=True)
    ] or [NO_FACE_FOUND]


def answer(match: Match) -> str:
    """Return the name of a face, or that it is not in the dataset, or too poor or not live and why."""
    codes = [each for each in match.reasons if each != match.name]
    reasons = [f"taken by face {match.taken_by}" if each == TAKEN else each for each in codes]
    return f"{match.name} ({', '.join(reasons)})" if reasons else match.name
