"""The cohort of a gallery: what the routes on it answer. No descriptor is ever in an answer."""

from typing import Self

from pydantic import Field

from facegroup import types
from facegroup.enrolment.cohort import Addition
from facegroup.gallery.cohort import MOST
from facegroup.store import contract
from facegroup.store.cohort import LEAST
from facegroup.types import DecisionRule
from facegroup.wire.galleries import RefusedPhoto
from facegroup.wire.model import Answer


class CohortAdded(Answer):
    """What became of photos for a cohort: counts only."""

    gallery: str
    gallery_version: int
    added: int = Field(description="photos whose descriptor is new in the cohort")
    known: int = Field(description="photos that were added before")
    size: int = Field(description="strangers in the cohort now")
    like_members: int = Field(description="photos that the gallery names: check whether they show members")
    refused: list[RefusedPhoto] = Field(description="photos that could not be used, and why")

    @classmethod
    def of(cls, gallery: str, made: Addition) -> Self:
        """Return what became of photos."""
        return cls(
            gallery=gallery,
            gallery_version=made.done.version,
            added=len(made.done.added),
            known=len(made.done.duplicates),
            size=made.done.size,
            like_members=made.like_members,
            refused=[RefusedPhoto.from_struct(each) for each in made.refused],
        )


class Cohort(Answer):
    """The people with whom a gallery's decision `cohort` compares."""

    gallery: str
    gallery_version: int
    decision: DecisionRule
    given: int = Field(description="strangers whose photos were given")
    unknown: int = Field(description="strangers whom cameras saw")
    people: int = Field(description="people of the gallery; those with photos are in the cohort, too")
    least: int = Field(LEAST, description="fewest people, strangers and members together, that can decide")
    most: int = Field(MOST, description="most people that are compared: strangers first")

    @classmethod
    def of(cls, gallery: types.Gallery, cohort: contract.Cohort) -> Self:
        """Return the sizes of a gallery's cohort."""
        sizes = {source: cohort.sources.count(source) for source in ("given", "unknown")}
        return cls(
            gallery=gallery.name,
            gallery_version=gallery.version,
            decision=gallery.decision,
            people=gallery.people,
            least=LEAST,
            most=MOST,
            **sizes,
        )


class CohortErased(Answer):
    """What an erasure removed of a cohort."""

    removed: int = Field(description="descriptors of strangers")
    gallery_version: int

    @classmethod
    def of(cls, done: contract.Erased) -> Self:
        """Return what an erasure removed."""
        return cls(removed=done.cohort, gallery_version=done.version)
