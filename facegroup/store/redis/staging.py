"""Staging copies in Redis: keys of their own under the gallery's hash tag. People come in whole; a switch renames the keys.

facegroup:{tag}:next:gallery     what facegroup:{tag}:gallery is, of the copy `next`; and so with the other keys
"""

import json
from dataclasses import fields, replace
from typing import Any

from facegroup.errors import SwitchConflict
from facegroup.store import validation
from facegroup.store.audit import Event, Origin
from facegroup.store.names import check_id
from facegroup.store.redis.base import RedisBase
from facegroup.store.redis.keys import INDEX, Keys
from facegroup.store.redis.notes import seal
from facegroup.store.redis.rows import Record, derived, detectors, name_member, packed_samples
from facegroup.store.redis.scripts import on_keys, script
from facegroup.store.redis.server import Command
from facegroup.store.staging import StagingName, previous_copy
from facegroup.types import Person, Sample

_IDS = {"samples", "counters"}
_RECORD = frozenset(field.name for field in fields(Record)) & {field.name for field in fields(Person)} - _IDS


class RedisStaging(RedisBase):
    """The part of `RedisStore` that keeps staging copies; see `staging.StagingStore` for what the methods do and raise."""

    def put_people(self, copy: StagingName, people: list[tuple[Person, list[Sample]]]) -> int:
        """Write people whole, in one step for each; the version is that after the last."""
        ids = [check_id(person.id) for person, _ in people]
        if not ids:
            return self._steps.read(copy)[0].version
        gallery, (kept,) = self._steps.read(copy, lambda keys: ("HMGET", keys.people, *ids))
        old = [self._steps.record(gallery, *each) if each[1] else None for each in zip(ids, kept, strict=True)]
        commands: list[Command] = []
        for (person, given), before in zip(people, old, strict=True):
            samples, _ = validation.sort_out(given, gallery, gallery.network, ())
            whole = replace(person, expires_at=validation.check_expiry(person.expires_at))
            values: dict[str, Any] = {name: getattr(whole, name) for name in _RECORD}
            values["metadata"] = json.loads(validation.write_metadata(whole.metadata))
            own, counters = (tuple(each.id for each in samples if each.counter is kind) for kind in (False, True))
            record = Record(samples=own, counters=counters, detectors=detectors(samples), **values)
            commands.append(
                script(
                    "stage_person",
                    copy,
                    id=person.id,
                    record=record.to_bytes(),
                    old_name=before and name_member(before.name, person.id),
                    new_name=name_member(record.name, person.id),
                    expires=record.expiry(),
                    seal=seal(self._keys),
                    samples=packed_samples(self._keys, copy, person.id, samples),
                    **derived(self._keys, copy, person.id, samples),
                )
            )
        versions = self._server.write(*commands)
        if None in versions:
            raise validation.unknown_gallery(copy)
        return int(versions[-1])

    def switch_gallery(
        self,
        gallery: str,
        copy: StagingName,
        expected: int | None,
        made: int,
        event: Event,
        *,
        by: Origin | None = None,
    ) -> int:
        """Put a staging copy in the gallery's place, in one step."""
        name = validation.normalise_gallery(gallery)
        away = previous_copy(name)
        keys = [*Keys.of(name), *Keys.of(copy), *Keys.of(away), Keys.of(StagingName(f"{name}/moving")).gallery]
        made_of = {
            "expected": None if expected is None else str(expected),
            "made": str(made),
            "name": name,
            "away": away,
        }
        step = on_keys("switch", keys, {**made_of, "note": self._steps.note(name, event, by)})
        listed: Command = ("ZADD", INDEX, 0, name)
        _, version, _ = self._server.write(listed, step, listed)
        if version < 0:
            raise SwitchConflict(
                f'The gallery "{name}" or its replacement changed in the meantime. Nothing was switched; try again.'
            )
        for each in (name, copy, away):
            self._steps.damage.forget(each)
        return int(version)
