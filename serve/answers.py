"""The library's structs → what the HTTP API answers, as `schemas.py` describes it."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from facegroup.enrolment.samples import Doubt, Enrolment, Refused
from facegroup.errors import FacegroupError
from facegroup.gallery.calibration import stale
from facegroup.gallery.calibrator import CalibrationResult
from facegroup.gallery.verification import Verified
from facegroup.pipeline import quality_policies
from facegroup.pipeline.messages import PhotoMatches, PhotoResult, Quality
from facegroup.store.audit import Entry
from facegroup.store.contract import Erased, Merged
from facegroup.types import Candidate, Faces, Floats, Gallery, Match, Person

LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
_CORRECTION = ("name", "code", "detail", "own_similarity")


def error_body(error: FacegroupError) -> dict[str, Any]:
    """Return an error as the answer of one image among many."""
    return {"code": error.code, "status": error.status, "detail": error.detail}


def faces(seen: PhotoResult, *, descriptors: bool = False) -> list[dict[str, Any]]:
    """Return the faces of a photo, each with its decision where there is one."""
    parts = _rounded(np.array([getattr(seen.quality, part) for part in Quality.__slots__]).T, 4)
    graded = quality_policies.grades(seen.quality, seen.faces.confidence)
    scores, meets = _rounded(graded.min(axis=1).clip(0, 1), 4), quality_policies.best(graded)
    rows = []
    for index, row in enumerate(_found(seen.faces)):
        quality = dict(zip(Quality.__slots__, parts[index], strict=True))
        row["quality"] = {**quality, "score": scores[index], "meets": meets[index]}
        if descriptors and seen.descriptors is not None:
            row["descriptor"] = seen.descriptors[index].tolist()
        if isinstance(seen.matched, PhotoMatches):
            row.update(decision(seen.matched.matches[index]))
        rows.append(row)
    return rows


def verification(done: Verified, network: str) -> dict[str, Any]:
    """Return the answer of a verification."""
    return {
        "same": done.same,
        "similarity": round(done.similarity, 5),
        "distance": round(1 - done.similarity, 5),
        "threshold": done.threshold,
        "estimated_fmr": done.estimated_fmr,
        "excluded": done.excluded,
        "network": network,
        "faces": [row for faces in done.faces for row in _found(faces)],
    }


def _found(faces: Faces) -> list[dict[str, Any]]:
    return [
        {
            "box": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
            "landmarks": dict(zip(LANDMARKS, points, strict=True)),
            "confidence": confidence,
        }
        for box, points, confidence in zip(
            _rounded(faces.boxes, 2), _rounded(faces.landmarks, 2), _rounded(faces.confidence, 4), strict=True
        )
    ]


def _rounded(numbers: Floats, digits: int) -> list[Any]:
    rows: list[Any] = numbers.astype(np.float64).round(digits).tolist()
    return rows


def image(name: str, seen: PhotoResult | FacegroupError, *, descriptors: bool = False) -> dict[str, Any]:
    """Return one photo of an answer."""
    error = seen if isinstance(seen, FacegroupError) else seen.matched
    if isinstance(error, FacegroupError):
        return {"name": name, "error": error_body(error)}
    assert isinstance(seen, PhotoResult)
    return {
        "name": name,
        "width": seen.width,
        "height": seen.height,
        "turned": seen.turned,
        "faces": faces(seen, descriptors=descriptors),
    }


def decision(match: Match) -> dict[str, Any]:
    """Return who a face is."""
    return {
        "name": match.name,
        "person": None if match.person_id is None else {"id": match.person_id, "name": match.name},
        "similarity": round(match.similarity, 5),
        "distance": round(match.distance, 5),
        "threshold": match.threshold,
        "margin": None if match.margin is None else round(match.margin, 5),
        "estimated_fpir": match.estimated_fpir,
        "candidates": [_candidate(each) for each in match.candidates],
        "excluded": [_candidate(each) for each in match.excluded],
        "reasons": list(match.reasons),
        "taken_by": match.taken_by,
    }


def gallery(found: Gallery) -> dict[str, Any]:
    """Return a gallery."""
    return {
        "name": found.name,
        "network": found.network,
        "dimension": found.dimension,
        "threshold": found.threshold,
        "keep_crops": found.keep_crops,
        "gallery_version": found.version,
        "people": found.people,
        "created_at": found.created_at,
        "damaged": found.damaged,
        "quality": found.quality,
        "probe_quality": found.probe_quality,
        "unique": found.unique,
        "calibration": None if found.calibration is None else {**asdict(found.calibration), "stale": stale(found)},
    }


def calibrated(done: CalibrationResult, refused: Sequence[Refused]) -> dict[str, Any]:
    """Return what a calibration found, and did."""
    return {
        "gallery": gallery(done.gallery),
        "calibration": {**asdict(done.found), "stale": None},
        "applied": done.applied,
        "threshold_before": done.before,
        "searches": done.searches,
        "closest": [{"whose": each.whose, "like": _candidate(each.like)} for each in done.closest],
        "refused": [{"name": each.name, "error": error_body(each.error)} for each in refused],
    }


def person(found: Person) -> dict[str, Any]:
    """Return a person."""
    return {
        "id": found.id,
        "name": found.name,
        "metadata": found.metadata,
        "photos": found.samples,
        "counter_examples": found.counters,
        "created_at": found.created_at,
        "updated_at": found.updated_at,
        "expires_at": found.expires_at,
    }


def enrolment(done: Enrolment) -> dict[str, Any]:
    """Return what became of the photos of one person."""
    new = set(done.enrolled.added)
    enrolled = []
    for name, sample in done.photos:
        enrolled.append({"name": name, "photo_id": sample, "duplicate": sample not in new})
        new.discard(sample)
    return {
        "person": person(done.enrolled.person),
        "gallery_version": done.enrolled.version,
        "enrolled": enrolled,
        "refused": [{"name": each.name, "error": error_body(each.error)} for each in done.refused],
        "warnings": [_warning(each) for each in done.doubts],
        "chosen": [{"name": each.name, "face": each.face, "faces": each.faces} for each in done.chosen],
    }


def correction(done: Enrolment) -> dict[str, Any]:
    """Return what became of faces that are said not to be a person."""
    whole = enrolment(done)
    return {
        "person": whole["person"],
        "gallery_version": whole["gallery_version"],
        "kept": [{**each, "id": each.pop("photo_id")} for each in whole["enrolled"]],
        "refused": whole["refused"],
        "warnings": [{key: each[key] for key in _CORRECTION} for each in whole["warnings"]],
    }


def _warning(doubt: Doubt) -> dict[str, Any]:
    own, like = doubt.own_similarity, doubt.looks_like
    return {
        "name": doubt.name,
        "code": doubt.error.code,
        "detail": doubt.error.detail,
        "own_similarity": None if own is None else round(own, 5),
        "looks_like": None if like is None else _candidate(like),
    }


def _candidate(each: Candidate) -> dict[str, Any]:
    return {"person_id": each.person_id, "name": each.name, "similarity": round(each.similarity, 5)}


def erased(done: Erased, sightings: int = 0) -> dict[str, Any]:
    """Return what an erasure removed; `sightings` of cameras were removed with it."""
    removed = {"people": done.people, "photos": done.samples, "counter_examples": done.counters}
    removed |= {"descriptors": done.samples + done.counters, "crops": done.crops, "sightings": sightings}
    return {"removed": removed, "gallery_version": done.version}


def merged(done: Merged) -> dict[str, Any]:
    """Return what a merger did."""
    return {
        "person": person(done.person),
        "moved": done.moved,
        "duplicates": done.duplicates,
        "gallery_version": done.version,
    }


def entry(found: Entry) -> dict[str, Any]:
    """Return one entry of the audit log."""
    return {
        "id": found.id,
        "at": found.at,
        "gallery": found.gallery,
        "what": found.event.what,
        "person_id": found.event.person_id,
        "detail": found.event.detail,
        "actor": found.origin.actor,
        "request_id": found.origin.request or None,
    }
