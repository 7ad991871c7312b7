"""Descriptors → decisions, against whichever galleries are asked about: keeps their snapshots current with the store.

Before every batch each gallery's version is looked up, so an answer is never older than the last write that was
acknowledged before its request. While the store is away the last snapshot goes on answering and says `degraded`.
"""

import itertools
import logging
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from facegroup.errors import (
    FacegroupError,
    InvalidDescriptor,
    NetworkMismatch,
    StoreInvalid,
    StoreUnavailable,
    UnknownGallery,
)
from facegroup.gallery import Snapshot
from facegroup.networks.base import NetworkSpec
from facegroup.photos import Matched, Query
from facegroup.store.base import Store
from facegroup.store.rules import check_threshold
from facegroup.types import NOT_IN_DATASET, Candidate, Descriptors, Match

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""After a failure the store is left alone for so long: a dead one costs a time-out per try."""


class Galleries:
    """The galleries of a store, as matching reads them. Used from one thread at a time.

    Args:
        store: where they live.
        spec: the network whose descriptors are compared.
    """

    def __init__(self, store: Store, spec: NetworkSpec) -> None:
        self.store = store
        self._spec = spec
        self._snapshots: dict[str, Snapshot] = {}
        self._away_until = 0.0
        self._told: set[str] = set()

    def match(self, descriptors: Descriptors, asked: Sequence[tuple[Query, int]]) -> list[Matched | FacegroupError]:
        """Decide on the faces of some photos.

        Args:
            descriptors: (n, d) float32 of unit length, photo after photo.
            asked: for each photo its query and its count of faces; the counts add up to n.

        Returns:
            the decisions for each photo, or why there are none.
        """
        edges = np.cumsum([0, *(count for _, count in asked)])
        current = {name: self._current(name) for name in {query.gallery for query, _ in asked}}
        answers: list[Matched | FacegroupError | None] = [None] * len(asked)
        together: dict[Query, list[int]] = {}
        for index, (query, _) in enumerate(asked):
            together.setdefault(query, []).append(index)
        for query, indices in together.items():
            known = current[query.gallery]
            probes = np.concatenate([descriptors[edges[index] : edges[index + 1]] for index in indices])
            photos = np.repeat(indices, [asked[index][1] for index in indices])
            try:
                if isinstance(known, FacegroupError):
                    raise known
                matched = self._decide(*known, probes, photos, query)
            except FacegroupError as error:
                for index in indices:
                    answers[index] = error
                continue
            for index in indices:
                mine = itertools.compress(matched.matches, photos == index)
                answers[index] = replace(matched, matches=tuple(mine))
        return [answer for answer in answers if answer is not None]

    def _decide(
        self, snapshot: Snapshot, degraded: bool, probes: Descriptors, photos: NDArray[np.intp], query: Query
    ) -> Matched:
        """Decide on all faces that one question is asked about, in one matrix product."""
        if probes.shape[1:] != (self._spec.dimension,) or not np.isfinite(probes).all():
            raise InvalidDescriptor(f"descriptors of {self._spec.name} are {self._spec.dimension} finite numbers")
        threshold = snapshot.threshold if query.threshold is None else check_threshold(query.threshold)
        if query.person_id is None:
            matches = snapshot.match(probes, photos, threshold=threshold, candidates=query.candidates)
        else:
            person_id, name = query.person_id, snapshot.name_of(query.person_id)
            similarities = snapshot.similarity_to(person_id, probes).tolist()
            matches = [_verified(person_id, name, similarity, threshold) for similarity in similarities]
        return Matched(tuple(matches), snapshot.version, threshold, degraded)

    def _current(self, gallery: str) -> tuple[Snapshot, bool] | FacegroupError:
        held = self._snapshots.get(gallery)
        if time.monotonic() < self._away_until:
            return (held, True) if held else StoreUnavailable("the store does not answer; try again later")
        try:
            snapshot = Snapshot.load(self.store, gallery) if held is None else held.caught_up(self.store)
            if snapshot.network != self._spec.name:
                raise NetworkMismatch(
                    f"the gallery {gallery} was made with {snapshot.network}; this server runs {self._spec.name}"
                )
        except (UnknownGallery, NetworkMismatch) as error:
            self._snapshots.pop(gallery, None)
            return error
        except StoreUnavailable as error:
            self._away_until = time.monotonic() + RETRY_SECONDS
            log.error("the store is away; what was read of it before goes on answering: %s", error)
            return (held, True) if held else error
        except StoreInvalid as error:
            if held is not None and str(error) not in self._told:
                self._told.add(str(error))
                log.error("the gallery %s cannot be read; what was read before goes on answering: %s", gallery, error)
            return (held, True) if held else error
        except FacegroupError as error:
            return error
        self._snapshots[gallery] = snapshot
        return snapshot, False


def _verified(person_id: str, name: str, similarity: float, threshold: float) -> Match:
    same = similarity > threshold
    return Match(
        person_id if same else None,
        name if same else NOT_IN_DATASET,
        similarity,
        threshold,
        None,
        (Candidate(person_id, name, similarity),),
    )
