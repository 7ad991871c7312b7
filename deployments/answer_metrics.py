"""Counts what photos and faces were answered with."""

from collections.abc import Callable, Sequence

import numpy as np

from deployments.metrics import Counters
from facegroup.errors import FacegroupError
from facegroup.liveness.liveness import Liveness
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult, Query


def photos_counter(counters: Counters) -> Callable[[Sequence[PhotoResult | FacegroupError]], None]:
    """Return a function that counts the answers of photos: `faces`, `no_face` or the code of the error."""
    counter = counters.counter("photos", "Photos by answer: `faces`, `no_face`, or the code of the error.", "answer")

    def count(answers: Sequence[PhotoResult | FacegroupError]) -> None:
        for each in answers:
            if isinstance(each, FacegroupError):
                counter.labels(each.code).inc()
            else:
                counter.labels("faces" if len(each.faces) else "no_face").inc()

    return count


def faces_counter(
    counters: Counters,
) -> Callable[[Sequence[tuple[Query, int]], Sequence[PhotoMatches | FacegroupError]], None]:
    """Return a function that counts the decisions on faces, by what asked."""
    counter = counters.counter(
        "faces",
        "Faces by what asked (`identify`, `verify`, `enrol`, `camera`) and by answer: `named`, `not_in_the_dataset`, "
        "`poor_quality` or `not_live`.",
        "asked",
        "answer",
    )

    def count(asked: Sequence[tuple[Query, int]], answers: Sequence[PhotoMatches | FacegroupError]) -> None:
        for (query, _), answer in zip(asked, answers, strict=True):
            if isinstance(answer, FacegroupError):
                continue
            for match in answer.matches:
                named = "named" if match.person_id is not None else match.name.replace(" ", "_")
                counter.labels(_of_query(query), named).inc()

    return count


def _of_query(query: Query) -> str:
    if query.over_track:
        return "camera"
    if query.enrolling:
        return "enrol"
    return "identify" if query.person_id is None else "verify"


def liveness_counter(counters: Counters) -> Callable[[Photo, Liveness], None]:
    """Return a function that counts the scored faces of a photo, by what was asked and what was found."""
    counter = counters.counter(
        "liveness_faces",
        "Faces scored for liveness, by what asked (`identify`, `verify`, `enrol`, `camera`, `other`) and what was found.",
        "asked",
        "found",
    )

    def count(photo: Photo, liveness: Liveness) -> None:
        live, small = int(liveness.live.sum()), int(np.isnan(liveness.scores).sum())
        found = {"live": live, "too_small": small, "not_live": len(liveness) - live - small}
        for name, faces in found.items():
            if faces:
                counter.labels(_of_photo(photo), name).inc(faces)

    return count


def _of_photo(photo: Photo) -> str:
    if photo.background:
        return "camera"
    if photo.query is not None:
        return "identify" if photo.query.person_id is None else "verify"
    return "enrol" if photo.upright else "other"
