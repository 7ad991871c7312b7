"""Migration of a gallery to another network: new descriptors from kept crops on a staging copy, then a switch in one step.

The new gallery grows on a staging copy while the old one serves and takes enrolments. It is brought level with the old one
person by person: first all, then those that the change log names, and the switch is made only if the old one is still
at the version that was caught up with. A person is done when the copy has them with the same date of change; so a
migration that was cut off needs nothing but to be started again. The copy is pinned to the fingerprint of the network that
embeds. One that other weights began is erased. What was replaced lies on the copy `previous`, and a
rollback is the same work from there: only samples that came since the switch are embedded.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from facegroup.errors import (
    MalformedRequest,
    MigrationIncomplete,
    NetworkMismatch,
    SwitchConflict,
    UnknownGallery,
    UnknownPerson,
)
from facegroup.store.audit import Event, Origin
from facegroup.store.calls import direct, run, waiting
from facegroup.store.cohort import LEAST, size
from facegroup.store.contract import Changes
from facegroup.store.paging import everybody
from facegroup.store.staging import StagingName, StagingStore, migration_copy, previous_copy
from facegroup.transfer.export_import import Tell, changed
from facegroup.transfer.reembedding import Embeds, Fault
from facegroup.types import DecisionRule, Floats, Gallery, Person, Sample

_BATCH = 32
_ROUNDS = 1000


@dataclass(frozen=True, slots=True)
class Missing:
    """Class of a sample without a descriptor of the new network, and why."""

    person_id: str
    sample_id: str
    why: Fault


@dataclass(frozen=True, slots=True)
class Migrated:
    """Class of the result of a migration: the gallery, the network before, samples embedded, and those left behind.

    `cohort_left` is how many members of the cohort are left behind: without their photos they cannot be embedded again.
    """

    gallery: Gallery
    before: str
    embedded: int
    missing: tuple[Missing, ...]
    cohort_left: int = 0


class Migration:
    """Class of the migration of one gallery. `run` can be interrupted at any time, and run again by another process.

    Args:
        store: where the gallery is.
        gallery: its name.
        network: the new network, and its dimension and threshold.
        embeds: opens the network, when there is something to embed.
        tell: called with the number of people done, those of an earlier run included.
        by: who makes the request, for the audit log.
        threshold: returns the threshold of a decision with the new network, which then is in place of that of `network`.
    """

    def __init__(
        self,
        store: StagingStore,
        gallery: str,
        network: Gallery,
        embeds: Callable[[], Embeds],
        tell: Tell = lambda count: None,
        by: Origin | None = None,
        threshold: Callable[[DecisionRule], float] | None = None,
    ) -> None:
        self._store = store
        self._old = store.gallery(gallery)
        self._name = self._old.name
        self._new = network
        self._open = embeds
        self._network: Embeds | None = None
        self._tell = tell
        self._missing: dict[str, list[Missing]] = {}
        self._embedded = 0
        self._back = False
        self._copy = network
        self._threshold = threshold
        self._by = by

    def run(self, *, drop_missing: bool = False) -> Migrated:
        """Migrate to the new network.

        Args:
            drop_missing: whether samples that cannot be embedded anew may be left behind.

        Raises:
            MalformedRequest: the gallery is of that network already, or there is no `threshold` of its decision.
            MigrationIncomplete: there are such samples, and they may not; nothing was switched. See `missing`. Or a cohort
                is to decide, and would have too few people. Or the decision was changed meanwhile.
            SwitchConflict: another migration or import was faster.
        """
        if self._old.network == self._new.network:
            raise MalformedRequest(f'The gallery "{self._name}" already uses {self._new.network}.')
        if not (self._old.keep_crops or drop_missing) and self._old.people:
            raise MigrationIncomplete(
                f'the gallery "{self._name}" keeps no crops to make descriptors from: enrol its photos anew, or leave '
                "the samples without a crop behind with --drop-missing"
            )
        old, copy = self._old, migration_copy(self._name)
        if self._threshold is not None:
            self._new = replace(self._new, threshold=self._threshold(old.decision))
        self._check_cohort(replace(old, cohort_size=0))
        new = replace(self._new, name=copy, created_at=old.created_at)
        if old.people:
            self._network = self._open()
            new = replace(new, detector=self._network.detector, fingerprint=self._network.fingerprint)
        with suppress(UnknownGallery):
            begun = self._store.gallery(copy)
            if not _comparable(begun, new):
                self._store.delete_gallery(copy)
        self._copy = self._store.create_gallery(new)
        self._store.update_gallery(copy, **self._settings(old))
        return self._switch(copy, drop_missing)

    def back(self, *, drop_missing: bool = False) -> Migrated:
        """Put back what the last switch took away, with what was enrolled, renamed and erased since.

        Threshold, calibration and decision are those of before.

        Raises:
            MalformedRequest: nothing is kept of before.
            MigrationIncomplete: samples that came since have no descriptor of the old network, and may not be lost.
            NetworkMismatch: such a sample would be embedded by other weights or another preprocessing than the others.
            SwitchConflict: another migration or import was faster.
        """
        copy = previous_copy(self._name)
        try:
            before = self._store.gallery(copy)
        except UnknownGallery:
            raise MalformedRequest(f'No earlier version of the gallery "{self._name}" is kept.') from None
        if before.network == self._old.network:
            raise MalformedRequest(f'The earlier version of the gallery "{self._name}" uses {before.network}, too.')
        self._back = True
        self._copy = before
        return self._switch(copy, drop_missing)

    @property
    def missing(self) -> tuple[Missing, ...]:
        """The samples that have no descriptor of the new network, as far as is known."""
        return tuple(each for rows in self._missing.values() for each in rows)

    def _switch(self, copy: StagingName, drop_missing: bool) -> Migrated:
        version = self._all(copy)
        for _ in range(_ROUNDS):
            now = self._store.gallery(self._name)
            if now.network != self._old.network:
                break
            there = self._begun(copy)
            if not self._back and now.decision != self._old.decision:
                raise MigrationIncomplete(
                    f'The decision of the gallery "{self._name}" was set to "{now.decision}" during the migration, and the '
                    f'new threshold is one of the decision "{self._old.decision}". Nothing was switched. Migrate again.'
                )
            settings = self._settings(now)
            if any(getattr(there, name) != value for name, value in settings.items()):
                self._store.update_gallery(copy, **settings)
                continue
            if now.version == version:
                if self._missing and not drop_missing:
                    raise MigrationIncomplete(
                        f"{len(self.missing)} of the samples cannot be embedded anew; nothing was switched. Enrol other "
                        "photos, or leave these samples behind with --drop-missing"
                    )
                if now.damaged and not drop_missing:
                    raise MigrationIncomplete(
                        f"{now.damaged} values of the gallery are damaged; nothing was switched. Mend them, or leave "
                        "them behind with --drop-missing (the log names them)"
                    )
                cohort = self._store.cohort(copy)
                left = len(set(self._store.cohort(self._name).ids) - set(cohort.ids))
                self._check_cohort(there)
                with suppress(SwitchConflict):
                    detail = {"from": now.network, "network": there.network, "left": len(self.missing)}
                    if left:
                        detail["cohort_left"] = left
                    event = Event("rolled_back" if self._back else "migrated", None, detail)
                    self._store.switch_gallery(self._name, copy, version, there.version, event, by=self._by)
                    after = self._store.gallery(self._name)
                    return Migrated(after, self._old.network, self._embedded, self.missing, left)
                continue
            changes = changed(self._store, self._name, version)
            if changes is None:
                version = self._all(copy)
                continue
            version, people = changes
            for person_id, person in people.items():
                if person is None:
                    self._erase(copy, person_id)
            self._bring(copy, [person for person in people.values() if person is not None])
        raise SwitchConflict(f'Another process switched the gallery "{self._name}", or it changes too fast. Try again.')

    def _begun(self, copy: StagingName) -> Gallery:
        """Return the copy that this migration began. Raises `SwitchConflict` where another one was put in its place."""
        with suppress(UnknownGallery):
            found = self._store.gallery(copy)
            if _comparable(found, self._copy):
                return found
        raise SwitchConflict(f'Another process migrates the gallery "{self._name}". Nothing was switched. Try again.')

    def _settings(self, now: Gallery) -> Changes:
        """Return the settings that the copy must have. A threshold is of one network and one decision: they go together."""
        settings: Changes = {
            "keep_crops": now.keep_crops,
            "unique": now.unique,
            "quality": now.quality,
            "probe_quality": now.probe_quality,
            "liveness": now.liveness,
        }
        if not self._back:
            settings |= {"decision": self._old.decision, "threshold": self._new.threshold}
        return settings

    def _check_cohort(self, gallery: Gallery) -> None:
        """Raise `MigrationIncomplete` if a cohort is to decide in a gallery, and has too few people."""
        if gallery.decision != "cohort":
            return
        people = run(size(waiting(direct(self._store)), gallery))
        if people < LEAST:
            if self._back:
                raise MigrationIncomplete(
                    f'The earlier version of the gallery "{self._name}" has the decision "cohort". Of the {LEAST} people '
                    f"that the decision needs, only {people} would be left. Enrol more people, then roll back, or "
                    f"migrate to {gallery.network}."
                )
            raise MigrationIncomplete(
                f'The gallery "{self._name}" has the decision "cohort", and its cohort cannot be embedded again without the '
                f"photos. Of the {LEAST} people that the decision needs, only {people} would be left. Set the "
                'decision "cosine", migrate, add the cohort again with the new network, then set "cohort".'
            )

    def _all(self, copy: StagingName) -> int:
        """Bring everybody level; return the version of the gallery before that."""
        version = self._store.version(self._name)
        there = everybody(self._store, copy)
        ahead = next(there, None)
        batch: list[Person] = []
        waiting = 0
        for person in everybody(self._store, self._name):
            while ahead is not None and ahead.id < person.id:
                self._erase(copy, ahead.id)
                ahead = next(there, None)
            done = None
            if ahead is not None and ahead.id == person.id:
                done, ahead = ahead, next(there, None)
            if done == person:
                self._tell(1)
                continue
            batch.append(person)
            waiting += max(1, person.samples + person.counters)
            if waiting >= _BATCH:
                self._bring(copy, batch)
                self._tell(len(batch))
                batch, waiting = [], 0
        self._bring(copy, batch)
        self._tell(len(batch))
        while ahead is not None:
            self._erase(copy, ahead.id)
            ahead = next(there, None)
        return version

    def _bring(self, copy: StagingName, people: list[Person]) -> None:
        """Write people to the copy as they are now; a sample that is there keeps its descriptor."""
        rows: list[tuple[Person, list[Sample], dict[str, Sample]]] = []
        for person in people:
            try:
                samples = self._store.samples(self._name, person.id, crops=True, counter=None)
            except UnknownPerson:
                continue  # erased since; the change log has it
            copied: list[Sample] = []
            with suppress(UnknownPerson):
                copied = self._store.samples(copy, person.id, crops=True, counter=None)
            rows.append((person, samples, {each.id: each for each in copied}))
        wanted = [each for _, samples, there in rows for each in samples if each.id not in there]
        made = self._embed(copy, wanted)
        ready = []
        for person, samples, there in rows:
            whole: list[Sample] = []
            missing: list[Missing] = []
            for each in samples:
                if (known := there.get(each.id)) is not None:
                    whole.append(replace(each, descriptor=known.descriptor, detector=known.detector))
                    continue
                answer = "no_crop" if each.crop is None else made[each.crop]
                if isinstance(answer, str):
                    missing.append(Missing(person.id, each.id, answer))
                else:
                    assert self._network is not None
                    whole.append(replace(each, descriptor=answer, detector=self._network.detector))
            if self._back:  # what the migration left behind; what was erased since is erased here, too
                here = {each.id for each in samples}
                left = [each for each in there.values() if each.id not in here]
                whole = sorted([*whole, *left], key=lambda each: each.created_at)
            self._missing.pop(person.id, None)
            if missing:
                self._missing[person.id] = missing
            ready.append((person, whole))
        if ready:
            self._begun(copy)
            self._store.put_people(copy, ready)

    def _embed(self, copy: StagingName, samples: list[Sample]) -> dict[bytes, Floats | Fault]:
        """Return what becomes of samples, by crop: the same crop has the same descriptor."""
        crops = list({each.crop for each in samples if each.crop is not None})
        made: dict[bytes, Floats | Fault] = {}
        for start in range(0, len(crops), _BATCH):
            if self._network is None:
                self._network = self._open()
                self._pin(copy, self._network)
            part = crops[start : start + _BATCH]
            made.update(zip(part, self._network.embed(part), strict=True))
        self._embedded += sum(not isinstance(each, str) for each in made.values())
        return made

    def _pin(self, copy: StagingName, network: Embeds) -> None:
        """Pin the copy to the network that embeds, and to its detector. Raises `NetworkMismatch`."""
        wanted = network.fingerprint
        pinned = self._store.pin_gallery(copy, network.detector, wanted).fingerprint
        if wanted not in ("", pinned):
            raise NetworkMismatch.changed(self._name, self._copy.network, pinned, wanted)
        self._copy = replace(self._copy, fingerprint=wanted or self._copy.fingerprint)

    def _erase(self, copy: StagingName, person_id: str) -> None:
        self._missing.pop(person_id, None)
        with suppress(UnknownPerson):
            self._store.delete_person(copy, person_id)


def _comparable(one: Gallery, other: Gallery) -> bool:
    """Whether the descriptors of two galleries are of the same network, with the same weights and preprocessing."""
    made = ("network", "dimension", "fingerprint")
    return all(getattr(one, name) == getattr(other, name) for name in made)
