"""Faces of one camera's frames → tracks, each recognised over several frames: `Frame` and `Seen` in, `Observation`s out.

A face belongs to the track that it overlaps or resembles most (one assignment per frame: Kuhn, The Hungarian method, 1955);
why not by overlap alone: docs/decisions/0014-tracking.md. A track has a name when enough frames agree, each weighed by how
good the face is in it; it is recognised again only when that pays: frames in between are only searched for faces.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facegroup import policies
from facegroup.boxes import overlap
from facegroup.cameras.types import Camera, Frame, Region
from facegroup.photos import Matched, Photo, Query, Seen
from facegroup.sightings.types import Observation, Shot
from facegroup.types import NOT_IN_DATASET, Faces, Floats, Match

PATIENCE = 2.0
"""Seconds without a face after which a track is over; where frames come seldom, four of them."""

FRESH = 4.0
"""Seconds after which a track that has a name is recognised again."""

SHOTS = 5

_OVERLAP = 0.3
_NEAR = 1.0  # widths of a face between two centres, where only detection was asked for
_NESTED = 0.6  # of the smaller box
_RATIO = 1.6  # of two sizes
_BETTER = 0.2  # how much better a face must be to be recognised at once
_SLACK = 0.3  # of what is left above the threshold: measured on a second's looks at one face, also poor ones
_FADING = 0.9  # of votes, with each that comes
_MAJORITY = 0.6
_APART = 0.2  # seconds between two frames that count as two: of the same moment one says no more than the other
_LEAST_WEIGHT = 0.1


@dataclass(frozen=True, slots=True)
class Update:
    """What one frame led to.

    Attributes:
        observations: of the tracks that have a name, or are nobody's, and were seen in it or are over.
        again: whether the frame shows a face that must be recognised and was only detected: ask with `Tracker.recognise`,
            and update with the answer.
        faces: the track of each face that counts, and its box: x1, y1, x2, y2 in pixels of the whole picture.
    """

    observations: tuple[Observation, ...]
    again: bool = False
    faces: tuple[tuple[int, tuple[float, float, float, float]], ...] = ()


@dataclass(slots=True, eq=False)
class _Track:
    number: int
    box: Floats
    first: float
    last: float
    frames: int = 1
    descriptor: Floats | None = None
    votes: dict[str | None, float] = field(default_factory=dict)
    agreed: dict[str | None, int] = field(default_factory=dict)
    best: dict[str | None, Match] = field(default_factory=dict)
    shots: list[Shot] = field(default_factory=list)
    counted: float = float("-inf")  # when it was recognised last, in a moment of its own
    looks: int = 0  # such moments
    confirmed: bool = False
    who: str | None = None
    recognised: float = float("-inf")
    grade: float = float("-inf")
    version: int = 0


class Tracker:
    """The tracks of one camera. Used from one thread at a time.

    Args:
        camera: whose frames come.
        network: that makes the descriptors.
        played: whether times are positions in the source (a video), not of the clock.
    """

    def __init__(self, camera: Camera, network: str, *, played: bool = False) -> None:
        from scipy.optimize import linear_sum_assignment

        self._assign: Callable[..., Any] = linear_sum_assignment
        self._camera = camera
        self._network = network
        self._played = played
        self._tracks: list[_Track] = []
        self._next = 0
        self._patience = max(PATIENCE, 4 / camera.fps)

    def photo(self, frame: Frame) -> Photo:
        """Return what to ask of a frame: who is in it, or only where faces are, where all that were there are known."""
        now = self._time(frame)
        if self._tracks and all(self._known(each) and now - each.recognised < FRESH for each in self._tracks):
            return Photo(frame.data, self._camera.min_face_size, embed=False, background=True)
        return self.recognise(frame)

    def recognise(self, frame: Frame, faces: Faces | None = None) -> Photo:
        """Return the question who is in a frame, where faces were found in it before, who these are."""
        query = Query(self._camera.gallery, None, None, 1, self._camera.quality)
        least = self._camera.min_face_size
        return Photo(frame.data, least, embed=True, crops=True, query=query, background=True, faces=faces)

    def update(self, frame: Frame, seen: Seen) -> Update:
        """Take in what is in a frame. Raises what the gallery answered, where that is an error."""
        if isinstance(seen.matched, Exception):
            raise seen.matched
        now = self._time(frame)
        boxes = seen.faces.boxes + np.tile(np.asarray(frame.offset, np.float32), 2)
        here = np.flatnonzero(_inside(boxes, self._camera.regions, frame) & ~_nested(boxes))
        grades = policies.grades(seen.quality, seen.faces.confidence).min(axis=1)
        pairs = self._assigned(boxes[here], None if seen.descriptors is None else seen.descriptors[here], seen)
        if seen.descriptors is None and not self._settled(pairs, grades[here]):
            return Update((), again=True)
        changed = []
        for place, known in zip(here.tolist(), pairs, strict=True):
            track = known or self._begun(boxes[place], now)
            track.box, track.last, track.frames = boxes[place], now, track.frames + 1
            self._recognised(track, seen, place, float(grades[place]), now)
            changed.append(track)
        observed = [self._observation(track) for track in changed if track.confirmed]
        faces = tuple((track.number, (*map(float, track.box),)) for track in changed)
        return Update((*observed, *self.idle(now)), faces=faces)  # type: ignore[arg-type]

    def idle(self, now: float) -> tuple[Observation, ...]:
        """End the tracks that were not seen for long: call it also when no frame comes.

        Args:
            now: in the time of the frames.
        """
        return self._ended([each for each in self._tracks if now - each.last > self._patience])

    def close(self) -> tuple[Observation, ...]:
        """End all tracks."""
        return self._ended(list(self._tracks))

    def _begun(self, box: Floats, now: float) -> _Track:
        track = _Track(self._next, box, now, now, frames=0)
        self._tracks.append(track)
        self._next += 1
        return track

    def _ended(self, over: Sequence[_Track]) -> tuple[Observation, ...]:
        self._tracks = [each for each in self._tracks if each not in over]
        return tuple(self._observation(each, ended=True) for each in over if each.confirmed)

    def _time(self, frame: Frame) -> float:
        return frame.position if self._played else frame.at

    def _assigned(self, boxes: Floats, descriptors: Floats | None, seen: Seen) -> list[_Track | None]:
        """Return the track of each face, None for a new one."""
        found: list[_Track | None] = [None] * len(boxes)
        if not self._tracks or not len(boxes):
            return found
        before = np.stack([track.box for track in self._tracks])
        shared = overlap(boxes, before)
        score, allowed = shared.astype(np.float64), shared >= _OVERLAP
        if descriptors is None or not isinstance(seen.matched, Matched):
            close = _close(boxes, before)
            allowed |= close
            score += 0.1 * close
        else:
            alike, known = self._similarities(descriptors)
            wanted = seen.matched.threshold
            # How far below the threshold two looks at one person may be, on the scale of the network.
            least = wanted - _SLACK * (1 - wanted)
            unlike = known & (alike < least)
            allowed = (allowed | (known & (alike >= wanted)) | (_close(boxes, before) & (alike >= least))) & ~unlike
            score += np.where(known, np.clip((alike - least) / (1 - least), 0, 1), 0)
        rows, columns = self._assign(np.where(allowed, score, -1.0), maximize=True)
        for row, column in zip(rows, columns, strict=True):
            if allowed[row, column]:
                found[row] = self._tracks[column]
        return found

    def _similarities(self, descriptors: Floats) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        known = np.array([track.descriptor is not None for track in self._tracks])
        alike = np.full((len(descriptors), len(self._tracks)), -1.0)
        if known.any():
            rows = np.stack([track.descriptor for track in self._tracks if track.descriptor is not None])
            alike[:, known] = descriptors @ rows.T
        return alike, np.broadcast_to(known, alike.shape)

    def _known(self, track: _Track) -> bool:
        """Whether another look soon would tell nothing new: it has a name, or was too poor for one often enough."""
        poor = track.grade < policies.LEAST["standard"]
        return track.confirmed or (poor and track.looks >= 3 * self._camera.confirm)

    def _settled(self, pairs: Sequence[_Track | None], grades: Floats) -> bool:
        """Whether every face that was only detected belongs to a known track, and none is a better look than all before."""
        tracks = zip(pairs, grades.tolist(), strict=True)
        return all(
            track is not None and self._known(track) and grade < track.grade + _BETTER for track, grade in tracks
        )

    def _recognised(self, track: _Track, seen: Seen, place: int, grade: float, now: float) -> None:
        if seen.descriptors is None or not isinstance(seen.matched, Matched):
            return
        match, descriptor = seen.matched.matches[place], seen.descriptors[place]
        track.recognised, track.version = now, seen.matched.version
        apart = now - track.counted >= _APART
        if apart:
            track.counted, track.looks = now, track.looks + 1
        if match.poor:
            return
        mixed = descriptor if track.descriptor is None else track.descriptor + descriptor * max(grade, _LEAST_WEIGHT)
        track.descriptor = np.asarray(mixed / np.linalg.norm(mixed), np.float32)
        track.grade = max(track.grade, grade)
        crop = seen.crops[place] if seen.crops is not None else None
        track.shots = sorted([*track.shots, Shot(descriptor, crop, grade)], key=lambda shot: -shot.grade)[:SHOTS]
        self._vote(track, match, min(max(grade, _LEAST_WEIGHT), 1.0), apart=apart)

    def _vote(self, track: _Track, match: Match, weight: float, *, apart: bool) -> None:
        key = match.person_id
        for other in track.votes:
            track.votes[other] *= _FADING
        track.votes[key] = track.votes.get(key, 0.0) + weight
        track.agreed[key] = track.agreed.get(key, 0) + apart
        if key not in track.best or match.similarity > track.best[key].similarity:
            track.best[key] = match
        winner = max(track.votes, key=lambda each: track.votes[each])
        # It takes more to be nobody: it may be no face at all, or one that is too poor to be named.
        wanted = self._camera.confirm + (winner is None)
        agrees = track.agreed[winner] >= wanted and (winner is not None or track.grade >= policies.LEAST["standard"])
        if agrees and track.votes[winner] >= _MAJORITY * sum(track.votes.values()):
            track.confirmed, track.who = True, winner

    def _observation(self, track: _Track, *, ended: bool = False) -> Observation:
        match = track.best[track.who]
        return Observation(
            track.number,
            track.who,
            NOT_IN_DATASET if track.who is None else match.name,
            None if track.who is None else match.similarity,
            track.first,
            track.last,
            track.frames,
            tuple(track.shots),
            ended,
            self._network,
            track.version,
        )


def _close(boxes: Floats, others: Floats) -> NDArray[np.bool_]:
    """Say which boxes are so near to which others, and as large, that they may be one face a moment later."""
    widths, before = (np.maximum(each[:, 2] - each[:, 0], 1) for each in (boxes, others))
    centres, were = ((each[:, :2] + each[:, 2:]) / 2 for each in (boxes, others))
    away = np.linalg.norm(centres[:, None] - were[None], axis=2)
    ratio = widths[:, None] / before[None]
    return np.asarray(
        (away <= _NEAR * np.minimum(widths[:, None], before[None])) & (abs(np.log(ratio)) <= np.log(_RATIO))
    )


def _nested(boxes: Floats) -> NDArray[np.bool_]:
    """Say which boxes lie in a larger one: an eye or a forehead that was taken for a face of its own."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return np.asarray(((overlap(boxes, boxes, "min") > _NESTED) & (areas[:, None] < areas[None])).any(axis=1))


def _inside(boxes: Floats, regions: Sequence[Region], frame: Frame) -> NDArray[np.bool_]:
    """Say which boxes have their centre in a region, by the number of edges to its right (even-odd rule)."""
    if not regions:
        return np.ones(len(boxes), bool)
    x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2 / (frame.width, frame.height)).T
    inside = np.zeros(len(boxes), bool)
    for region in regions:
        odd = np.zeros(len(boxes), bool)
        for (x1, y1), (x2, y2) in zip(region, (*region[1:], region[0]), strict=True):
            crosses = (y1 > y) != (y2 > y)
            slope = (x2 - x1) / (y2 - y1) if y1 != y2 else 0.0
            odd ^= crosses & (x < x1 + slope * (y - y1))
        inside |= odd
    return inside
