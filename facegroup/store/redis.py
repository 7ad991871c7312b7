"""Galleries in Redis, for many machines: any number of processes anywhere may read and write.

Each write is one Lua function (`redis_scripts`). What a write computes, the centroid, is computed here from what was
read, and written only if the person's record is still the same; else it is read and computed again. Keys, with {tag} a
hash of the gallery's name, so that a cluster keeps a gallery together:

    facegroup:galleries         sorted set   names of galleries, in order
    facegroup:{tag}:gallery     hash         name network dimension threshold keep_crops created_at version born
    facegroup:{tag}:born        string       the version at which a gallery of this name begins, after an erasure
    facegroup:{tag}:ids         sorted set   ids of people, in order
    facegroup:{tag}:names       sorted set   name NUL id, in order
    facegroup:{tag}:people      hash         id → JSON: name, metadata, ids of samples, dates, mark
    facegroup:{tag}:centroids   hash         id → float32[d], little-endian; only of people who can be named
    facegroup:{tag}:changes     sorted set   id, by the version that last changed it
    facegroup:{tag}:samples     hash         id:sha256 → float64 date, float32[d], little-endian
    facegroup:{tag}:crops       hash         id:sha256 → JPEG
"""

# ruff: noqa: D102 (what the methods do and raise is said once, in base.Store)

import json
from collections.abc import Sequence
from typing import Any

from facegroup.errors import PersonExists, UnknownPhoto
from facegroup.names import check_id, clean_name
from facegroup.store import redis_scripts, rules, vectors
from facegroup.store.base import Centroids, Enrolled, Erased
from facegroup.store.redis_rows import (
    INDEX,
    Keys,
    Record,
    gallery_fields,
    name_member,
    read_gallery,
    read_sample,
    sample_field,
)
from facegroup.store.redis_server import Command, RedisServer
from facegroup.store.redis_shelves import RedisShelves
from facegroup.store.redis_steps import Edit, RedisSteps, script
from facegroup.store.shelves import Shelf, also_on_shelves, crops_on_shelves
from facegroup.types import Gallery, Person, Sample


