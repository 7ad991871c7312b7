"""Galleries, their calibration and their audit log: what the routes on them take and answer."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from facegroup import types
from facegroup.enrolment.samples import Refused
from facegroup.gallery.calibration import LEAST_FPIR, MOST_FPIR, stale
from facegroup.gallery.calibrator import CalibrationResult, ClosestPair
from facegroup.store.audit import Entry, Event, Origin
from facegroup.store.audit_chain import Anchor, Chain
from facegroup.store.gallery_settings import check_calibration
from facegroup.types import DecisionRule, LivenessPolicy, Policy
from facegroup.wire.model import Answer, Request, added
from facegroup.wire.problem import ErrorBody
from facegroup.wire.recognition import Candidate

_LIVENESS = (
    "where a face must be live: at enrolment (`enrol`), in identification and verification (`probe`), or in `both`; needs "
    "liveness.model (docs/liveness.md says what it cannot detect)"
)


class NewGallery(Request):
    """Settings of a gallery to create."""

    threshold: float | None = Field(
        None, ge=-1, le=1, allow_inf_nan=False, description="cosine similarity that an answer must exceed"
    )
    keep_crops: bool = Field(True, description="keep the aligned face of each sample, as JPEG")
    quality: Policy = Field("off", description="how good a face must be to be enrolled")
    probe_quality: Policy = Field("off", description="how good a face must be to be named; else it is `poor_quality`")
    liveness: LivenessPolicy = Field("off", description=_LIVENESS)
    unique: bool = Field(
        True, description="name a person at most once in a photo; false: as often as seen, as in mirrors"
    )
    decision: DecisionRule = Field(
        "cosine",
        description="what the threshold is applied to; `cohort` needs people, whom a new gallery does not have",
    )


class GalleryChange(Request):
    """Settings of a gallery to change; those left out stay."""

    threshold: float | None = Field(None, ge=-1, le=1, allow_inf_nan=False)
    keep_crops: bool | None = Field(None, description="false erases the crops that are kept")
    quality: Policy | None = Field(None, description="how good a face must be to be enrolled")
    probe_quality: Policy | None = Field(None, description="how good a face must be to be named")
    liveness: LivenessPolicy | None = Field(None, description=_LIVENESS)
    unique: bool | None = Field(None, description="whether a person is named at most once in a photo")
    decision: DecisionRule | None = Field(
        None,
        description="what the threshold is applied to: the cosine similarity, or the score by a cohort (docs/cohort.md). "
        "Without a threshold, the network's default of the decision is set",
    )


class Calibrator(Request):
    """What a gallery is calibrated for, and on."""

    fpir: float | None = Field(
        None,
        ge=LEAST_FPIR,
        le=MOST_FPIR,
        allow_inf_nan=False,
        description="of strangers, the share that may get a name; 0.01",
    )
    strangers: list[list[float]] | None = Field(
        None, description="(n, d) descriptors of people who are not in the gallery; left out: members stand in for them"
    )
    whose: list[str] | None = Field(None, description="who each stranger is: several photos of one count for less")
    dry_run: bool | None = Field(None, description="only say which threshold it would be")


class Calibration(Answer):
    """How a gallery's threshold was found on people, and what it means."""

    threshold: float = Field(description="that the calibration set; the gallery's own may have changed since")
    fpir: float = Field(description="false-positive identification rate asked for: of strangers, how many get a name")
    fpir_interval: tuple[float, float] = Field(description="of the rate at the threshold, 95 %")
    tpir: float | None = Field(
        description="share of members' photos that get the right name; null: nobody has two photos"
    )
    tpir_interval: tuple[float, float] | None = Field(description="95 %")
    network: str
    people: int
    samples: int = Field(description="photos of members that were searched with")
    strangers: int = Field(description="photos of strangers; 0: members stood in for them")
    at: float = Field(description="seconds since the epoch")
    curve: list[tuple[float, float]] = Field(description="(similarity, FPIR if that were the threshold)")
    sampled: int = added(0, "people whose photos those are")
    one_to_one: list[tuple[float, float]] = added([], "(similarity, FMR of verification, were that the threshold)")
    detector: str = added("", "name of the detector that found the faces; empty if it is not known")
    decision: DecisionRule = added("cosine", "what the compared similarities were")
    stale: str | None = added(
        None,
        "`decision_changed` or `detector_changed` to another one, `people_changed` by over 20 %, or `threshold_changed` by "
        "hand since; null: it holds",
    )

    @classmethod
    def of(cls, found: types.Calibration, why: str | None = None) -> Self:
        """Return a calibration, and why it is not what it was."""
        return cls.from_struct(found, stale=why)

    def struct(self) -> types.Calibration:
        """Return the library's calibration. Raises `MalformedRequest` where a number of it cannot be."""
        curves = {"curve": tuple(self.curve), "one_to_one": tuple(self.one_to_one)}
        return check_calibration(self.to_struct(types.Calibration, **curves))


