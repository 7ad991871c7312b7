"""Tracks the faces in one camera's frames, and recognises each over several frames.

A face belongs to the track that it overlaps and resembles most (`facegroup.cameras.sightings.association`). A track has a
name when enough views agree (`facegroup.cameras.sightings.track`). Faces are recognised again only when that pays: in the
frames between they are only detected.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low

import numpy as np
from numpy.typing import NDArray

from facegroup.cameras.sightings.association import Association, nested
from facegroup.cameras.sightings.track import SHOTS, Track
from facegroup.cameras.sightings.types import Observation
from facegroup.cameras.sources.regions import inside
from facegroup.cameras.types import Camera, Frame
from facegroup.pipeline import quality_policies
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult, Query
from facegroup.types import Faces, Floats

__all__ = ["FRESH", "PATIENCE", "SHOTS", "Tracker", "Update"]

PATIENCE = 2.0
"""Seconds without a face after which a track is over; four frames if frames are rarer."""

LONGEST = 600.0
"""Seconds between two frames after which a track does not continue from one to the other."""

FRESH = 4.0
"""Seconds after which a track that has a name is recognised again."""

_GAPS = 5


@dataclass(frozen=True, slots=True)
class Update:
    """Class that holds the result of one frame.

    Attributes:
        observations: of the confirmed tracks that are in the frame, or are over.
        again: whether a face must be recognised that was only detected. Then send `Tracker.recognise`, and update again.
        faces: track and box of each face that counts: x1, y1, x2, y2 in pixels of the whole picture.
    """

    observations: tuple[Observation, ...]
    again: bool = False
    faces: tuple[tuple[int, tuple[float, float, float, float]], ...] = ()


class Tracker:
    """Class that tracks the faces of one camera. Use it from one thread at a time.

    Args:
        camera: that the frames are of.
        network: that makes the descriptors.
        played: whether times are positions in the source (a video), not of the clock.
    """

    def __init__(self, camera: Camera, network: str, *, played: bool = False) -> None:
        self._camera = camera
        self._network = network
        self._played = played
        self._association = Association()
        self._tracks: list[Track] = []
        self._next = 0
        self._looked: float | None = None  # when the last frame was
        self._gaps: deque[float] = deque(maxlen=_GAPS)  # between analysed frames

    def photo(self, frame: Frame) -> Photo:
        """Return what to send of a frame: to recognise its faces, or only to detect them if all tracks are known."""
        now = self._time(frame)
        if self._tracks and all(self._fresh(each, now) for each in self._tracks):
            return Photo(frame.data, frame.smallest(self._camera), embed=False, background=True)
        return self.recognise(frame)

    def recognise(self, frame: Frame, faces: Faces | None = None) -> Photo:
        """Return what to send of a frame to recognise its faces; `faces` are those that were detected in it already."""
        query = Query(self._camera.gallery, None, None, 1, self._camera.quality, over_track=True)
        least = frame.smallest(self._camera)
        return Photo(frame.data, least, embed=True, crops=True, query=query, background=True, faces=faces)

    def update(self, frame: Frame, seen: PhotoResult) -> Update:
        """Update the tracks with the faces of a frame. Raises the error that the gallery answered with, if it did."""
        if isinstance(seen.matched, Exception):
            raise seen.matched
        now = self._time(frame)
        gaps = self._with(now)
        boxes = seen.faces.boxes + np.tile(np.asarray(frame.offset, np.float32), 2)
        centres = np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2 / (frame.width, frame.height), np.float32)
        here = np.flatnonzero(inside(centres, self._camera.regions) & ~nested(boxes))
        grades = quality_policies.grades(seen.quality, seen.certainty).min(axis=1)
        waiting = [each for each in self._tracks if now - each.last <= self._visit(gaps)]
        pairs = self._paired(waiting, boxes[here], seen, here, now)
        if seen.descriptors is None and not _settled(pairs, grades[here], now):
            return Update((), again=True)
        self._looked, self._gaps = now, gaps
        changed = []
        for place, known in zip(here.tolist(), pairs, strict=True):
            track = known or self._begun(boxes[place], now, 0.0 if self._played else frame.at - now)
            track.found(boxes[place], now)
            if seen.descriptors is not None and isinstance(seen.matched, PhotoMatches):
                crop = seen.crops[place] if seen.crops is not None else None
                match, descriptor = seen.matched.matches[place], seen.descriptors[place]
                live = None if seen.liveness is None else seen.liveness.score(place)
                about = seen.matched.version, live, seen.matched.live_above
                track.look(match, descriptor, crop, float(grades[place]), *about)
            changed.append(track)
        patience = self._visit(gaps)
        observed = [track.observation(self._network, patience) for track in changed if track.confirmed]
        faces = tuple((track.number, (*map(float, track.box),)) for track in changed)
        return Update((*observed, *self.idle(now)), faces=faces)  # type: ignore[arg-type]

    def idle(self, now: float) -> tuple[Observation, ...]:
        """End the tracks that were not seen for long. Call it also when no frame comes.

        A track that was in the last frame waits for the next one: its face may still be there.

        Args:
            now: seconds in the time of the frames.
        """
        return self._ended([each for each in self._tracks if now - each.last > self._waits(each)])

    def close(self) -> tuple[Observation, ...]:
        """End all tracks."""
        return self._ended(list(self._tracks))

    def _waits(self, track: Track) -> float:
        """Return the seconds that a track may continue without a face."""
        visit = self._visit(self._gaps)
        if track.last == self._looked:
            return visit if self._gaps else max(visit, LONGEST)
        return min(visit, max(PATIENCE, 4 * median_low(self._gaps))) if self._gaps else PATIENCE

    def _visit(self, gaps: Sequence[float]) -> float:
        """Return the seconds without a detection after which a person has left: two frames must be analysed meanwhile."""
        return max(self._camera.cooldown, 2.5 * median_low(gaps)) if gaps else self._camera.cooldown

    def _with(self, now: float) -> deque[float]:
        """Return the gaps, with the one before the present frame."""
        gap = 0.0 if self._looked is None else now - self._looked
        return deque([*self._gaps, gap], _GAPS) if 0 < gap <= LONGEST else self._gaps

    def _fresh(self, track: Track, now: float) -> bool:
        """Return whether a face at a track's place needs no recognition."""
        return track.known(now) and now - track.recognised < FRESH and now - track.last <= PATIENCE

    def _begun(self, box: Floats, now: float, shift: float) -> Track:
        track = Track(self._next, self._camera.confirm, now, shift, box)
        self._tracks.append(track)
        self._next += 1
        return track

    def _ended(self, over: Sequence[Track]) -> tuple[Observation, ...]:
        self._tracks = [each for each in self._tracks if each not in over]
        patience = self._visit(self._gaps)
        return tuple(each.observation(self._network, patience, ended=True) for each in over if each.confirmed)

    def _time(self, frame: Frame) -> float:
        return frame.position if self._played else frame.received

    def _paired(
        self, tracks: Sequence[Track], boxes: Floats, seen: PhotoResult, here: NDArray[np.intp], now: float
    ) -> list[Track | None]:
        """Return the track of each face; None for a new one."""
        if not tracks or not len(boxes):
            return [None] * len(boxes)
        before = np.stack([track.box for track in tracks])
        if seen.descriptors is None or not isinstance(seen.matched, PhotoMatches):
            found = self._association.by_place(boxes, before)
        else:
            alike = np.full((len(boxes), len(tracks)), np.nan, np.float32)
            for column, track in enumerate(tracks):
                if track.descriptor is not None:
                    alike[:, column] = seen.descriptors[here] @ track.descriptor
            away = np.array([now - track.last > PATIENCE for track in tracks])
            found = self._association.by_descriptor(boxes, before, alike, seen.matched.between_photos, away)
        return [None if each is None else tracks[each] for each in found]


def _settled(pairs: Sequence[Track | None], grades: Floats, now: float) -> bool:
    """Return whether each detected face belongs to a known track, and none is a much better view than before."""
    return all(
        track is not None and track.known(now) and (track.just_seen(now) or not track.better(grade))
        for track, grade in zip(pairs, grades.tolist(), strict=True)
    )
