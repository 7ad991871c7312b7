"""The whole pipeline in one process: photos go in, names come out, without Ray and without a network.

with Recognizer(load()) as recognizer:
    recognizer.new_gallery("group")
    ada = recognizer.store.create_person("group", "Ada")
    recognizer.enrol("group", ["ada1.jpg", "ada2.jpg"], ada.id)
    (seen,) = recognizer.identify(["party.jpg"], "group")

A photo is a file's bytes, a path, a file object, a PIL image or an array: see `facegroup.images.inputs`.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, Unpack

import numpy as np

from facegroup.enrolment import cohort, steps
from facegroup.enrolment.cohort import Addition
from facegroup.enrolment.samples import Enrolment
from facegroup.enrolment.steps import Stages, Wanted
from facegroup.errors import FacegroupError, ImageError
from facegroup.gallery import calibrator, decision_change
from facegroup.gallery.calibrator import CalibrationResult, Strangers
from facegroup.gallery.decision_change import Defaults
from facegroup.gallery.index.plan import Plan
from facegroup.gallery.matching import Matcher
from facegroup.gallery.pins import Pins
from facegroup.gallery.verification import Verified, of_person, pair
from facegroup.images import inputs
from facegroup.images.inputs import PhotoInput
from facegroup.networks.embedder import open_embedder
from facegroup.pipeline import batches
from facegroup.pipeline.messages import DetectedFaces, Photo, PhotoMatches, PhotoResult, Query
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import Settings
from facegroup.store import open_store
from facegroup.store.audit import Retention
from facegroup.store.calls import direct, run, waiting
from facegroup.store.contract import Changes, Store
from facegroup.store.secret_key import secret_keys
from facegroup.types import Descriptors, FaceChoice, Gallery, Policy


class Recognizer:
    """Everything that facegroup does with photos, in one object. Used from one thread at a time.

    Args:
        settings: which network, on what, and where the galleries are.
        actor: whose writes are, for the audit log.

    Raises:
        SetupError: the network, its weights, the engine or the store is not to be had; none is taken in its place.
    """

    def __init__(self, settings: Settings, actor: str = "library") -> None:
        self.settings = settings
        self.embedder = open_embedder(settings)
        self.spec = self.embedder.spec
        self.finder = open_finder(settings, self.spec)
        self.store = open_store(settings.store, actor, secret_keys(settings), keep=Retention.of(settings.audit))
        plan, live = Plan.of(settings.matcher), settings.liveness.least
        self.pins = Pins(self.spec.name, self.embedder.fingerprint, self.finder.about()["detector"])
        self.galleries = Matcher(self.store, self.spec, plan, liveness=live, pins=self.pins)
        self._ahead = ThreadPoolExecutor(1, "find")

    def see(self, photos: Sequence[Photo]) -> list[PhotoResult | FacegroupError]:
        """Return what is in each photo; one that cannot be used has its error as its answer."""
        size = self.settings.detector.batch
        parts = [photos[start : start + size] for start in range(0, max(1, len(photos)), size)]
        found: list[DetectedFaces | ImageError] = []
        cuts, rows = [], []
        for part, seen in zip(parts, self._found(parts), strict=True):
            found += seen
            cuts.append(batches.cut(part, seen, self.spec.size))
            rows.append(self.embedder.embed(cuts[-1].crops))
        batch, descriptors = batches.join(cuts), np.concatenate(rows)
        matched = self.galleries.match(*batches.asked(batch, descriptors))
        return batches.seen(photos, found, batches.embedded(batch, descriptors, matched))

    def _found(self, parts: Sequence[Sequence[Photo]]) -> Iterator[list[DetectedFaces | ImageError]]:
        """Give the faces of each part; while the caller works on one, those of the next are looked for."""
        if len(parts) == 1:
            yield self.finder.find(parts[0])
            return
        ahead = self._ahead.submit(self.finder.find, parts[0])
        for following in parts[1:]:
            found = ahead.result()
            ahead = self._ahead.submit(self.finder.find, following)
            yield found
        yield ahead.result()

    def identify(
        self,
        photos: Iterable[PhotoInput],
        gallery: str,
        threshold: float | None = None,
        quality: Policy | None = None,
        unique: bool | None = None,
        liveness: bool | None = None,
    ) -> list[PhotoResult | FacegroupError]:
        """Return who is in each photo (1:N): `PhotoResult.matched` holds the decision on each face.

        Args:
            photos: a list of them, each as `facegroup.images.inputs` takes it.
            gallery: whose people are looked for.
            threshold: what a similarity must exceed; None: the gallery's own.
            quality: how good a face must be to be named; None: the gallery's own `probe_quality`.
            unique: whether a person is named at most once in a photo; None: as the gallery has it.
            liveness: whether a face must be live to be named; None: as the gallery has it. False scores none.

        Raises:
            UnknownGallery: there is none.
            NetworkMismatch: the gallery was made with another network.
            LivenessUnavailable: faces must be live, and the settings choose no network that tells.
            MalformedRequest: what was given is no list of photos.
        """
        query = Query(gallery, None, threshold, self.settings.matcher.candidates, quality, unique, liveness)
        seen = self.see([Photo.asking(query, data) for data in inputs.several(photos)])
        matched = [each.matched for each in seen if isinstance(each, PhotoResult)]
        if not matched:  # nothing has asked yet whether the gallery is there
            none = np.empty((0, self.spec.dimension), np.float32)
            matched = [*self.galleries.match(none, [(query, 0)], liveness=np.empty(0, np.float32))]
        for each in matched:
            if isinstance(each, FacegroupError):
                raise each
        return seen

    def enrol(
        self,
        gallery: str,
        photos: Iterable[PhotoInput | tuple[str, PhotoInput]],
        person_id: str,
        face: FaceChoice | None = None,
        strict: bool = False,
    ) -> Enrolment:
        """Enrol named photos of one person; each that cannot be used is refused with its reason.

        Args:
            gallery: its name; it must exist.
            photos: a list of them, or of pairs of a name and a photo, each as `facegroup.images.inputs` takes it.
            person_id: who is in them; the person must exist.
            face: which face is meant, by its number from the left or as ``largest`` or ``dominant`` (`FaceChoice`); None:
                each photo must show exactly one.
            strict: whether a photo that may show somebody else is refused, not only doubted
                (`facegroup.enrolment.doubts`).

        Raises:
            UnknownGallery: there is none.
            UnknownPerson: there is none.
            NetworkMismatch: the gallery was made with another network.
        """
        return run(steps.enrol(self._stages(), Wanted(gallery, person_id, inputs.named(photos), face, strict)))

    def correct(
        self,
        gallery: str,
        photos: Iterable[PhotoInput | tuple[str, PhotoInput]],
        person_id: str,
        face: FaceChoice | None = None,
        strict: bool = False,
    ) -> Enrolment:
        """Make faces counter-examples of a person, who is not named there again; see `facegroup.enrolment.counter_examples`.

        Args:
            gallery: its name; it must exist.
            photos: a list of them, or of pairs of a name and a photo, each as `facegroup.images.inputs` takes it.
            person_id: who is not in them; the person must exist.
            face: which face is meant, as for `enrol`.
            strict: whether a face that may show the person after all is refused, not only doubted.

        Raises:
            UnknownGallery: there is none.
            UnknownPerson: there is none.
            NetworkMismatch: the gallery was made with another network.
            TooManyCounterExamples: the person would have too many.
        """
        return run(steps.correct(self._stages(), Wanted(gallery, person_id, inputs.named(photos), face, strict)))

    def add_to_cohort(self, gallery: str, photos: Iterable[PhotoInput | tuple[str, PhotoInput]]) -> Addition:
        """Add photos of strangers to the cohort of a gallery; each that cannot be used is refused with its reason.

        Only descriptors are kept. What the cohort is for: docs/cohort.md.

        Args:
            gallery: its name; it must exist.
            photos: as for `enrol`, best one photo of each stranger.

        Raises:
            UnknownGallery: there is none.
            NetworkMismatch: the gallery was made with another network.
        """
        return run(cohort.add(self._stages(), gallery, inputs.named(photos)))

    def change_gallery(self, gallery: str, **changes: Unpack[Changes]) -> Gallery:
        """Change settings of a gallery. Raises what `facegroup.gallery.decision_change.change` does.

        Another decision sets the network's default threshold of that decision, unless a threshold is given.
        """
        defaults = Defaults.of(self.spec, self._threshold(None))
        return run(decision_change.change(waiting(direct(self.store)), gallery, changes, defaults))

    def _stages(self) -> Stages:
        """Return the stages of an enrolment, none of which waits."""

        async def see(photos: list[Photo]) -> list[PhotoResult | FacegroupError]:
            return self.see(photos)

        async def match(descriptors: Descriptors, query: Query) -> PhotoMatches:
            (matched,) = self.galleries.match(descriptors, [(query, len(descriptors))])
            if isinstance(matched, FacegroupError):
                raise matched
            return matched

        return Stages(see, match, waiting(self.pins.calls(direct(self.store))), self.spec.name, self.spec.threshold)

    def verify(
        self,
        photos: tuple[PhotoInput, PhotoInput],
        threshold: float | None = None,
        faces: tuple[FaceChoice | None, FaceChoice | None] = (None, None),
        liveness: bool | None = None,
    ) -> Verified:
        """Compare the one face of a photo with the one face of another (1:1). Raises what `verification.pair` does.

        `faces` says which face of each photo is meant (`FaceChoice`), where there are several; `liveness`, whether both must
        be live. False scores none.
        """
        first, second = self.see([Photo(data, liveness=liveness is not False) for data in inputs.pair(photos)])
        names, limit = ("first photo", "second photo"), self._threshold(threshold)
        return pair(names, (first, second), limit, faces, live=bool(liveness))

    def verify_person(
        self,
        photo: PhotoInput,
        gallery: str,
        person_id: str,
        threshold: float | None = None,
        face: FaceChoice | None = None,
        liveness: bool | None = None,
    ) -> Verified:
        """Compare the one face of a photo with one person (1:1). Raises what `verification.of_person` does.

        `liveness` says whether the face must be live; None: as the gallery has it. False scores none.
        """
        query = Query(gallery, person_id, threshold, liveness=liveness)
        (seen,) = self.see([Photo.asking(query, inputs.encoded(photo))])
        return of_person(seen, face)

    def calibrate(
        self, gallery: str, fpir: float, strangers: Strangers | None = None, *, dry_run: bool = False
    ) -> CalibrationResult:
        """Find the threshold of a gallery for an FPIR, and set it. Raises what `calibrator.run` does."""
        snapshot = self.galleries.snapshot(gallery)
        return calibrator.run(
            direct(self.store), snapshot, fpir, strangers, dry_run=dry_run, detector=self.pins.detector
        )

    def describe(self, photos: Iterable[PhotoInput]) -> list[PhotoResult | FacegroupError]:
        """Return the faces of each photo with their descriptors, and nobody's name."""
        return self.see([Photo(data) for data in inputs.several(photos)])

    def crops(self, gallery: str, person_id: str) -> list[bytes]:
        """Return a person's aligned faces as JPEG, oldest first, where the gallery keeps them."""
        return [each.crop for each in self.store.samples(gallery, person_id, crops=True) if each.crop is not None]

    def new_gallery(self, name: str) -> Gallery:
        """Return the gallery of this name, created for this network where there is none.

        Raises:
            GalleryExists: it is there and was made with another network.
            NetworkMismatch: it is there and was made with other weights or another preprocessing.
        """
        new = Gallery(name, self.spec.name, self.spec.dimension, self._threshold(None))
        return self.pins.calls(direct(self.store))(Store.create_gallery, new)

    def close(self) -> None:
        """Let go of threads and the database."""
        self._ahead.shutdown()
        self.finder.close()
        self.store.close()

    def _threshold(self, wanted: float | None) -> float:
        own = self.spec.threshold if self.settings.threshold is None else self.settings.threshold
        return own if wanted is None else wanted

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