class Gallery(Answer):
    """A gallery."""

    name: str
    network: str
    dimension: int
    threshold: float
    keep_crops: bool
    gallery_version: int
    people: int
    created_at: float = Field(description="seconds since the epoch")
    damaged: int = Field(description="values in the store that could not be used and are skipped; the log names them")
    quality: Policy = Field(description="how good a face must be to be enrolled")
    probe_quality: Policy = Field(description="how good a face must be to be named")
    unique: bool = added(True, "whether a person is named at most once in a photo")
    decision: DecisionRule = added("cosine", "what a similarity is before the threshold is applied")
    liveness: LivenessPolicy = added("off", "where a face must be live")
    detector: str = added("", "name of the detector that the gallery is pinned to; empty until a server pins it")
    fingerprint: str = added(
        "",
        "sha256 over weights and preprocessing of the network that the gallery is pinned to; empty until a server pins it",
    )
    cohort_size: int = added(0, "number of people of its cohort, who are not members")
    calibration: Calibration | None = Field(
        description="how the threshold was found; null: by hand, or the network's own"
    )

    @classmethod
    def of(cls, found: types.Gallery, detector: str = "") -> Self:
        """Return a gallery; `detector` is the server's, "" if that is not known."""
        made = None if found.calibration is None else Calibration.of(found.calibration, stale(found, detector))
        return cls.from_struct(found, gallery_version=found.version, calibration=made)

    def struct(self) -> types.Gallery:
        """Return the library's gallery."""
        made = None if self.calibration is None else self.calibration.struct()
        return self.to_struct(types.Gallery, version=self.gallery_version, calibration=made)


class GalleryRow(Answer):
    """A gallery as `facegroup galleries --json` prints it."""

    name: str
    network: str
    threshold: float
    people: int
    keep_crops: bool
    quality: Policy
    probe_quality: Policy
    unique: bool
    decision: DecisionRule
    liveness: LivenessPolicy
    detector: str


class GalleryPage(Answer):
    """A page of galleries."""

    galleries: list[Gallery]
    next: str | None = Field(description="cursor of the following page")

    @classmethod
    def of(cls, found: Sequence[types.Gallery], limit: int, detector: str = "") -> Self:
        """Return a page of at most so many galleries; see `Gallery.of`."""
        rows = [Gallery.of(each, detector) for each in found]
        return cls(galleries=rows, next=found[-1].name if len(found) == limit else None)


class Likeness(Answer):
    """A photo of one person, or of a stranger, that is most like another person."""

    whose: str = Field(description="id of the person, or which stranger")
    like: Candidate


class RefusedPhoto(Answer):
    """A photo that was not enrolled."""

    name: str
    error: ErrorBody

    def struct(self) -> Refused:
        """Return the library's refusal."""
        return Refused(self.name, self.error.struct())


