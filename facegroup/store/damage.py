"""Damaged values of a store: each is logged once, by its key, skipped, and counted until it is repaired.

A message says what is wrong with a value, and never contains the value, which may be a descriptor.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

log = logging.getLogger(__name__)


_CROP = "crop of "


@dataclass(frozen=True, slots=True)
class Skipped:
    """Class of the ids of people whose record cannot be read, of samples, each after its person's id, and of the cohort."""

    people: tuple[str, ...] = ()
    samples: tuple[tuple[str, str], ...] = ()
    cohort: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.people or self.samples or self.cohort)


class Damage:
    """Class of the damaged values that one store has met. Used from several threads."""

    def __init__(self) -> None:
        self._met: dict[str, dict[str, int]] = {}
        self._logged: set[tuple[str, int]] = set()
        self._lock = threading.Lock()

    def settle(self, gallery: str, version: int, read: Callable[[str], bool], bad: Mapping[str, str]) -> None:
        """Note what was found damaged, and that nothing else of what was read is.

        Args:
            gallery: its name.
            version: the gallery's version at which it was read: a value is logged once for each.
            read: whether a value of this key was read.
            bad: keys of damaged values, and what is wrong with each.
        """
        with self._lock:
            met = self._met.setdefault(gallery, {})
            for key in [key for key in met if key not in bad and read(key)]:
                del met[key]
            fresh = [key for key in bad if (key, version) not in self._logged]
            self._logged.difference_update({(key, old) for key, old in met.items() if key in bad and old != version})
            met.update(dict.fromkeys(bad, version))
            self._logged.update((key, version) for key in fresh)
            if not met:
                del self._met[gallery]
        for key in fresh:
            log.error("skipped a damaged value: %s: %s", key, bad[key])

    def count(self, gallery: str | None = None) -> int:
        """Return how many damaged values are known: of one gallery, or of all."""
        with self._lock:
            if gallery is not None:
                return len(self._met.get(gallery, ()))
            return sum(map(len, self._met.values()))

    def skipped(self, gallery: str) -> Skipped:
        """Return whose records of a gallery are known to be damaged.

        A centroid is none, since it comes of the samples, and neither is a crop: its sample comes without it.
        """
        with self._lock:
            keys = [key.rpartition(" ") for key in self._met.get(gallery, ()) if not key.startswith(_CROP)]
        ids = sorted({key.partition(":")[::2] for place, _, key in keys if "centroid" not in place})
        return Skipped(
            tuple(person for person, sample in ids if not sample),
            tuple((person, sample) for person, sample in ids if person and sample),
            tuple(member for person, member in ids if not person and member),
        )

    def forget(self, gallery: str, person_id: str | None = None, sample_id: str | None = None) -> None:
        """Forget a gallery that was erased, or what belonged to one person, or to one sample of theirs.

        A key ends with the person's id, or with it, a colon and a sample's id; that of a member of the cohort with a colon
        and the member's id.
        """

        def belongs(key: str) -> bool:
            person, _, sample = key.rpartition(" ")[2].partition(":")
            return person_id in (None, person) and sample_id in (None, sample)

        self._forget(gallery, belongs)

    def forget_crops(self, gallery: str) -> None:
        """Forget the crops of a gallery, which were erased."""
        self._forget(gallery, lambda key: key.startswith(_CROP))

    def forget_cohort(self, gallery: str, member: str | None = None) -> None:
        """Forget one member of a cohort that was erased, or (None) all."""

        def belongs(key: str) -> bool:
            end = key.rpartition(" ")[2]
            return end.startswith(":") and member in (None, end[1:])

        self._forget(gallery, belongs)

    def _forget(self, gallery: str, belongs: Callable[[str], bool]) -> None:
        with self._lock:
            met = self._met.get(gallery, {})
            for key in [key for key in met if belongs(key)]:
                del met[key]


def crop_key(key: str) -> str:
    """Return the key of a sample's crop, from that of the sample."""
    return _CROP + key
