"""One sighting while it is open, from its first observation to its end.

A transition returns the next state and leaves the one before as it is, so that a write that fails changes nothing. Stored
times follow the time of day. Observations follow a steady clock: `OpenSighting.shift` is the difference.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from facegroup.cameras.sightings.journal import NewEvent
from facegroup.cameras.sightings.strangers import best
from facegroup.cameras.sightings.types import Observation, Shot, Sighting, Unknown
from facegroup.cameras.types import Camera

NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Identity:
    """Class that identifies a member of a gallery, or a stranger to it."""

    gallery: str
    member: bool
    id: str

    @classmethod
    def of(cls, sighting: Sighting) -> Self:
        """Return the identity that a sighting shows."""
        return cls(sighting.gallery, sighting.person_id is not None, sighting.person_id or sighting.unknown or "")

    def put_on(self, sighting: Sighting, name: str) -> Sighting:
        """Return a sighting with this identity; a stranger's name is the id."""
        if self.member:
            return replace(sighting, person_id=self.id, unknown=None, name=name)
        return replace(sighting, person_id=None, unknown=self.id, name=self.id)


class Stay(NamedTuple):
    """Class that holds when a person was at a camera, by the clock of the observations, and on which visit."""

    visit_id: str
    first: float
    last: float

    def gap(self, seen: Observation) -> float:
        """Return the seconds between the stay and an observation elsewhere; negative if they overlap."""
        return max(self.first - seen.last_seen, seen.first_seen - self.last)


@dataclass(frozen=True, slots=True)
class OpenSighting:
    """Class that holds the state of an open sighting.

    Attributes:
        sighting: as it will be written.
        cooldown: seconds without an observation before it ends.
        shift: seconds by which its stored times are ahead of those of observations.
        since: when it began, if a track of it is older because it belonged to a sighting that ended.
        tracks: frames of each track that goes on, by number.
        frames: total of the tracks that are over.
        grade: of the best crop.
        crop: JPEG that is better than the written one; None writes nothing.
        shots: the best of a stranger's tracks that are over.
        dirty: whether something of it is not written yet.
    """

    sighting: Sighting
    cooldown: float
    shift: float = 0.0
    since: float = NEVER
    tracks: Mapping[int, int] = field(default_factory=dict)
    frames: int = 0
    grade: float = NEVER
    crop: bytes | None = None
    shots: tuple[Shot, ...] = ()
    dirty: bool = False

    @classmethod
    def begun(cls, camera: Camera, identity: Identity, seen: Observation, visit_id: str | None, *, again: bool) -> Self:
        """Return a new sighting, without the observation that it begins with.

        Args:
            camera: that saw it.
            identity: of the person.
            seen: the first observation.
            visit_id: of the visit that it goes on with; None begins a visit.
            again: whether an earlier sighting held the track, and ended while the face was not seen.
        """
        since = seen.last_seen if again else seen.first_seen
        sighting = Sighting(
            id=uuid.uuid4().hex,
            camera=camera.id,
            gallery=camera.gallery,
            person_id=None,
            unknown=None,
            name="",
            first_seen=since + seen.shift,
            last_seen=seen.last_seen + seen.shift,
            frames=0,
            similarity=None,
            visit_id=visit_id or uuid.uuid4().hex,
        )
        made = cls(identity.put_on(sighting, seen.name), camera.cooldown, seen.shift)
        return replace(made, since=since, frames=1 - seen.frames) if again else made

    @classmethod
    def restored(cls, sighting: Sighting, cooldown: float, now: float) -> Self:
        """Return the state of a sighting that was open when the server stopped."""
        # If it was seen later than now, the clock was set back.
        return cls(sighting, cooldown, max(0.0, sighting.last_seen - now), frames=sighting.frames)

    @property
    def last(self) -> float:
        """When the person was seen last, by the clock of the observations."""
        return self.sighting.last_seen - self.shift

    @property
    def stay(self) -> Stay:
        """What links a sighting by another camera to it."""
        return Stay(self.sighting.visit_id, self.sighting.first_seen - self.shift, self.last)

    def observed(self, camera: Camera, seen: Observation, similarity: float | None) -> Self:
        """Return it after an observation of one of its tracks."""
        known, tracks, frames, shots = self.sighting, {**self.tracks, seen.track: seen.frames}, self.frames, self.shots
        cooldown = max(camera.cooldown, seen.patience)
        crop = seen.shots[0].crop if camera.snapshots and seen.shots else None
        better = crop is not None and seen.shots[0].grade > self.grade
        sighting = replace(
            known,
            first_seen=min(known.first_seen, max(self.since, seen.first_seen) + self.shift),
            last_seen=max(known.last_seen, seen.last_seen + self.shift),
            frames=frames + sum(tracks.values()),
            similarity=max((each for each in (known.similarity, similarity) if each is not None), default=None),
            crop=known.crop or crop is not None,
            patience=cooldown,
            liveness=known.liveness if seen.liveness is None else seen.liveness,
        )
        if seen.ended:
            frames += tracks.pop(seen.track)
            if not known.person_id:
                shots = best((*shots, *seen.shots))
        after = replace(
            self, sighting=sighting, cooldown=cooldown, tracks=tracks, frames=frames, shots=shots, dirty=True
        )
        return replace(after, grade=seen.shots[0].grade, crop=crop) if better else after

    def renamed(self, identity: Identity, name: str) -> Self:
        """Return it as the sighting of another person, whom its track turned out to be."""
        return replace(self, sighting=replace(identity.put_on(self.sighting, name), similarity=None))

    def promoted(self, member: Identity, name: str) -> Self:
        """Return a stranger's sighting as the member's whom the stranger became."""
        return replace(self, sighting=member.put_on(self.sighting, name), dirty=True, shots=())

    def merged(self, other: "OpenSighting") -> Self:
        """Return it with the tracks of another one, of the same person."""
        return replace(self, tracks={**self.tracks, **other.tracks})

    def held_only_by(self, track: int) -> bool:
        """Return whether no other track goes on in it."""
        return self.tracks.keys() <= {track}

    def released(self, track: int) -> Self:
        """Return it without a track that belongs to another person."""
        return replace(self, tracks={number: frames for number, frames in self.tracks.items() if number != track})

    def restarted(self) -> Self:
        """Return it with its tracks over: the tracker numbers its tracks from the start."""
        return replace(self, frames=self.frames + sum(self.tracks.values()), tracks={})

    def written(self, sighting: Sighting | None = None) -> Self:
        """Return it with nothing left to write; `sighting` is the written one if it got the number of an event."""
        return replace(self, sighting=sighting or self.sighting, dirty=False, crop=None)

    def end(self, unknown: Unknown | None = None) -> NewEvent:
        """Return the event of its end; `unknown` is the new state of its stranger, if that changed."""
        return NewEvent("ended", replace(self.sighting, open=False), self.crop, unknown)
