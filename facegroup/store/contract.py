"""The contract of every store of galleries; one test suite checks all stores against it.

A store takes writes as whole steps and returns people, samples, centroids, and the changes since a version. Methods block:
callers with an event loop run them in a thread. Instances may be used from several threads.

Every write is one atomic step that also raises the gallery's version by one and appends to its change log, so any
number of writers in any number of processes are safe, and a reader can catch up from the version that it has. When a
write returns it is on disk, as far as the database can promise it. Every method raises `StoreUnavailable` when the
database does not answer, and then nothing was written; only where the answer to a write itself was lost on its way may
it stand, and then enrolling the same photos again is harmless, and so is any write sent again with its `once`.

Every write also leaves an entry in the audit log, in the same step (`facegroup.store.audit`); `by` says whose it is, and
where it is left out the store's own actor is written. What is damaged in the database is skipped, logged by its key and
counted (`facegroup.store.damage`); where it is what was asked for, `StoreInvalid` names it.

Names are kept as `facegroup.store.names.clean_name` makes them, and looked for in the same form.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict, Unpack

from facegroup.store.audit import DONE, Entry, Event, Origin
from facegroup.store.audit_chain import Chain
from facegroup.store.damage import Skipped
from facegroup.store.idempotency import IdempotencyKey
from facegroup.types import (
    Calibration,
    CohortMember,
    CohortSource,
    DecisionRule,
    Floats,
    Gallery,
    LivenessPolicy,
    Person,
    Policy,
    Sample,
    Times,
)


class Changes(TypedDict, total=False):
    """Class of the settings of a gallery to change, as `Gallery` has them. None leaves a setting as it is.

    `network` is never changed. It says of which network the threshold is, which then must be the gallery's; None: of any.
    """

    threshold: float | None
    keep_crops: bool | None
    quality: Policy | None
    probe_quality: Policy | None
    unique: bool | None
    calibration: Calibration | None
    decision: DecisionRule | None
    liveness: LivenessPolicy | None
    detector: str | None
    fingerprint: str | None
    network: str | None


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Class of the result of an enrolment: the person, the ids of new and of known samples, the gallery's version."""

    person: Person
    added: tuple[str, ...]
    duplicates: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True)
class Erased:
    """Class of the result of an erasure: what it removed, and the gallery's version (0 if the gallery itself is gone).

    Every sample had a descriptor, and so had every counter-example and every member of the cohort; `crops` of the first two
    had a picture. The change log held none of it: it is ids and versions.
    """

    people: int
    samples: int
    version: int
    crops: int = 0
    counters: int = 0
    cohort: int = 0

    def __add__(self, later: "Erased") -> "Erased":
        return Erased(
            self.people + later.people,
            self.samples + later.samples,
            later.version,
            self.crops + later.crops,
            self.counters + later.counters,
            self.cohort + later.cohort,
        )


@dataclass(frozen=True, slots=True)
class Merged:
    """Class of the result of a merger: the person, how many samples moved, how many both had, the gallery's version.

    Counter-examples are not counted in either.
    """

    person: Person
    moved: int
    duplicates: int
    version: int


@dataclass(frozen=True, slots=True, eq=False)
class Centroids:
    """Class of the class centroids of some people at one version of a gallery.

    Attributes:
        version: the gallery's version that all of it belongs to.
        threshold: the gallery's threshold at that version.
        network: the network that made the descriptors.
        ids: person ids, sorted.
        names: their names.
        matrix: (len(ids), d) float32, rows of unit length.
        gone: ids that changed and have no centroid: erased, or without samples; empty when all was asked for.
        expires: (len(ids),) float64 seconds since the epoch, infinite for never; None where nobody expires.
        probe_quality: how good a face must be to be named, at that version.
        unique: whether a person is named at most once in an image, at that version.
        calibration: of the threshold, at that version.
        counters: of those of the ids who have counter-examples, these: (k, d) float32, rows of unit length.
        decision: what a similarity is before the threshold is applied, at that version.
        liveness: where a face must be live, at that version.
        detector: name of the detector that the gallery is pinned to; "" until a server pins it.
        fingerprint: of the network that the gallery is pinned to; "" until a server pins it.
        cohort_version: the version at which the cohort last changed: it is read again only where this is another.
    """

    version: int
    threshold: float
    network: str
    ids: tuple[str, ...]
    names: tuple[str, ...]
    matrix: Floats
    gone: tuple[str, ...] = ()
    expires: Times | None = None
    probe_quality: Policy = "off"
    calibration: Calibration | None = None
    counters: Mapping[str, Floats] = field(default_factory=dict)
    unique: bool = True
    decision: DecisionRule = "cosine"
    liveness: LivenessPolicy = "off"
    detector: str = ""
    fingerprint: str = ""
    cohort_version: int = 0


