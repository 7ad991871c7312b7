"""The strangers of all galleries: finds the one who comes back, and numbers the one who is new."""

from collections.abc import Callable, Collection

from facegroup.cameras.sightings.journal import Journal
from facegroup.cameras.sightings.strangers import KEPT, Strangers, grown, mean, return_threshold
from facegroup.cameras.sightings.types import Observation, Sighting, Unknown
from facegroup.cameras.types import Camera
from facegroup.errors import StoreInvalid, UnknownStranger
from facegroup.types import Floats


class StrangerMatcher:
    """Class that matches observations to strangers. Descriptors are compared within a gallery, a network and a dimension.

    Args:
        journal: that holds the strangers with their shots.
        least: similarity at which a face is a known stranger; None uses the gallery's threshold.
        threshold: of a gallery: what the similarity of a face and a person must exceed.
    """

    def __init__(self, journal: Journal, least: float | None, threshold: Callable[[str], float]) -> None:
        self._journal = journal
        self._least = least
        self._threshold = threshold
        self._groups: dict[tuple[str, str, int], Strangers] = {}  # gallery, network, dimension
        for unknown in journal.unknowns():
            self.put(unknown)

    def match(self, camera: Camera, seen: Observation, here: Collection[str]) -> tuple[Unknown, float | None]:
        """Return the stranger of an observation as they are with it, and the similarity to before; None for a new one.

        Args:
            camera: that made the observation.
            seen: observation of a person who is not a member.
            here: ids of strangers who are in front of the camera: they need less similarity.
        """
        descriptor = mean(seen.shots)
        strangers = self._group(camera.gallery, seen.network, len(descriptor))
        nearest = self._nearest(camera.gallery, strangers, descriptor, here)
        if nearest is not None:
            known = self.stored(camera.gallery, nearest[0].id)
            if known is not None:
                visits = 0 if known.id in here else 1
                return grown(known, seen.shots, seen.last_seen + seen.shift, visits), nearest[1]
            strangers.remove(nearest[0].id)
        first, last = seen.first_seen + seen.shift, seen.last_seen + seen.shift
        name, shots = self._journal.next_unknown(camera.gallery), tuple(seen.shots[:KEPT])
        return Unknown(name, camera.gallery, seen.network, descriptor, 1, first, last, shots), None

    def stored(self, gallery: str, unknown: str) -> Unknown | None:
        """Return a stranger with shots; None if the journal has none, or cannot read them."""
        try:
            return self._journal.unknown(gallery, unknown)
        except (UnknownStranger, StoreInvalid):
            return None

    def mistaken(self, sighting: Sighting) -> str | None:
        """Return the stranger who exists only because of this sighting, if there is one: it is of another person."""
        for (gallery, *_), strangers in self._groups.items():
            known = strangers.get(sighting.unknown or "") if gallery == sighting.gallery else None
            if known is not None and known.visits <= 1:
                return known.id
        return None

    def put(self, unknown: Unknown) -> None:
        """Add a stranger, or replace the one with this id."""
        self._group(unknown.gallery, unknown.network, len(unknown.centroid)).put(unknown)

    def forget(self, gallery: str, unknown: str | None = None) -> None:
        """Forget one stranger; None forgets all of the gallery."""
        if unknown is None:
            self._groups = {key: each for key, each in self._groups.items() if key[0] != gallery}
            return
        for (name, *_), strangers in self._groups.items():
            if name == gallery:
                strangers.remove(unknown)

    def _nearest(
        self, gallery: str, strangers: Strangers, descriptor: Floats, here: Collection[str]
    ) -> tuple[Unknown, float] | None:
        threshold = self._threshold(gallery) if self._least is None else self._least
        nearest = strangers.nearest(descriptor)
        if nearest is not None and nearest[1] >= (return_threshold(threshold) if self._least is None else threshold):
            return nearest
        nearest = strangers.nearest(descriptor, here)
        return nearest if nearest is not None and nearest[1] >= threshold else None

    def _group(self, gallery: str, network: str, dimension: int) -> Strangers:
        return self._groups.setdefault((gallery, network, dimension), Strangers())
