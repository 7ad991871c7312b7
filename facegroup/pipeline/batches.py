"""Combine the faces of a batch of photos for the network, and assign the answers to the photos again.

`cut` gathers the crops of `DetectedFaces` in a `CropBatch`, `asked` selects the descriptors to match, `embedded` makes
`CropAnswers`, and `seen` makes `PhotoResult`. A single process (recognizer.py) and the server's processes (deployments/) use
the same steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import FacegroupError
from facegroup.pipeline import quality_policies
from facegroup.pipeline.messages import DetectedFaces, Photo, PhotoMatches, PhotoResult, Quality, Query
from facegroup.types import Crops, Descriptors, Floats


@dataclass(frozen=True, slots=True, eq=False)
class CropBatch:
    """The crops of some photos on their way to the network.

    Attributes:
        crops: (n, s, s, 3) uint8 RGB, photo after photo.
        counts: number of faces of each photo; they add up to n.
        queries: each photo's query to a gallery, or None.
        keep: whether to return each photo's descriptors.
        grades: (n, len(quality_policies.LIMITS)) float32: the grade of each part of each face.
        liveness: (n,) float32 in 0..1: how live each face is, NaN if that is not known.
    """

    crops: Crops
    counts: tuple[int, ...]
    queries: tuple[Query | None, ...]
    keep: tuple[bool, ...]
    grades: Floats
    liveness: Floats

    def __len__(self) -> int:
        return len(self.crops)


@dataclass(frozen=True, slots=True, eq=False)
class CropAnswers:
    """The network's and gallery's answers for one photo: descriptors if wanted, and decisions if it has a query."""

    descriptors: Descriptors | None
    matched: PhotoMatches | FacegroupError | None


def portions(photos: Sequence[Photo], found: Sequence[DetectedFaces | FacegroupError], faces: int) -> Iterator[slice]:
    """Split a batch of photos into runs with at most `faces` faces for the network, or of a single photo with more."""
    start = count = 0
    for index, (photo, each) in enumerate(zip(photos, found, strict=True)):
        more = len(each.crops) if photo.needs_descriptors and isinstance(each, DetectedFaces) else 0
        if index > start and count + more > faces:
            yield slice(start, index)
            start, count = index, 0
        count += more
    yield slice(start, len(photos))


def cut(photos: Sequence[Photo], found: Sequence[DetectedFaces | FacegroupError], size: int) -> CropBatch:
    """Gather the crops of all photos that need the network. Crops are `size` pixels wide."""
    pairs = zip(photos, found, strict=True)
    going = [(photo, each) for photo, each in pairs if photo.needs_descriptors and isinstance(each, DetectedFaces)]
    return CropBatch(
        np.concatenate([np.empty((0, size, size, 3), np.uint8), *(each.crops for _, each in going)]),
        tuple(len(each.crops) for _, each in going),
        tuple(photo.query for photo, _ in going),
        tuple(photo.embed for photo, _ in going),
        _grades([each for _, each in going]),
        _liveness([each for _, each in going]),
    )


def pieces(photo: CropBatch, faces: int) -> list[CropBatch]:
    """Split one photo with too many faces into parts without a query. It is matched as a whole, to name nobody twice."""
    parts = (slice(start, start + faces) for start in range(0, len(photo), faces))
    return [
        CropBatch(
            photo.crops[some], (len(photo.crops[some]),), (None,), (True,), photo.grades[some], photo.liveness[some]
        )
        for some in parts
    ]


def join(cuts: Sequence[CropBatch]) -> CropBatch:
    """Join several batches of crops to one."""
    return CropBatch(
        np.concatenate([each.crops for each in cuts]) if len(cuts) > 1 else cuts[0].crops,
        tuple(count for each in cuts for count in each.counts),
        tuple(query for each in cuts for query in each.queries),
        tuple(keep for each in cuts for keep in each.keep),
        np.concatenate([each.grades for each in cuts]),
        np.concatenate([each.liveness for each in cuts]),
    )


def split(cuts: Sequence[CropBatch], joined: Sequence[CropAnswers]) -> list[list[CropAnswers]]:
    """Split the answers for a joined batch into those of the original batches."""
    edges = np.cumsum([0, *(len(each.counts) for each in cuts)])
    return [list(joined[start:end]) for start, end in pairwise(edges.tolist())]


def asked(batch: CropBatch, descriptors: Descriptors) -> tuple[Descriptors, list[tuple[Query, int]], Floats, Floats]:
    """Return the descriptors of photos with a query, each query with its number of faces, the grades and the liveness."""
    wants = np.repeat([query is not None for query in batch.queries], batch.counts).astype(bool)
    pairs = zip(batch.queries, batch.counts, strict=True)
    queries = [(query, count) for query, count in pairs if query is not None]
    return descriptors[wants], queries, batch.grades[wants], batch.liveness[wants]


def embedded(
    batch: CropBatch, descriptors: Descriptors, matched: Sequence[PhotoMatches | FacegroupError]
) -> list[CropAnswers]:
    """Return the answers for each photo of a batch, from all descriptors and the galleries' answers."""
    answers = iter(matched)
    return [
        CropAnswers(rows if keep else None, next(answers) if query is not None else None)
        for rows, keep, query in zip(_rows(batch, descriptors), batch.keep, batch.queries, strict=True)
    ]


def seen(
    photos: Sequence[Photo], found: Sequence[DetectedFaces | FacegroupError], back: Sequence[CropAnswers]
) -> list[PhotoResult | FacegroupError]:
    """Return the result of each photo, or its error."""
    answers = iter(back)
    return [
        each
        if isinstance(each, FacegroupError)
        else _seen(photo, each, next(answers) if _goes_on(photo, each) else None)
        for photo, each in zip(photos, found, strict=True)
    ]


def _goes_on(photo: Photo, found: DetectedFaces | FacegroupError) -> bool:
    return photo.needs_descriptors and isinstance(found, DetectedFaces)


def _seen(photo: Photo, found: DetectedFaces, back: CropAnswers | None) -> PhotoResult:
    from facegroup.networks.alignment import to_jpeg  # imports OpenCV, 10 MB that an embedder does not need

    return PhotoResult(
        found.width,
        found.height,
        found.faces,
        found.quality,
        back.descriptors if back else None,
        tuple(to_jpeg(crop) for crop in found.crops) if photo.crops else None,
        back.matched if back else None,
        found.turned,
        found.upright,
        found.liveness,
        found.detector,
        found.scale,
    )


def _grades(found: Sequence[DetectedFaces]) -> Floats:
    none = np.empty(0, np.float32)
    parts = ([getattr(each.quality, part) for each in found] for part in Quality.__slots__)
    quality = Quality(*(np.concatenate([none, *values]) for values in parts))
    return quality_policies.grades(quality, np.concatenate([none, *(each.certainty for each in found)]))


def _liveness(found: Sequence[DetectedFaces]) -> Floats:
    unknown = np.empty(0, np.float32)
    scores = (
        np.full(len(each.crops), np.nan, np.float32) if each.liveness is None else each.liveness.scores
        for each in found
    )
    return np.concatenate([unknown, *scores])


def _rows(batch: CropBatch, descriptors: Descriptors) -> list[NDArray[np.float32]]:
    return np.split(descriptors, np.cumsum(batch.counts)[:-1]) if batch.counts else []
