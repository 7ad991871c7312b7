"""1:1: are these two faces one person? Two photos, or a photo and a person of a gallery, go in; `Verified` comes out."""

from dataclasses import dataclass

from facegroup.enrolment.samples import only_face
from facegroup.errors import FacegroupError, LivenessUnavailable
from facegroup.liveness.liveness import Liveness
from facegroup.pipeline.messages import PhotoMatches, PhotoResult
from facegroup.types import CohortMeans, FaceChoice, Faces


@dataclass(frozen=True, slots=True, eq=False)
class Verified:
    """The answer of a verification.

    Attributes:
        similarity: cos θ of the two descriptors, or of the descriptor and the person's centroid, in -1..1.
        threshold: what it had to exceed.
        faces: the faces that were compared, one of each photo.
        estimated_fmr: with a person of a calibrated gallery, how often a stranger passes for one at this threshold. Of two
            photos nobody can say: there is no gallery whose people would show it.
        excluded: whether the face is nearer to one that was said not to be the person: then it is not the same.
        reasons: why a face is not accepted: ``not_live``, or ``face_too_small`` to tell; then it is not the same.
        liveness: how live the face of each photo is; empty where that was not scored.
        score: what decides in place of the similarity, with a person of a gallery whose decision is ``cohort``.
        cohort: the means that the score was computed with.
    """

    similarity: float
    threshold: float
    faces: tuple[Faces, ...]
    estimated_fmr: float | None = None
    excluded: bool = False
    reasons: tuple[str, ...] = ()
    liveness: tuple[Liveness, ...] = ()
    score: float | None = None
    cohort: CohortMeans | None = None

    @property
    def deciding(self) -> float:
        """What is compared with the threshold: the score, or the similarity where there is none."""
        return self.similarity if self.score is None else self.score

    @property
    def same(self) -> bool:
        """Whether it is the same person, as far as the threshold can tell."""
        return self.deciding > self.threshold and not self.excluded and not self.reasons


def pair(
    names: tuple[str, str],
    seen: tuple[PhotoResult | FacegroupError, PhotoResult | FacegroupError],
    threshold: float,
    wanted: tuple[FaceChoice | None, FaceChoice | None] = (None, None),
    *,
    live: bool = False,
) -> Verified:
    """Compare a face of a photo with a face of another.

    Args:
        names: of the two photos, for errors.
        seen: what was found in each, with descriptors.
        threshold: what the similarity must exceed.
        wanted: which face of each is meant; None: there must be exactly one.
        live: whether both must be live to be the same.

    Raises:
        LivenessUnavailable: they must be live, and that was not scored.
        FacegroupError: a photo cannot be used, shows no face, or several; the message begins with its name.
    """
    descriptors, faces, liveness = [], [], []
    for name, each, face, option in zip(names, seen, wanted, ("face", "other_face"), strict=True):
        try:
            index = only_face(each, face, option)
        except FacegroupError as error:
            raise type(error)(f"{name}: {error.detail}") from error
        assert isinstance(each, PhotoResult)
        assert each.descriptors is not None
        descriptors.append(each.descriptors[index])
        faces.append(each.faces[[index]])
        liveness += [] if each.liveness is None else [each.liveness[[index]]]
    if live and not liveness:
        raise LivenessUnavailable(
            "This server has no liveness model. Set liveness.model to minifasnet (FACEGROUP_LIVENESS__MODEL)."
        )
    reasons = tuple(dict.fromkeys(code for each in liveness for code in each.reasons)) if live else ()
    similarity = float(descriptors[0] @ descriptors[1])
    return Verified(similarity, threshold, tuple(faces), reasons=reasons, liveness=tuple(liveness))


def of_person(seen: PhotoResult | FacegroupError, face: FaceChoice | None = None) -> Verified:
    """Return how like the person whom the photo was asked about (`Query.person_id`) its face is.

    Args:
        seen: what was found in the photo.
        face: which face is meant; None: there must be exactly one.

    Raises:
        FacegroupError: the photo cannot be used, shows no face or several, or the gallery or person is unknown.
    """
    index = only_face(seen, face)
    assert isinstance(seen, PhotoResult)
    if isinstance(seen.matched, FacegroupError):
        raise seen.matched
    assert isinstance(seen.matched, PhotoMatches)
    match = seen.matched.matches[index]
    liveness = () if seen.liveness is None else (seen.liveness[[index]],)
    faces, excluded = (seen.faces[[index]],), bool(match.excluded)
    decided = (match.reasons, liveness, match.score, match.cohort)
    return Verified(match.similarity, match.threshold, faces, match.estimated_fmr, excluded, *decided)
