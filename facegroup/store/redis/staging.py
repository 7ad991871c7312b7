"""Shelves in Redis: keys of their own under the gallery's hash tag. People come in whole; a switch renames the keys.

facegroup:{tag}:next:gallery     what facegroup:{tag}:gallery is, of the shelf `next`; and so with the other keys
"""

import json
from dataclasses import fields, replace
from typing import Any

from facegroup.errors import SwitchConflict
from facegroup.store import validation, vectors
from facegroup.store.audit import Event, Origin
from facegroup.store.names import check_id
from facegroup.store.redis.rows import INDEX, Keys, Record, name_member, sample_field, write_sample
from facegroup.store.redis.scripts import NOTED, TYPED
from facegroup.store.redis.server import Command, RedisServer
from facegroup.store.redis.steps import RedisSteps
from facegroup.store.staging import Shelf, previous
from facegroup.types import Person, Sample

_IDS = {"samples", "counters"}
_RECORD = frozenset(field.name for field in fields(Record)) & {field.name for field in fields(Person)} - _IDS

_PUT = f"""{TYPED}
if redis.call('EXISTS', KEYS[1]) == 0 then return nil end
local crops = redis.call('HGET', KEYS[1], 'keep_crops') == '1'
local i = 1
while i <= #ARGV do
    local id, old_name, record, name, centroid, expires, counters, count = unpack(ARGV, i, i + 7)
    local before = redis.call('HGET', KEYS[5], id)
    if before then
        local kept = cjson.decode(before)
        for _, ids in ipairs({{kept.samples, kept.counters or {{}}}}) do
            for _, sample in ipairs(ids) do
                redis.call('HDEL', KEYS[8], id .. ':' .. sample); redis.call('HDEL', KEYS[9], id .. ':' .. sample)
            end
        end
    end
    if old_name ~= '' then redis.call('ZREM', KEYS[4], old_name) end
    redis.call('ZADD', KEYS[3], 0, id)
    redis.call('ZADD', KEYS[4], 0, name)
    redis.call('HSET', KEYS[5], id, record)
    if centroid == '' then redis.call('HDEL', KEYS[6], id) else redis.call('HSET', KEYS[6], id, centroid) end
    if expires == '' then redis.call('ZREM', KEYS[13], id) else redis.call('ZADD', KEYS[13], expires, id) end
    if counters == '' then redis.call('HDEL', KEYS[14], id) else redis.call('HSET', KEYS[14], id, counters) end
    i = i + 8
    for _ = 1, tonumber(count) do
        redis.call('HSET', KEYS[8], ARGV[i], ARGV[i + 1])
        if crops and ARGV[i + 2] ~= '' then redis.call('HSET', KEYS[9], ARGV[i], ARGV[i + 2]) end
        i = i + 3
    end
end
return redis.call('HINCRBY', KEYS[1], 'version', 1)
"""
# ARGV, person after person: id; member of the index by name that goes ('' for none); record; member that comes;
# centroid ('' for none); when the person expires ('' for never); counter-examples ('' for none); how many samples, and a
# field, value and crop ('' for none) of each. KEYS: the shelf's.

_SWITCH = f"""{NOTED}
local third = (#KEYS - 1) / 3
local spare = KEYS[#KEYS]
local function key(set, i) return KEYS[set * third + i] end
local here = redis.call('HGET', key(0, 1), 'version') or ''
if here ~= ARGV[1] or redis.call('HGET', key(1, 1), 'version') ~= ARGV[2] then return -1 end
local floor = redis.call('GET', key(0, 2)) or '0'
local version = math.max(tonumber(floor), tonumber(ARGV[2]), tonumber(here) or 0) + 1
local function move(from, to)
    redis.call('UNLINK', to)
    if redis.call('EXISTS', from) == 1 then redis.call('RENAME', from, to) end
end
local stays = {{[2] = true, [10] = true, [11] = true, [12] = true}}
for i = 1, third do
    if not stays[i] then
        move(key(1, i), spare)
        if here ~= '' then move(key(0, i), key(2, i)) end
        move(spare, key(0, i))
    end
end
local whole = string.format('%.0f', version)
redis.call('HSET', key(0, 1), 'name', ARGV[3], 'version', whole, 'born', whole)
if here ~= '' then redis.call('HSET', key(2, 1), 'name', ARGV[4]) end
redis.call('UNLINK', key(0, 7))
note()
return version
"""
# What stays with the name: born, audit, requests, requested. The change log goes. KEYS: all of the gallery, of the shelf,
# of the shelf previous, and one for a moment. ARGV: the versions at which gallery ('' for none) and shelf must be, and
# their names after it.


class RedisShelves:
    """The part of `RedisStore` that keeps shelves; see `shelves.ShelfStore` for what the methods do and raise."""

    _server: RedisServer
    _steps: RedisSteps

    def put_people(self, shelf: Shelf, people: list[tuple[Person, list[Sample]]]) -> int:
        """Write people whole, in one step for each; the version is that after the last."""
        keys = Keys.of(shelf)
        ids = [check_id(person.id) for person, _ in people]
        if not ids:
            return self._steps.read(shelf)[0].version
        gallery, (kept,) = self._steps.read(shelf, lambda keys: ("HMGET", keys.people, *ids))
        old = [self._steps.record(gallery, *each) if each[1] else None for each in zip(ids, kept, strict=True)]
        commands: list[Command] = []
        for (person, given), before in zip(people, old, strict=True):
            samples, _ = validation.sort_out(given, gallery, gallery.network, ())
            centroid = vectors.centroid_of(samples)
            whole = replace(person, expires_at=validation.check_expiry(person.expires_at))
            values: dict[str, Any] = {name: getattr(whole, name) for name in _RECORD}
            values["metadata"] = json.loads(validation.write_metadata(whole.metadata))
            own, counters = (tuple(each.id for each in samples if each.counter is kind) for kind in (False, True))
            record = Record(samples=own, counters=counters, **values)
            words: list[str | bytes | float] = [
                person.id,
                name_member(before.name, person.id) if before else b"",
                record.to_bytes(),
                name_member(record.name, person.id),
                b"" if centroid is None else vectors.to_bytes(centroid),
                "" if record.expires_at is None else record.expires_at,
                vectors.stacked(samples),
                len(samples),
            ]
            for sample in samples:
                words += [sample_field(person.id, sample.id), write_sample(sample), sample.crop or b""]
            commands.append(("EVAL", _PUT, len(keys), *keys, *words))
        versions = self._server.write(*commands)
        if None in versions:
            raise validation.unknown_gallery(shelf)
        return int(versions[-1])

    def switch_gallery(
        self, gallery: str, shelf: Shelf, expected: int | None, made: int, event: Event, *, by: Origin | None = None
    ) -> int:
        """Put a shelf in the gallery's place, in one step."""
        name = validation.sought_gallery(gallery)
        away = previous(name)
        keys = [*Keys.of(name), *Keys.of(shelf), *Keys.of(away), Keys.of(Shelf(f"{name}/moving")).gallery]
        words = ("" if expected is None else expected, made, name, away, *self._steps.note(event, by))
        step: Command = ("EVAL", _SWITCH, len(keys), *keys, *words)
        listed: Command = ("ZADD", INDEX, 0, name)
        _, version, _ = self._server.write(listed, step, listed)
        if version < 0:
            raise SwitchConflict(f'the gallery "{name}", or what was to take its place, has changed meanwhile')
        for each in (name, shelf, away):
            self._steps.damage.forget(each)
        return int(version)
