"""The steps of an enrolment and of a correction: see the photos, take a sample of each, judge the samples, add them.

Both are written once. A server awaits them, since it sees, matches and stores in other processes; a library that does all of
that in this process runs them with `facegroup.store.calls.run`.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from facegroup.enrolment import counter_examples, doubts
from facegroup.enrolment.samples import Doubt, Enrolment, Refused, chosen, not_upright, samples
from facegroup.errors import FacegroupError, LivenessUnavailable, NetworkMismatch
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult, Query
from facegroup.store.audit import Origin
from facegroup.store.calls import AskStore
from facegroup.store.contract import Enrolled, Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.types import Descriptors, FaceChoice, Sample


@dataclass(frozen=True, slots=True)
class Stages:
    """The stages that the steps call, in this process or in others.

    Attributes:
        see: returns what is in each photo; one that cannot be used has its error as its answer.
        match: compares descriptors with a gallery. Raises what is wrong with the gallery.
        ask: calls the store.
        network: that the stages run.
        threshold: the network's own of the cosine similarity.
    """

    see: Callable[[list[Photo]], Awaitable[list[PhotoResult | FacegroupError]]]
    match: Callable[[Descriptors, Query], Awaitable[PhotoMatches]]
    ask: AskStore
    network: str
    threshold: float = 0.4


@dataclass(frozen=True, slots=True)
class Wanted:
    """Photos of one person to enrol, or photos with a face that is not that person.

    Attributes:
        gallery: its name; it must exist.
        person_id: who is meant; the person must exist.
        photos: name and bytes of each.
        face: which face is meant; None: each photo must show exactly one.
        strict: whether a doubted photo is refused.
        min_face_size: smallest face looked for, in pixels; None uses the detector's setting.
        raise_single: whether the refusal of a single photo is raised.
        once: makes a repeated request harmless.
        by: whose request it is, for the audit log.
    """

    gallery: str
    person_id: str
    photos: Sequence[tuple[str, bytes]]
    face: FaceChoice | None = None
    strict: bool = False
    min_face_size: int | None = None
    raise_single: bool = False
    once: IdempotencyKey | None = None
    by: Origin | None = None

    def seen_as(self) -> list[Photo]:
        """Return what the detector is given."""
        return [Photo(data, self.min_face_size, crops=True, upright=True) for _, data in self.photos]


async def enrol(stages: Stages, wanted: Wanted) -> Enrolment:
    """Enrol photos of a person; each that cannot be used is refused with its reason (`facegroup.enrolment.doubts`).

    Raises:
        UnknownGallery: there is none.
        UnknownPerson: there is none.
        NetworkMismatch: the gallery was made with another network.
        LivenessUnavailable: the gallery enrols live faces only, and nobody can tell which are.
        FacegroupError: `raise_single` is set, and the single photo is refused.
    """
    gallery, person_id = wanted.gallery, wanted.person_id
    about = await stages.ask(Store.gallery, gallery)
    live = about.liveness in ("enrol", "both")
    await stages.ask(Store.person, gallery, person_id)
    seen = await stages.see(wanted.seen_as())
    if live and any(isinstance(each, PhotoResult) and each.liveness is None for each in seen):
        raise LivenessUnavailable.of(gallery)
    good, refused, named = samples(wanted.photos, seen, wanted.face, about.quality, wanted.strict, live=live)
    doubted: tuple[Doubt, ...] = ()
    if good:
        matched = await stages.match(doubts.descriptors(good), doubts.query(gallery))
        known = await stages.ask(Store.samples, gallery, person_id, counter=None)
        good, unlike, named, doubted = doubts.judge(person_id, good, named, known, matched, wanted.strict)
        refused += unlike
    done = await _add(stages, wanted, good, refused)
    lying = not_upright(wanted.photos, seen, named)
    return Enrolment(done, refused, named, (*lying, *doubted), chosen(wanted.photos, seen, wanted.face, named))


async def correct(stages: Stages, wanted: Wanted) -> Enrolment:
    """Make faces counter-examples of a person, who is not named there again; see `facegroup.enrolment.counter_examples`.

    Raises:
        UnknownGallery: there is none.
        UnknownPerson: there is none.
        NetworkMismatch: the gallery was made with another network.
        TooManyCounterExamples: the person would have too many.
        FacegroupError: `raise_single` is set, and the single photo is refused.
    """
    gallery, person_id = wanted.gallery, wanted.person_id
    await stages.ask(Store.person, gallery, person_id)
    seen = await stages.see(wanted.seen_as())
    good, refused, named = counter_examples.counter_examples(wanted.photos, seen, wanted.face)
    doubted: tuple[Doubt, ...] = ()
    if good:
        about = await stages.ask(Store.gallery, gallery)
        if about.network != stages.network:
            raise NetworkMismatch.of(gallery, about.network, stages.network)
        known = await stages.ask(Store.samples, gallery, person_id, counter=None)
        threshold = about.threshold if about.decision == "cosine" else stages.threshold
        good, unfit, named, doubted = counter_examples.judge(good, named, known, threshold, wanted.strict)
        refused += unfit
    return Enrolment(await _add(stages, wanted, good, refused), refused, named, doubted)


async def _add(stages: Stages, wanted: Wanted, good: Sequence[Sample], refused: Sequence[Refused]) -> Enrolled:
    if wanted.raise_single and len(refused) == len(wanted.photos) == 1:
        raise refused[0].error
    return await stages.ask(
        Store.add_samples, wanted.gallery, wanted.person_id, good, stages.network, once=wanted.once, by=wanted.by
    )