class RedisStore(RedisShelves):
    """A `Store` on a Redis server.

    Args:
        url: ``redis://`` or ``rediss://`` with user, password, host, port and database number.
        timeout: seconds to wait for an answer, and for the disk.
        patience: seconds to try a write again that others get before.

    Raises:
        StoreInvalid: the URL cannot be read. A server that does not answer is an error of each method, not of this.
    """

    def __init__(self, url: str, timeout: float = 5.0, patience: float = 10.0) -> None:
        self._server = RedisServer(url, timeout)
        self._steps = RedisSteps(self._server, patience)

    def ping(self) -> None:
        self._server.read(("PING",))

    def close(self) -> None:
        self._server.close()

    def create_gallery(self, gallery: Gallery) -> Gallery:
        wanted = rules.check_gallery(gallery)
        fields = [word for pair in gallery_fields(wanted).items() for word in pair]
        # The index lies on another node of a cluster, so it is no part of the step. Listed before and after: then
        # neither a crash nor an erasure at the same time leaves a gallery that is not listed.
        listed: Command = ("ZADD", INDEX, 0, wanted.name)
        create = script(redis_scripts.CREATE, wanted.name, *fields)
        if isinstance(wanted.name, Shelf):  # which is listed nowhere
            listed = ("PING",)
        _, answer, _ = self._server.write(listed, create, listed)
        return rules.same_gallery(read_gallery(*answer), wanted)

    def gallery(self, name: str) -> Gallery:
        return self._steps.read(name)[0]

    def galleries(self, after: str = "", limit: int = 100) -> list[Gallery]:
        found: list[Gallery] = []
        start, limit = rules.sortable(after).encode(), rules.page(limit)
        while left := limit - len(found):
            (names,) = self._server.read(("ZRANGEBYLEX", INDEX, b"(" + start, "+", "LIMIT", 0, left))
            for name in names:
                keys = Keys.of(name.decode())
                kept, people = self._server.read(("HGETALL", keys.gallery), ("HLEN", keys.people))
                if kept:
                    found.append(read_gallery(kept, people))
            if len(names) < left:
                break
            start = names[-1]
        return found

    @crops_on_shelves
    def update_gallery(self, name: str, *, threshold: float | None = None, keep_crops: bool | None = None) -> Gallery:
        fields: list[str | float] = []
        if threshold is not None:
            fields += ["threshold", rules.check_threshold(threshold)]
        if keep_crops is not None:
            fields += ["keep_crops", int(keep_crops)]
        update = script(redis_scripts.UPDATE, rules.sought_gallery(name), rules.RETENTION, *fields)
        (answer,) = self._server.write(update)
        if answer is None:
            raise rules.unknown_gallery(name)
        return read_gallery(*answer)

    @also_on_shelves
    def delete_gallery(self, name: str) -> Erased:
        kept = rules.sought_gallery(name)
        counts, _ = self._server.write(script(redis_scripts.ERASE, kept), ("ZREM", INDEX, kept))
        (made_meanwhile,) = self._server.read(("EXISTS", Keys.of(kept).gallery))
        if made_meanwhile and not isinstance(kept, Shelf):
            self._server.write(("ZADD", INDEX, 0, kept))
        if counts is None:
            raise rules.unknown_gallery(name)
        people, samples = counts
        return Erased(people, samples, 0)

    def create_person(
        self, gallery: str, name: str, metadata: dict[str, Any] | None = None, person_id: str | None = None
    ) -> Person:
        notes = json.loads(rules.write_metadata(metadata))
        record = Record(clean_name(name, "person's name"), notes, (), now := rules.now(), now)
        person_id = rules.new_id() if person_id is None else check_id(person_id)
        if self._steps.write(gallery, person_id, b"", Edit(record)) is None:
            raise PersonExists(f"there is a person {person_id} in the gallery")
        return record.person(person_id)

    def person(self, gallery: str, person_id: str) -> Person:
        return Record.read(self._steps.person(gallery, person_id)[1]).person(person_id)

    def people(self, gallery: str, after: str = "", limit: int = 100, name: str | None = None) -> list[Person]:
        start = rules.sortable(after)
        page = ("LIMIT", 0, rules.page(limit))
        if name is None:
            low = b"(" + start.encode()
            _, (found,) = self._steps.read(gallery, lambda keys: ("ZRANGEBYLEX", keys.ids, low, "+", *page))
        else:
            kept = rules.sought_name(name)
            low, high = b"(" + name_member(kept, start), f"({kept}\x01".encode()
            _, (found,) = self._steps.read(gallery, lambda keys: ("ZRANGEBYLEX", keys.names, low, high, *page))
        ids = [member.rpartition(b"\0")[2].decode() for member in found]
        if not ids:
            return []
        _, (records,) = self._steps.read(gallery, lambda keys: ("HMGET", keys.people, *ids))
        return [Record.read(data).person(key) for key, data in zip(ids, records, strict=True) if data is not None]

    def update_person(
        self, gallery: str, person_id: str, *, name: str | None = None, metadata: dict[str, Any] | None = None
    ) -> Person:
        given: dict[str, Any] = {} if name is None else {"name": clean_name(name, "person's name")}
        if metadata is not None:
            given["metadata"] = json.loads(rules.write_metadata(metadata))
        record, _ = self._steps.change(gallery, person_id, lambda _, old: Edit(old.next(**given)) if given else None)
        return record.person(person_id)

    @also_on_shelves
    def delete_person(self, gallery: str, person_id: str) -> Erased:
        record, version = self._steps.change(gallery, person_id, lambda _, old: Edit(None, removed=old.samples))
        return Erased(1, len(record.samples), version)

    def add_samples(self, gallery: str, person_id: str, samples: Sequence[Sample], network: str) -> Enrolled:
        added: list[Sample] = []
        known: tuple[str, ...] = ()

        def enrol(found: Gallery, old: Record) -> Edit | None:
            nonlocal added, known
            added, known = rules.sort_out(samples, found, network, old.samples)
            every = (*old.samples, *(sample.id for sample in added))
            return Edit(old.next(samples=every), added) if added else None

        record, version = self._steps.change(gallery, person_id, enrol)
        return Enrolled(record.person(person_id), tuple(sample.id for sample in added), known, version)

    def samples(self, gallery: str, person_id: str, *, crops: bool = False) -> list[Sample]:
        _, data = self._steps.person(gallery, person_id)
        ids = Record.read(data).samples
        fields = [sample_field(person_id, key) for key in ids]
        if not fields:
            return []
        _, (rows, images) = self._steps.read(
            gallery, lambda keys: ("HMGET", keys.samples, *fields), lambda keys: ("HMGET", keys.crops, *fields)
        )
        kept = zip(ids, rows, images, strict=True)
        found = [read_sample(key, row, image if crops else None) for key, row, image in kept if row is not None]
        return sorted(found, key=lambda sample: sample.created_at)

    @also_on_shelves
    def delete_sample(self, gallery: str, person_id: str, sample_id: str) -> Erased:
        def remove(_: Gallery, old: Record) -> Edit:
            if sample_id not in old.samples:
                raise UnknownPhoto(f"person {person_id} has no such photo")
            return Edit(old.next(samples=tuple(key for key in old.samples if key != sample_id)), removed=[sample_id])

        _, version = self._steps.change(gallery, person_id, remove)
        return Erased(0, 1, version)

    def version(self, gallery: str) -> int:
        (version,) = self._server.read(("HGET", Keys.of(rules.sought_gallery(gallery)).gallery, "version"))
        if version is None:
            raise rules.unknown_gallery(gallery)
        return int(version)

    def centroids(self, gallery: str, since: int | None = None) -> Centroids:
        after = "" if since is None else str(since)
        (answer,) = self._server.read(script(redis_scripts.CHANGES, rules.sought_gallery(gallery), after))
        if answer is None:
            raise rules.unknown_gallery(gallery)
        kept, people, born, ids, records, rows = answer
        found = read_gallery(kept, people)
        if since is not None:
            rules.check_since(since, found.version, int(born))
        names = (None if record is None else Record.read(record).name for record in records)
        return vectors.centroids(found, list(zip((key.decode() for key in ids), names, rows, strict=True)))