class Calibrated(Answer):
    """What a calibration found, and did."""

    gallery: Gallery
    calibration: Calibration
    applied: bool = Field(description="whether the gallery's threshold was set")
    threshold_before: float
    searches: int = Field(description="photos that must stay below the threshold")
    closest: list[Likeness] = Field(
        description="the most similar of them: check for a person enrolled twice, or a member among the strangers"
    )
    refused: list[RefusedPhoto] = Field(description="photos of strangers in which no face could be used")

    @classmethod
    def of(cls, done: CalibrationResult, refused: Sequence[Refused]) -> Self:
        """Return what a calibration did, and the photos of strangers that it could not use."""
        made = {"gallery": Gallery.of(done.gallery), "calibration": Calibration.of(done.found)}
        return cls.from_struct(done, **made, threshold_before=done.before, refused=refused)

    def struct(self) -> CalibrationResult:
        """Return the library's result."""
        return self.to_struct(
            CalibrationResult,
            gallery=self.gallery.struct(),
            found=self.calibration.struct(),
            before=self.threshold_before,
            closest=tuple(ClosestPair(each.whose, each.like.struct()) for each in self.closest),
        )


class Accepted(Answer):
    """A gallery that is in use as it is."""

    gallery: str
    gallery_version: int | None = Field(description="null: it is gone, as if it had been erased")


class AuditEntry(Answer):
    """One thing that was done."""

    id: str
    at: float = Field(description="seconds since the epoch")
    gallery: str
    what: str
    person_id: str | None
    detail: dict[str, Any] = Field(description="counts, settings and ids")
    actor: str = Field(
        description="`key` and its id, `user` and the name, `http` and the client's address where it asks for no key, "
        "`cli`, `sweep`, `server` or `library`"
    )
    request_id: str | None
    address: str = added("", "of the client; empty where there is none")
    result: str = added("done", "`done`, or the code of the error that refused it")
    number: int = added(0, "its place in the chain, from 1; 0: an older facegroup wrote it, before the chain")
    previous: str = added("", "hash of the entry before it")
    hash: str = added("", "of this entry (docs/audit.md)")

    @classmethod
    def of(cls, found: Entry) -> Self:
        """Return an entry of the audit log."""
        event, origin = found.event, found.origin
        done = {"what": event.what, "person_id": event.person_id, "detail": event.detail}
        return cls.from_struct(
            found, **done, actor=origin.actor, request_id=origin.request or None, address=origin.address
        )

    def struct(self) -> Entry:
        """Return the library's entry."""
        event, origin = (
            Event(self.what, self.person_id, self.detail),
            Origin(self.actor, self.request_id or "", self.address),
        )
        return self.to_struct(Entry, event=event, origin=origin)


class AuditAnchor(Answer):
    """The last entry that retention removed, or that is from before the chain."""

    id: str = Field(description="empty: nothing was removed, and nothing is older than the chain")
    number: int = Field(description="its place in the chain, and so how many of the chain were removed")
    hash: str

    def struct(self) -> Anchor:
        """Return the library's anchor."""
        return self.to_struct(Anchor)


class AuditChain(Answer):
    """Where the chain of a log begins and ends."""

    number: int = Field(description="of the newest entry")
    hash: str = Field(description="of the newest entry: note it elsewhere, as `number:hash`")
    anchor: AuditAnchor

    @classmethod
    def of(cls, found: Chain) -> Self:
        """Return a chain."""
        return cls.from_struct(found, anchor=AuditAnchor.from_struct(found.anchor))

    def struct(self) -> Chain:
        """Return the library's chain."""
        return self.to_struct(Chain, anchor=self.anchor.struct())


class AuditPage(Answer):
    """A page of the audit log."""

    entries: list[AuditEntry]
    next: str | None = Field(description="cursor of the following page")
    chain: AuditChain | None = added(None, "where the chain of the log begins and ends; null: an older server")

    @classmethod
    def of(cls, found: Sequence[Entry], limit: int, chain: Chain) -> Self:
        """Return a page of at most so many entries."""
        rows, after = [AuditEntry.of(each) for each in found], found[-1].id if len(found) == limit else None
        return cls(entries=rows, next=after, chain=AuditChain.of(chain))
