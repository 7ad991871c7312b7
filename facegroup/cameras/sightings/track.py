"""One face over several frames: its views vote for a person, and the best of them are kept."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from facegroup.cameras.sightings.types import Observation, Shot
from facegroup.pipeline import quality_policies
from facegroup.types import NOT_IN_DATASET, Floats, Match

SHOTS = 5
"""Views that are kept of a track: the best."""

SCORED = 8
"""Views over which the liveness of a track is averaged: the last."""

_BETTER = 0.2  # by which a face's grade must exceed the best so far to be recognised at once
_FADING = 0.9  # factor of earlier votes, with each new vote
_MAJORITY = 0.6
_APART = 0.18  # least seconds between two views that count as two
_LEAST_WEIGHT = 0.1
_NEVER = float("-inf")


@dataclass(slots=True, eq=False)
class Track:
    """Class that follows one face.

    Every view that is good enough to be named votes for a person, or for nobody. Votes are weighed by grade, and earlier
    votes fade. The track gets a name when enough views agree and have a majority of 60 %. It keeps the name until another
    one has that, so that a close vote does not change it to and fro. Where faces must be live, it gets a name only while the
    mean score of its last views says so, of at least as many views as must agree.

    Attributes:
        number: unique for the tracker.
        confirm: views that must agree.
        first: seconds of its first frame.
        shift: seconds by which the time of day was ahead then.
        box: (4,) float32, the latest: x1, y1, x2, y2 in pixels of the whole picture.
        last: seconds of its last frame.
        frames: number of frames with the face.
        descriptor: (d,) float32 of unit length; None if no view was good enough.
        confirmed: whether it has a name, or is confirmed as a stranger.
        recognised: seconds of the last view that was recognised.
    """

    number: int
    confirm: int
    first: float
    shift: float
    box: Floats
    last: float = _NEVER
    frames: int = 0
    descriptor: Floats | None = None
    confirmed: bool = False
    recognised: float = _NEVER
    _who: str | None = None
    _votes: dict[str | None, float] = field(default_factory=dict)
    _agreed: dict[str | None, int] = field(default_factory=dict)
    _best: dict[str | None, Match] = field(default_factory=dict)
    _shots: list[tuple[int, Shot]] = field(default_factory=list)  # with the moment of each
    _moment: float = _NEVER  # when the last moment of views began
    _moments: int = 0
    _grade: float = _NEVER  # of the best view that voted
    _looked: float = _NEVER  # of the best view at all
    _version: int = 0
    _liveness: deque[float] = field(default_factory=lambda: deque(maxlen=SCORED))
    _live_above: float | None = None

    def found(self, box: Floats, at: float) -> None:
        """Note that the face was found in a frame."""
        self.box, self.last, self.frames = box, at, self.frames + 1

    def look(
        self,
        match: Match,
        descriptor: Floats,
        crop: bytes | None,
        grade: float,
        version: int,
        liveness: float | None = None,
        live_above: float | None = None,
    ) -> None:
        """Add the recognition of the face in the frame of the last `found`.

        Args:
            match: the gallery's decision.
            descriptor: (d,) float32 of unit length.
            crop: as JPEG.
            grade: quality of the face: the lowest of its grades.
            version: of the gallery.
            liveness: how live the face is; None if it has no score.
            live_above: the mean score that the track must exceed to be named; None: it need not be live.
        """
        self._live_above = live_above
        if liveness is not None:
            self._liveness.append(liveness)
        self.recognised, self._version, self._looked = self.last, version, max(self._looked, grade)
        apart = not self.just_seen(self.last)
        if apart:
            self._moment, self._moments = self.last, self._moments + 1
        if match.poor:
            return
        weight = max(grade, _LEAST_WEIGHT)
        mixed = descriptor if self.descriptor is None else self.descriptor + descriptor * weight
        self.descriptor = np.asarray(mixed / np.linalg.norm(mixed), np.float32)
        self._grade = max(self._grade, grade)
        self._keep(Shot(descriptor, crop, grade, liveness))
        self._vote(match, min(weight, 1.0), apart=apart)

    def just_seen(self, now: float) -> bool:
        """Return whether it was recognised in the same moment, so that another view counts for nothing."""
        return now - self._moment < _APART

    def known(self, now: float) -> bool:
        """Return whether recognition is of no use.

        It has a name, was often too poor for one or not live, or was just recognised.
        """
        hopeless = self._grade < quality_policies.LEAST["standard"] or not self.live
        return self.confirmed or self.just_seen(now) or (hopeless and self._moments >= 3 * self.confirm)

    @property
    def liveness(self) -> float | None:
        """Mean score of the last views; None if none was scored."""
        return sum(self._liveness) / len(self._liveness) if self._liveness else None

    @property
    def live(self) -> bool:
        """Whether it may have a name: it need not be live, or is, as enough views say."""
        if self._live_above is None:
            return True
        return len(self._liveness) >= min(self.confirm, SCORED) and (self.liveness or 0) > self._live_above

    def better(self, grade: float) -> bool:
        """Return whether a face of this grade is worth recognition in any case."""
        return grade >= self._looked + _BETTER

    def observation(self, network: str, patience: float, *, ended: bool = False) -> Observation:
        """Return the state of a confirmed track.

        Args:
            network: that made the descriptors.
            patience: see `Observation`.
            ended: whether the track is over.
        """
        match = self._best[self._who]
        return Observation(
            self.number,
            self._who,
            NOT_IN_DATASET if self._who is None else match.name,
            None if self._who is None else match.similarity,
            self.first,
            self.last,
            self.frames,
            tuple(shot for _, shot in self._shots),
            ended,
            network,
            self._version,
            self.shift,
            patience,
            self.liveness,
        )

    def _keep(self, shot: Shot) -> None:
        """Keep the best view of each moment, and of these the best."""
        rivals = [each for moment, each in self._shots if moment == self._moments]
        if rivals and rivals[0].grade >= shot.grade:
            return
        kept = [each for each in self._shots if each[0] != self._moments]
        self._shots = sorted([*kept, (self._moments, shot)], key=lambda each: -each[1].grade)[:SHOTS]

    def _vote(self, match: Match, weight: float, *, apart: bool) -> None:
        who = match.person_id
        for other in self._votes:
            self._votes[other] *= _FADING
        self._votes[who] = self._votes.get(who, 0.0) + weight
        self._agreed[who] = self._agreed.get(who, 0) + apart
        if who not in self._best or match.deciding > self._best[who].deciding:
            self._best[who] = match
        winner = max(self._votes, key=lambda each: self._votes[each])
        # A stranger needs one view more: it may not be a face, or be too poor to be named.
        wanted = self.confirm + (winner is None)
        agrees = self._agreed[winner] >= wanted and (
            winner is not None or self._grade >= quality_policies.LEAST["standard"]
        )
        if agrees and self.live and self._votes[winner] >= _MAJORITY * sum(self._votes.values()):
            self.confirmed, self._who = True, winner
