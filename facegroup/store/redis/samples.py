"""The samples of a person in Redis: the photos enrolled, and the counter-examples."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

from collections.abc import Sequence

from facegroup.store import contradictions, validation
from facegroup.store.audit import Origin
from facegroup.store.contract import Enrolled, Erased
from facegroup.store.idempotency import IdempotencyKey, RecordedResult
from facegroup.store.redis.people import RedisPeople
from facegroup.store.redis.rows import Record, detectors, sample_field
from facegroup.store.redis.steps import Changed, Edit
from facegroup.types import Gallery, Sample


class RedisSamples(RedisPeople):
    """The part of `RedisStore` that keeps samples; see `contract.Store` for what the methods do and raise."""

    def add_samples(
        self,
        gallery: str,
        person_id: str,
        samples: Sequence[Sample],
        network: str,
        *,
        once: IdempotencyKey | None = None,
        by: Origin | None = None,
    ) -> Enrolled:
        added: list[Sample] = []
        known: tuple[str, ...] = ()

        def enrol(found: Gallery, old: Record) -> Edit | None:
            nonlocal added, known
            added, known = validation.sort_out(samples, found, network, (*old.samples, *old.counters))
            if not added:
                return None
            new = tuple(sample.id for sample in added if sample.counter)
            if new or old.counters:
                contradictions.check_faces(
                    added, self._steps.descriptors(found, {person_id: (*old.samples, *old.counters)}, old)
                )
            every = (*old.samples, *(sample.id for sample in added if not sample.counter))
            event = validation.enrolled(person_id, added, len(known))
            record = old.next(samples=every, counters=(*old.counters, *new), detectors=detectors(added))
            return Edit(record, event, added, (), validation.places(samples, added))

        changed = self._steps.change(gallery, person_id, enrol, by, once)
        if isinstance(changed, RecordedResult):
            return Enrolled(
                self.person(gallery, person_id), *changed.split([each.id for each in samples]), changed.version
            )
        return Enrolled(changed.record.person(person_id), tuple(sample.id for sample in added), known, changed.version)

    def samples(
        self,
        gallery: str,
        person_id: str,
        *,
        crops: bool = False,
        counter: bool | None = False,
        only: str | None = None,
    ) -> list[Sample]:
        kind, data = self._steps.person(gallery, person_id)
        record = self._steps.record(kind, person_id, data)
        ids = (*(() if counter else record.samples), *(() if counter is False else record.counters))
        fields = [sample_field(person_id, key) for key in ids if only in (None, key)]
        if not fields:
            return []
        _, cipher, (rows, images) = self._steps.read_values(
            gallery, lambda keys: ("HMGET", keys.samples, *fields), lambda keys: ("HMGET", keys.crops, *fields)
        )
        found = self._steps.sound(kind, cipher, fields, rows, images if crops else (), record)
        return sorted(found, key=lambda sample: sample.created_at)

    def _delete_sample(
        self, gallery: str, person_id: str, sample_id: str, *, counter: bool = False, by: Origin | None = None
    ) -> Erased:
        event = validation.erased_one(person_id, counter)
        kind = "counters" if counter else "samples"

        def remove(_: Gallery, old: Record) -> Edit:
            ids: tuple[str, ...] = getattr(old, kind)
            if sample_id not in ids:
                raise validation.unknown_photo(person_id, counter)
            left = tuple(key for key in ids if key != sample_id)
            return Edit(old.next(**{kind: left}), event, removed=[sample_id])

        changed = self._steps.change(gallery, person_id, remove, by)
        assert isinstance(changed, Changed)
        self._damage.forget(validation.normalise_gallery(gallery), person_id, sample_id)
        return Erased(0, int(not counter), changed.version, changed.crops, int(counter))
