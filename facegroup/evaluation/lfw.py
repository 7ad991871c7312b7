"""Measure verification accuracy on Labelled Faces in the Wild with its own protocol.

Huang et al. 2007 ("Labeled Faces in the Wild"), view 2: ten folds of 600 pairs; the threshold of a fold is chosen on the
other folds, and the accuracy is the mean over the folds, with its standard error. A photo shows its subject in the centre,
so the face nearest to the centre is used. A photo without a detected face is a failure to acquire: its pairs are answered
"different", which is wrong for half of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegroup.networks.embedder import Embedder, failed
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.types import Descriptors, Faces, Floats

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photos, as paths below the data set's folder, and whether they show one person."""

    first: str
    second: str
    same: bool


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The accuracy by the protocol.

    Attributes:
        mean: mean share of correct answers over the folds.
        error: standard error of the mean.
        folds: accuracy of each fold.
        thresholds: threshold of each fold, chosen on the others.
    """

    mean: float
    error: float
    folds: tuple[float, ...]
    thresholds: tuple[float, ...]

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.error:.4f}"


def read_pairs(path: Path) -> list[list[Pair]]:
    """Return the folds of a `pairs.txt`.

    Raises:
        ValueError: the file has another form.
    """
    rows = [line.split("\t") for line in path.read_text().splitlines() if line.strip()]
    count, half = map(int, rows[0])
    if len(rows) != 1 + 2 * count * half:
        raise ValueError(f"{path} declares {count} folds of {2 * half} pairs, but has {len(rows) - 1} pairs")
    pairs = [_pair(row) for row in rows[1:]]
    return [pairs[start : start + 2 * half] for start in range(0, len(pairs), 2 * half)]


def photos_of(folds: Iterable[Sequence[Pair]]) -> list[str]:
    """Return every photo of some folds once, sorted."""
    return sorted({name for fold in folds for pair in fold for name in (pair.first, pair.second)})


def describe(finder: Finder, embedder: Embedder, photos: Iterable[bytes], batch: int = 32) -> Descriptors:
    """Return the descriptor of the central face of each photo, (n, d), zeros without a face."""
    none = np.empty((0, embedder.spec.dimension), np.float32)
    return np.concatenate([none, *_described(finder, embedder, photos, batch)])


def similarities(pairs: Sequence[Pair], descriptors: dict[str, Floats]) -> tuple[Floats, Flags]:
    """Return the cosine similarity of each pair, -1 if a photo has no descriptor, and whether it shows one person."""
    first = np.stack([descriptors[pair.first] for pair in pairs])
    second = np.stack([descriptors[pair.second] for pair in pairs])
    scores = np.where(failed(first) | failed(second), np.float32(-1), (first * second).sum(axis=1, dtype=np.float32))
    return scores, np.array([pair.same for pair in pairs])


def best_threshold(scores: Floats, same: Flags) -> float:
    """Return the threshold with the most correct answers: the middle of the best gap between similarities."""
    order = np.argsort(scores, kind="stable")
    scores, same = scores[order], same[order]
    # For a cut before place k, the k lower pairs are answered "different", and the others "same".
    right = np.concatenate([[0], np.cumsum(~same)]) + np.concatenate([[0], np.cumsum(same[::-1])])[::-1]
    edges = np.concatenate([scores[:1] - 1, (scores[1:] + scores[:-1]) / 2, scores[-1:] + 1])
    apart = np.concatenate([[True], scores[1:] > scores[:-1], [True]])
    return float(edges[np.argmax(np.where(apart, right, -1))])


def accuracy(folds: Sequence[tuple[Floats, Flags]]) -> Accuracy:
    """Return the accuracy over at least two folds of similarities and labels."""
    thresholds, shares = [], []
    for held_out, (scores, same) in enumerate(folds):
        others = [fold for number, fold in enumerate(folds) if number != held_out]
        threshold = best_threshold(*(np.concatenate(part) for part in zip(*others, strict=True)))
        thresholds.append(threshold)
        shares.append(float(((scores > threshold) == same).mean()))
    error = float(np.std(shares, ddof=1) / np.sqrt(len(shares)))
    return Accuracy(float(np.mean(shares)), error, tuple(shares), tuple(thresholds))


def central(faces: Faces, width: int, height: int) -> int:
    """Return the number of the face nearest to the centre of its photo."""
    middles = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    return int(np.linalg.norm(middles - [(width - 1) / 2, (height - 1) / 2], axis=1).argmin())


def _described(finder: Finder, embedder: Embedder, photos: Iterable[bytes], batch: int) -> Iterator[Descriptors]:
    left = iter(photos)
    while part := list(islice(left, batch)):
        found = finder.find([Photo(data, liveness=False) for data in part])
        rows = np.zeros((len(part), embedder.spec.dimension), np.float32)
        crops = {
            index: each.crops[central(each.faces, each.width, each.height)]
            for index, each in enumerate(found)
            if isinstance(each, DetectedFaces) and len(each.faces)
        }
        if crops:
            rows[list(crops)] = embedder.embed(np.stack(list(crops.values())))
        yield rows


def _pair(row: list[str]) -> Pair:
    match row:
        case [name, one, other]:
            return Pair(_path(name, one), _path(name, other), same=True)
        case [name, one, stranger, other]:
            return Pair(_path(name, one), _path(stranger, other), same=False)
    raise ValueError(f"{row} is not a pair")


def _path(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}.jpg"
