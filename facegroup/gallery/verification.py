"""1:1: are these two faces one person? Two photos, or a photo and a person of a gallery, go in; `Verified` comes out."""

from dataclasses import dataclass

from facegroup.enrolment.samples import only_face
from facegroup.errors import FacegroupError
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
        score: what decides in place of the similarity, with a person of a gallery whose decision is ``cohort``.
        cohort: the means that the score was computed with.
    """

    similarity: float
    threshold: float
    faces: tuple[Faces, ...]
    estimated_fmr: float | None = None
    excluded: bool = False
    score: float | None = None
    cohort: CohortMeans | None = None

    @property
    def deciding(self) -> float:
        """What is compared with the threshold: the score, or the similarity where there is none."""
        return self.similarity if self.score is None else self.score

    @property
    def same(self) -> bool:
        """Whether it is the same person, as far as the threshold can tell."""
        return self.deciding > self.threshold and not self.excluded


def pair(
    names: tuple[str, str],
    seen: tuple[PhotoResult | FacegroupError, PhotoResult | FacegroupError],
    threshold: float,
    wanted: tuple[FaceChoice | None, FaceChoice | None] = (None, None),
) -> Verified:
    """Compare a face of a photo with a face of another.

    Args:
        names: of the two photos, for errors.
        seen: what was found in each, with descriptors.
        threshold: what the similarity must exceed.
        wanted: which face of each is meant; None: there must be exactly one.

    Raises:
        FacegroupError: a photo cannot be used, shows no face, or several; the message begins with its name.
    """
    descriptors, faces = [], []
    for name, each, face, option in zip(names, seen, wanted, ("face", "other_face"), strict=True):
        try:
            index = only_face(each, face, option)
        except FacegroupError as error:
            raise type(error)(f"{name}: {error.detail}") from error
        assert isinstance(each, PhotoResult)
        assert each.descriptors is not None
        descriptors.append(each.descriptors[index])
        faces.append(each.faces[[index]])
    return Verified(float(descriptors[0] @ descriptors[1]), threshold, tuple(faces))


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
    return Verified(
        *(match.similarity, match.threshold, (seen.faces[[index]],), match.estimated_fmr, bool(match.excluded)),
        score=match.score,
        cohort=match.cohort,
    )
