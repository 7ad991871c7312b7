"""People, their photos and their counter-examples: what the routes on them take and answer."""

from collections.abc import Sequence
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from facegroup import types
from facegroup.enrolment import samples
from facegroup.enrolment.samples import Chosen, Doubt
from facegroup.errors import LooksLike, LooksLikeOwn, MalformedRequest, NotUpright, UnlikeOwn, error_of
from facegroup.store import contract, metadata
from facegroup.store.contract import Enrolled
from facegroup.types import Sample
from facegroup.wire.galleries import RefusedPhoto
from facegroup.wire.model import Answer, Request, added
from facegroup.wire.patterns import Ident, Name
from facegroup.wire.recognition import Candidate, Cosine
from facegroup.wire.timestamps import Moment


def _storable(given: dict[str, Any]) -> dict[str, Any]:
    try:
        return metadata.check(given)
    except MalformedRequest as error:
        raise ValueError(error.detail) from None


Metadata = Annotated[dict[str, Any], AfterValidator(_storable)]


class NewPerson(Request):
    """A person to create."""

    name: Name
    id: Ident | None = Field(None, description="1–64 characters of a–z, 0–9 and -; made where it is left out")
    metadata: Metadata = Field(default_factory=dict)
    expires_at: Moment = Field(
        None, description="time from which the person is not named, and is soon erased; null: never"
    )


class PersonChange(Request):
    """What to change of a person; what is left out stays."""

    name: Name | None = None
    metadata: Metadata | None = None
    expires_at: Moment = Field(None, description="null lifts it")


class Merger(Request):
    """Who is merged into a person."""

    model_config = ConfigDict(populate_by_name=True)
    source: Ident = Field(alias="from", description="id of the other person, who is erased")


class Person(Answer):
    """A person."""

    id: str
    name: str
    metadata: dict[str, Any]
    photos: int = Field(description="how many are enrolled")
    counter_examples: int = added(0, "number of counter-examples")
    created_at: float
    updated_at: float
    expires_at: float | None = Field(description="seconds since the epoch; null: never")

    @classmethod
    def of(cls, found: types.Person) -> Self:
        """Return a person."""
        return cls.from_struct(found, photos=found.samples, counter_examples=found.counters)

    def struct(self) -> types.Person:
        """Return the library's person."""
        return self.to_struct(types.Person, samples=self.photos, counters=self.counter_examples)


class PeoplePage(Answer):
    """A page of people."""

    people: list[Person]
    next: str | None = Field(description="cursor of the following page")

    @classmethod
    def of(cls, found: Sequence[types.Person], limit: int) -> Self:
        """Return a page of at most so many people."""
        return cls(people=[Person.of(each) for each in found], next=found[-1].id if len(found) == limit else None)


class EnrolledPhoto(Answer):
    """A photo that is a sample of the person now."""

    name: str
    photo_id: str = Field(description="sha256 of the file")
    duplicate: bool = Field(description="the same file was enrolled before, or earlier in this request")


class KeptExample(Answer):
    """A face that is a counter-example of the person now."""

    name: str
    photo_id: SkipJsonSchema[str | None] = None  # the id, under a name that was answered and never documented
    duplicate: bool = Field(description="the same face of the same file was one before, or earlier in this request")
    id: str = Field(description="sha256 of the file and the face's number")


class EnrolmentWarning(Answer):
    """A photo that was enrolled though it may show somebody else, or was not upright."""

    name: str
    code: str = Field(description="`looks_like`, `unlike_own` or `not_upright`; `strict` refuses what is in doubt")
    detail: str
    own_similarity: Cosine | None = Field(description="to the person's other photos; null where there are none")
    looks_like: Candidate | None = Field(description="the person of the gallery who is more similar")

    @classmethod
    def of(cls, doubt: Doubt) -> Self:
        """Return the warning that a doubt is."""
        return cls.from_struct(doubt, code=doubt.error.code, detail=doubt.error.detail)

    def struct(self) -> Doubt:
        """Return the library's doubt."""
        like = None if self.looks_like is None else self.looks_like.struct()
        return Doubt(self.name, _error(self.code, self.detail), self.own_similarity, like)


class CorrectionWarning(Answer):
    """A counter-example that may show the person after all."""

    name: str
    code: str = Field(description="`looks_like_own`: what `strict` would have refused it with")
    detail: str
    own_similarity: Cosine = Field(description="to the person's photos")

    @classmethod
    def of(cls, doubt: Doubt) -> Self:
        """Return the warning that a doubt is."""
        return cls.from_struct(doubt, code=doubt.error.code, detail=doubt.error.detail)

    def struct(self) -> Doubt:
        """Return the library's doubt."""
        return Doubt(self.name, _error(self.code, self.detail), self.own_similarity, None)


class ChosenFace(Answer):
    """A photo with several faces, of which one was enrolled."""

    name: str
    face: int = Field(description="number of the face that was taken, from 0, left to right")
    faces: int = Field(description="how many were found")