@dataclass(frozen=True, slots=True)
class CohortAdded:
    """Class of the result of an addition to a cohort: ids of new and of known members, its size, the gallery's version."""

    added: tuple[str, ...]
    duplicates: tuple[str, ...]
    size: int
    version: int


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Class of the cohort of a gallery.

    Attributes:
        version: the gallery's version at which the cohort last changed, `Centroids.cohort_version`.
        network: the network that made the descriptors.
        ids: of the members, sorted.
        matrix: (len(ids), d) float32, rows of unit length.
        sources: where each is from.
        detectors: name of the detector that found each; "" if it is not known.
        dates: (len(ids),) float64 seconds since the epoch.
    """

    version: int
    network: str
    ids: tuple[str, ...]
    matrix: Floats
    sources: tuple[CohortSource, ...]
    detectors: tuple[str, ...]
    dates: Times

    def members(self) -> Iterator[CohortMember]:
        """Return the members one by one."""
        for key, row, *about in zip(
            self.ids, self.matrix, self.sources, self.detectors, self.dates.tolist(), strict=True
        ):
            yield CohortMember(key, row, *about)


@dataclass(frozen=True, slots=True)
class Standing:
    """Class of a gallery's position, by which a store that lost data is told from one that went on.

    Attributes:
        version: of the gallery; None if there is no gallery.
        born: the version at which it began.
        created_at: when it was made.
        erased: where versions of this name go on after the last erasure; 0: never erased.
        lost: the version that the gallery had before the store lost data of it; None if no loss is known.
    """

    version: int | None
    born: int = 0
    created_at: float = 0.0
    erased: int = 0
    lost: int | None = None

    @property
    def floor(self) -> int:
        """The version below which the next position cannot fall: every write raises it, and so does erasing the gallery."""
        return self.erased if self.version is None else self.version

    def behind(self, known: "Standing") -> bool:
        """Whether this, read after `known`, can only be if the store lost something between."""
        if self.floor < known.floor:
            return True
        # Not older, yet another gallery, and not made after an erasure: an emptied store was filled again.
        both = self.version is not None and known.version is not None
        return both and self.born <= known.floor and self.created_at != known.created_at


class RemoteStore(Protocol):
    """The methods of a store that another process may call. See the module's docstring for what holds for every method."""

    def ping(self) -> None:
        """Raise `StoreUnavailable` unless the database answers."""

    def check_writes(self) -> None:
        """Raise `StoreUnavailable` unless a photo could be written now; `StoreFull` where the disk has no room for it."""

    # Galleries

    def create_gallery(self, gallery: Gallery, *, by: Origin | None = None) -> Gallery:
        """Create a gallery; the same name with the same network is returned as it is.

        A new gallery is at version 0; one made anew after an erasure goes on above the last version of the old, so that
        no reader takes the one for the other. Of `gallery`, `version` and `people` are not looked at.

        Raises:
            GalleryExists: the name is taken by a gallery of another network.
            InvalidName: the name cannot be accepted.
            MalformedRequest: the threshold is not in -1..1, or the dimension not positive.
        """

    def gallery(self, name: str) -> Gallery:
        """Return one gallery. Raises `UnknownGallery`."""

    def galleries(self, after: str = "", limit: int = 100) -> list[Gallery]:
        """Return up to `limit` galleries whose name sorts after `after`, by name."""

    def update_gallery(self, name: str, *, by: Origin | None = None, **changes: Unpack[Changes]) -> Gallery:
        """Change settings of a gallery. Switching crops off erases those kept.

        Raises:
            UnknownGallery: there is none.
            MalformedRequest: the threshold is not in -1..1, a policy or rule none, a detector no name, a fingerprint not
                64 hexadecimal digits, or a number of the calibration impossible.
            NetworkMismatch: the calibration or the threshold is of another network.
            Conflict: the calibration is of another decision than the gallery has, or is given with it.
        """

    def pin_gallery(self, name: str, detector: str = "", fingerprint: str = "", *, by: Origin | None = None) -> Gallery:
        """Pin a gallery to a detector and to a network's fingerprint, each only if it is not pinned to one yet.

        "" pins to none. With nothing new the version stays.

        Raises:
            UnknownGallery: there is none.
            MalformedRequest: the detector is no name, or the fingerprint not 64 hexadecimal digits.
        """

    def delete_gallery(self, name: str, *, by: Origin | None = None) -> Erased:
        """Erase a gallery with everything in it but its audit log. Raises `UnknownGallery`."""

    # People

    def create_person(
        self,
        gallery: str,
        name: str,
        metadata: dict[str, Any] | None = None,
        person_id: str | None = None,
        *,
        expires_at: float | None = None,
        once: IdempotencyKey | None = None,
        by: Origin | None = None,
    ) -> Person:
        """Create a person without samples; an id is made where none is given.

        What was done under the same `once` before is not done again: the person is returned as it is now.

        Raises:
            UnknownGallery: there is none.
            PersonExists: the id is taken.
            InvalidName: the name or the id cannot be accepted.
            MalformedRequest: the metadata is not a JSON object, or the expiry no time.
            IdempotencyConflict: the key of `once` was used for something else.
            UnknownPerson: the person that was created under the key was erased since.
        """

    def person(self, gallery: str, person_id: str) -> Person:
        """Return one person. Raises `UnknownGallery` or `UnknownPerson`."""

    def people(self, gallery: str, after: str = "", limit: int = 100, name: str | None = None) -> list[Person]:
        """Return up to `limit` people whose id sorts after `after`, by id; of this `name` only, if given.

        Who is damaged is skipped, and others come instead: fewer than `limit` are the last.

        Raises:
            UnknownGallery: there is none.
        """

    def update_person(
        self,
        gallery: str,
        person_id: str,
        *,
        name: str | None = None,
        metadata: dict[str, Any] | None = None,
        expires_at: float | None = None,
        by: Origin | None = None,
    ) -> Person:
        """Rename a person, replace the metadata or set the expiry (infinite: never); None leaves one as it is.

        Raises:
            UnknownGallery: there is none.
            UnknownPerson: there is none.
            InvalidName: the name cannot be accepted.
            MalformedRequest: the metadata is not a JSON object, or the expiry no time.
        """

    def merge_people(self, gallery: str, into: str, source: str, *, by: Origin | None = None) -> Merged:
        """Give a person all samples of another, `source`, who is erased, in one step.

        Of samples that both have one stays. Name, metadata and expiry are those of `into`. The counter-examples of both
        stay, but for those whose face is a sample of either.

        Raises:
            UnknownGallery: there is none.
            UnknownPerson: there is none of one of the ids.
            MalformedRequest: the two are one.
            TooManyCounterExamples: the person would have more than `faces.MOST_COUNTERS`.
        """

    def delete_person(self, gallery: str, person_id: str, *, by: Origin | None = None) -> Erased:
        """Erase a person with every descriptor and crop. Raises `UnknownGallery` or `UnknownPerson`."""

    def erase_expired(self, gallery: str, *, by: Origin | None = None) -> Erased:
        """Erase the people whose expiry has passed, each in one step. Raises `UnknownGallery`."""

    # Samples

    def add_samples(
        self,
        gallery: str,
        person_id: str,
        samples: Sequence[Sample],
        network: str,
        *,
        once: IdempotencyKey | None = None,
        by: Origin | None = None,
    ) -> Enrolled:
        """Enrol samples of one person and recompute the centroid, in one step; one whose id is there is a duplicate.

        Counter-examples among them are kept beside the others, and the centroid is without them. Crops are dropped where
        the gallery keeps none. With nothing new the version stays. What was done under the same `once` before is not done
        again: the answer is that of the first time, with the person as it is now.

        Raises:
            UnknownGallery: there is none.
            UnknownPerson: there is none.
            NetworkMismatch: `network` is not the gallery's.
            InvalidDescriptor: a descriptor is not (d,) finite float32 of unit length.
            MalformedRequest: a sample's id is not the 64 hexadecimal digits of a sha256, or its detector no name.
            IdempotencyConflict: the key of `once` was used for something else.
            Contradiction: a face would be a sample of the person and a counter-example; nothing is enrolled.
            TooManyCounterExamples: the person would have more than `faces.MOST_COUNTERS`; nothing is enrolled.
        """

    def samples(
        self,
        gallery: str,
        person_id: str,
        *,
        crops: bool = False,
        counter: bool | None = False,
        only: str | None = None,
    ) -> list[Sample]:
        """Return a person's samples, oldest first, with their crops if asked; or the counter-examples; or (None) both.

        With `only`, the one of that id, if there is one.

        Raises:
            UnknownGallery: there is none.
            UnknownPerson: there is none.
        """

    def delete_sample(
        self, gallery: str, person_id: str, sample_id: str, *, counter: bool = False, by: Origin | None = None
    ) -> Erased:
        """Erase one sample, or one counter-example, and recompute the centroid.

        Raises:
            UnknownGallery: there is none.
            UnknownPerson: there is none.
            UnknownPhoto: the person has no such sample, or no such counter-example.
        """

    # The cohort

    def add_cohort(
        self,
        gallery: str,
        members: Sequence[CohortMember],
        network: str,
        *,
        once: IdempotencyKey | None = None,
        by: Origin | None = None,
    ) -> CohortAdded:
        """Add members to the cohort, in one step; one whose id is there is a duplicate.

        With nothing new the version stays. What was done under the same `once` before is not done again: the answer is that
        of the first time, with the size as it is now.

        Raises:
            UnknownGallery: there is none.
            NetworkMismatch: `network` is not the gallery's.
            InvalidDescriptor: a descriptor is not (d,) finite float32 of unit length.
            MalformedRequest: an id is not the 64 hexadecimal digits of a sha256, a source unknown, or a detector no name.
            IdempotencyConflict: the key of `once` was used for something else.
        """

    def cohort(self, gallery: str) -> Cohort:
        """Return the cohort of a gallery. Raises `UnknownGallery`."""

    def erase_cohort(self, gallery: str, ids: Sequence[str] | None = None, *, by: Origin | None = None) -> Erased:
        """Erase members of the cohort, or (None) all, in one step. Ids that are not there are passed over.

        With nothing to erase the version stays.

        Raises:
            UnknownGallery: there is none.
        """

    # The audit log

    def note(self, gallery: str, event: Event, by: Origin | None = None, result: str = DONE) -> None:
        """Append an entry that belongs to no write of this store, such as an export, a sign-in or a camera's change.

        Args:
            gallery: whose log; "" for the server's.
            event: what was done.
            by: who did it.
            result: ``done``, or the code of the error that refused it.

        Raises:
            UnknownGallery: there is none.
        """

    def audit(self, gallery: str, after: str = "", limit: int = 100) -> list[Entry]:
        """Return up to `limit` entries after the one whose id is `after`, oldest first; of an erased gallery, too.

        Raises:
            MalformedRequest: `after` is no entry's id.
        """

    def audit_chain(self, gallery: str) -> Chain:
        """Return where the chain of a gallery's log ("": the server's) begins and ends; of an erased gallery, too."""

    def audits(self, after: str = "", limit: int = 100) -> list[str]:
        """Return up to `limit` names after `after` of galleries that have a log, sorted; erased ones, too."""

    def trim_audit(self, gallery: str) -> int:
        """Remove the entries of a log that are not to be kept any longer; return how many. The newest goes, too."""

    # Reading for matching

    def damaged(self) -> int:
        """Return how many damaged values of all galleries this process has met and skipped."""

    def skipped(self, gallery: str) -> Skipped:
        """Return which people and samples of a gallery this process has met damaged and skipped, as far as is known."""

    def version(self, gallery: str) -> int:
        """Return the gallery's version, cheaply: it is asked for before every batch. Raises `UnknownGallery`."""

    def standing(self, gallery: str) -> Standing:
        """Return where a gallery stands, cheaply and, when the database hangs, soon: it is asked for before every batch.

        Raises:
            UnknownGallery: there cannot be one of this name.
        """

    def lose(self, gallery: str, version: int) -> None:
        """Note for every process that a gallery which was at `version` is no longer all there."""

    def accept(self, gallery: str, version: int = 0) -> Standing:
        """Take a gallery as it is now, or as erased where there is none, whatever was lost; return where it stands.

        Its version goes above `version` and above what was noted, and its change log begins anew, so that every reader
        loads all of it.
        """

    def centroids(self, gallery: str, since: int | None = None) -> Centroids:
        """Return all centroids, or those of the people changed after version `since`, with `gone` filled.

        Raises:
            UnknownGallery: there is none.
            VersionGone: the change log does not reach back to `since`, or `since` is ahead of it: load anew.
        """


class Store(RemoteStore, Protocol):
    """A database of galleries, in this process."""

    def close(self) -> None:
        """Close the database. You can close it twice."""

    def centroid_pages(self, gallery: str) -> Iterator[Centroids]:
        """Give all centroids page by page, without `gone`, so that neither side ever holds them twice.

        While others write, pages may be of different versions, a person may be on two of them, and who changed may be
        missing: whoever looked up the version before catches up from there. The pages are of any order and size.

        Raises:
            UnknownGallery: there is none.
        """


class VersionGone(Exception):
    """The change log does not reach back to the version asked for, or the gallery went back: read it all again."""
