"""Enrols many people, on this machine's store or through a server, and reports what became of each photo.

An error of one file or person is reported, and the run goes on. An error of the gallery or the server ends the run, and the
report says what was done.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facegroup.cli.service import Service
from facegroup.enrolment.samples import Chosen, Doubt, Refused
from facegroup.errors import (
    FacegroupError,
    MalformedRequest,
    NetworkMismatch,
    ServiceError,
    SetupError,
    TimedOut,
    UnknownGallery,
)
from facegroup.images.files import MOST_BYTES, read
from facegroup.images.folders import Skipped, shown, unread
from facegroup.images.layout import Wanted
from facegroup.types import FaceChoice


@dataclass(slots=True)
class Enrolled:
    """Class that holds the result of enrolling one person.

    Attributes:
        name: of the person.
        source: folders or files that the photos come from.
        person_id: None if the person is not in the gallery.
        added: photos that are new samples.
        known: photos that were samples before.
        refused: photos that were not enrolled, and why.
        doubts: photos that were enrolled but may show somebody else.
        chosen: photos with several faces, and which face was taken.
        error: why the photos were not tried, or not all of them; None if all were tried.
    """

    name: str
    source: tuple[Path, ...]
    person_id: str | None = None
    added: int = 0
    known: int = 0
    refused: list[Refused] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    chosen: list[Chosen] = field(default_factory=list)
    error: FacegroupError | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "name": self.name,
            "person_id": self.person_id,
            "from": [shown(each) for each in self.source],
            "added": self.added,
            "known": self.known,
            "refused": [photo_row(each) for each in self.refused],
            "warnings": [photo_row(each) for each in self.doubts],
            "chosen": [{"photo": each.name, "face": each.face, "faces": each.faces} for each in self.chosen],
            "error": error_row(self.error),
        }


@dataclass(slots=True)
class Report:
    """Class that holds the result of a run over many people.

    Attributes:
        gallery: its name.
        skipped: files and folders that were skipped.
        people: those that were tried, in order.
        not_tried: names of the others.
        error: what ended the run early; None if nothing did.
        interrupted: whether Ctrl-C ended the run; the last person may have photos that are not counted.
    """

    gallery: str
    skipped: tuple[Skipped, ...] = ()
    people: list[Enrolled] = field(default_factory=list)
    not_tried: list[str] = field(default_factory=list)
    error: FacegroupError | None = None
    interrupted: bool = False

    @property
    def status(self) -> int:
        """Exit status: 0 if all was done, 1 if anything was refused or nobody enrolled, 2 if an error ended the run."""
        if self.error is not None:
            return 2
        done = any(each.added or each.known for each in self.people)
        return int(not done or unread(self.skipped) or any(each.error or each.refused for each in self.people))

    def counts(self) -> dict[str, int]:
        """Return how many there were of each."""
        return {
            "people": sum(bool(each.added or each.known) for each in self.people),
            "enrolled": sum(each.added for each in self.people),
            "known": sum(each.known for each in self.people),
            "refused": sum(len(each.refused) for each in self.people),
            "failed": sum(each.error is not None for each in self.people),
            "not_tried": len(self.not_tried),
            "skipped": len(self.skipped),
        }

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "gallery": self.gallery,
            "people": [each.as_json() for each in self.people],
            "not_tried": self.not_tried,
            "skipped": [skipped_row(each) for each in self.skipped],
            "counts": self.counts(),
            "error": error_row(self.error),
            "interrupted": self.interrupted,
        }


def enrol(
    service: Service,
    report: Report,
    wanted: Sequence[Wanted],
    face: FaceChoice | None,
    strict: bool = False,
    most: int = MOST_BYTES,
) -> Iterator[Enrolled]:
    """Enrol people one by one; yield each when it is done and in the report.

    Args:
        service: this machine's store, or a server.
        report: of the gallery; results are added to it.
        wanted: the people and their photos.
        face: which face of a photo to enrol.
        strict: whether photos that may show somebody else are refused.
        most: bytes of one photo.
    """
    for place, each in enumerate(wanted):
        one = Enrolled(each.name, each.source, each.person_id, error=each.error)
        report.people.append(one)
        try:
            if each.error is None:
                _enrol(service, report.gallery, each, one, face, strict, most)
        except FacegroupError as error:
            one.error = error
            if ends(error):
                report.error = error
                report.not_tried += [other.name for other in wanted[place + 1 :]]
        except KeyboardInterrupt:
            report.interrupted = True
            report.not_tried += [other.name for other in wanted[place + 1 :]]
            raise
        yield one
        if report.error is not None:
            return


def ends(error: FacegroupError) -> bool:
    """Return whether an error concerns the gallery, the server or this machine, and not one person or photo."""
    general = (ServiceError, SetupError, UnknownGallery, NetworkMismatch)
    return isinstance(error, general) and not isinstance(error, TimedOut)


def skipped_row(each: Skipped) -> dict[str, str]:
    """Return a file that was skipped, for programs."""
    return {"path": shown(each.path), "why": each.why, "detail": each.detail}


def error_row(error: FacegroupError | None) -> dict[str, str] | None:
    """Return an error, for programs."""
    return None if error is None else {"code": error.code, "detail": error.detail}


def photo_row(each: Refused | Doubt) -> dict[str, str]:
    """Return a photo that was refused or doubted, for programs."""
    return {"photo": each.name, "code": each.error.code, "detail": each.error.detail}


def _enrol(
    service: Service,
    gallery: str,
    wanted: Wanted,
    one: Enrolled,
    face: FaceChoice | None,
    strict: bool,
    most: int,
) -> None:
    made: str | None = None
    try:
        for part in read(wanted.files, most):
            good = [(shown(path), data) for path, data in part if isinstance(data, bytes)]
            one.refused += [Refused(shown(path), data) for path, data in part if isinstance(data, FacegroupError)]
            if not good:
                continue
            if one.person_id is None:
                one.person_id = _known(service, gallery, wanted.name)
            if one.person_id is None:
                one.person_id = made = service.store.create_person(gallery, wanted.name).id
            done = service.enrol(gallery, good, one.person_id, face, strict)
            one.added += len(done.enrolled.added)
            one.known += len(done.enrolled.duplicates)
            one.refused += done.refused
            one.doubts += done.doubts
            one.chosen += done.chosen
    finally:
        if made is not None and not (one.added or one.known) and _erased(service, gallery, made):
            one.person_id = None


def _known(service: Service, gallery: str, name: str) -> str | None:
    known = service.store.people(gallery, limit=10, name=name)
    if len(known) > 1:
        ids = ", ".join(each.id for each in known)
        raise MalformedRequest(f"{len(known)} people have the name {name}; choose one with --person ID: {ids}")
    return known[0].id if known else None


def _erased(service: Service, gallery: str, person_id: str) -> bool:
    """Erase a person that this run created and who has no photo; return whether the person was erased."""
    try:
        found = service.store.person(gallery, person_id)
        if found.samples or found.counters:
            return False
        service.store.delete_person(gallery, person_id)
    except FacegroupError:
        return False  # the id in the report says who is left
    return True