class Enrolment(Answer):
    """What became of the photos of one person."""

    person: Person
    gallery_version: int
    enrolled: list[EnrolledPhoto]
    refused: list[RefusedPhoto]
    warnings: list[EnrolmentWarning] = added([])
    chosen: list[ChosenFace] = added([], "where `face` was `largest` or `dominant`")

    @classmethod
    def of(cls, done: samples.Enrolment) -> Self:
        """Return what became of photos."""
        rows = [{"name": name, "photo_id": key, "duplicate": again} for name, key, again in _kept(done)]
        warnings = [EnrolmentWarning.of(each) for each in done.doubts]
        return cls.from_struct(done, **_person(done), enrolled=rows, warnings=warnings)

    def struct(self) -> samples.Enrolment:
        """Return the library's enrolment."""
        rows = [(each.name, each.photo_id, each.duplicate) for each in self.enrolled]
        return _enrolment(self, rows, tuple(each.to_struct(Chosen) for each in self.chosen))


class Correction(Answer):
    """What became of faces that are said not to be a person."""

    person: Person
    gallery_version: int
    kept: list[KeptExample]
    refused: list[RefusedPhoto]
    warnings: list[CorrectionWarning] = added([])

    @classmethod
    def of(cls, done: samples.Enrolment) -> Self:
        """Return what became of faces."""
        rows = [{"name": name, "photo_id": key, "duplicate": again, "id": key} for name, key, again in _kept(done)]
        warnings = [CorrectionWarning.of(each) for each in done.doubts]
        return cls.from_struct(done, **_person(done), kept=rows, warnings=warnings)

    def struct(self) -> samples.Enrolment:
        """Return the library's enrolment, of counter-examples."""
        return _enrolment(self, [(each.name, each.id, each.duplicate) for each in self.kept])


class Photo(Answer):
    """A sample of a person."""

    id: str
    created_at: float
    detector: str = added("", "name of the detector that found the face; empty if it is not known")


class Photos(Answer):
    """The samples of a person."""

    photos: list[Photo]

    @classmethod
    def of(cls, found: Sequence[Sample]) -> Self:
        """Return the samples of a person."""
        return cls.model_validate({"photos": found})


class CounterExamples(Answer):
    """The counter-examples of a person."""

    counter_examples: list[Photo]

    @classmethod
    def of(cls, found: Sequence[Sample]) -> Self:
        """Return the counter-examples of a person."""
        return cls.model_validate({"counter_examples": found})


class Removed(Answer):
    """How much was removed."""

    people: int
    photos: int
    counter_examples: int = added(0)
    descriptors: int = Field(
        description="one for each photo, counter-example and person of the cohort; a person's centroid goes with them"
    )
    crops: int = Field(description="pictures of aligned faces; photos enrolled while the gallery kept none had none")
    sightings: int = Field(0, description="of cameras, with their pictures")
    cohort: int = added(0, "people of the cohort: strangers whom the gallery's faces were compared with")


class Erased(Answer):
    """What an erasure removed."""

    removed: Removed
    gallery_version: int = Field(description="0 when the gallery itself is gone")

    @classmethod
    def of(cls, done: contract.Erased, sightings: int = 0) -> Self:
        """Return what an erasure removed; `sightings` of cameras were removed with it."""
        counts = {"photos": done.samples, "counter_examples": done.counters, "sightings": sightings}
        removed = Removed.from_struct(done, **counts, descriptors=done.samples + done.counters + done.cohort)
        return cls(removed=removed, gallery_version=done.version)

    def struct(self) -> contract.Erased:
        """Return the library's erasure."""
        counts = {"samples": self.removed.photos, "counters": self.removed.counter_examples}
        return self.removed.to_struct(contract.Erased, **counts, version=self.gallery_version)


class Merged(Answer):
    """What a merger did."""

    person: Person
    moved: int = Field(description="photos that were moved from the other person")
    duplicates: int = Field(description="photos that both had")
    gallery_version: int

    @classmethod
    def of(cls, done: contract.Merged) -> Self:
        """Return what a merger did."""
        return cls.from_struct(done, person=Person.of(done.person), gallery_version=done.version)

    def struct(self) -> contract.Merged:
        """Return the library's merger."""
        return self.to_struct(contract.Merged, person=self.person.struct(), version=self.gallery_version)


def _person(done: samples.Enrolment) -> dict[str, Any]:
    return {"person": Person.of(done.enrolled.person), "gallery_version": done.enrolled.version}


def _kept(done: samples.Enrolment) -> list[tuple[str, str, bool]]:
    """Return name, id and whether it was there before, of each photo that was kept."""
    new = set(done.enrolled.added)
    rows = []
    for name, key in done.photos:
        rows.append((name, key, key not in new))
        new.discard(key)
    return rows


def _enrolment(
    answer: Enrolment | Correction, kept: Sequence[tuple[str, str, bool]], chosen: tuple[Chosen, ...] = ()
) -> samples.Enrolment:
    enrolled = Enrolled(
        answer.person.struct(),
        tuple(key for _, key, duplicate in kept if not duplicate),
        tuple(key for _, key, duplicate in kept if duplicate),
        answer.gallery_version,
    )
    refused = tuple(each.struct() for each in answer.refused)
    doubts = tuple(each.struct() for each in answer.warnings)
    return samples.Enrolment(enrolled, refused, tuple((name, key) for name, key, _ in kept), doubts, chosen)


def _error(code: str, detail: str) -> LooksLike | UnlikeOwn | LooksLikeOwn | NotUpright:
    error = error_of({"code": code, "detail": detail})
    return error if isinstance(error, LooksLike | UnlikeOwn | LooksLikeOwn | NotUpright) else UnlikeOwn(detail)
