"""Galleries in Redis, for many machines: any number of processes anywhere may read and write.

Each write is one Lua script (`facegroup.store.redis.scripts`). The centroid that a write needs is computed here from what
was read, and written only if the person's record is still the same; otherwise it is read and computed again. The keys,
where {tag} is a hash of the gallery's name, so that a cluster keeps a gallery on one node:

    facegroup:galleries         sorted set   names of galleries, in order
    facegroup:audits            sorted set   names of erased galleries, whose audit logs stay
    facegroup:{tag}:gallery     hash         name network dimension threshold keep_crops created_at version born
                                             quality probe_quality unique calibration decision
                                             liveness detector fingerprint cohort_version encryption: the words
                                             for the keys; then `encrypted` is behind the dimension
    facegroup:{tag}:born        string       the version at which a gallery of this name begins, after an erasure
    facegroup:{tag}:lost        string       see data_loss; only after the server lost data
    facegroup:{tag}:ids         sorted set   ids of people, in order
    facegroup:{tag}:names       sorted set   name NUL id, in order
    facegroup:{tag}:people      hash         id → JSON: name, metadata, ids of samples, dates, expiry, mark, ids of counters,
                                             detectors by id of sample
    facegroup:{tag}:centroids   hash         id → float32[d], little-endian; only of people who can be named
    facegroup:{tag}:changes     sorted set   id, by the version that last changed it
    facegroup:{tag}:samples     hash         id:sha256 → float64 date, float32[d], little-endian; counter-examples too
    facegroup:{tag}:crops       hash         id:sha256 → JPEG
    facegroup:{tag}:audit       stream       at what person detail actor request address result number previous hash
    facegroup:{tag}:chain       hash         number hash older anchor_id anchor_number anchor_hash: of the audit log
    facegroup:{tag}:requests    hash         idempotency key → version, and JSON: hash of what was asked, date, ids
    facegroup:{tag}:requested   sorted set   idempotency key, by its date
    facegroup:{tag}:expiries    sorted set   id, by when the person expires
    facegroup:{tag}:counters    hash         id → float32[k, d], little-endian; only of people who have counter-examples
    facegroup:{tag}:cohort      hash         id → source NUL detector NUL float64 date, float32[d], little-endian

Where there is a key, the values of centroids, samples, crops and counters are encrypted, and the float32[d] of cohort
(`facegroup.store.encryption`).
"""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

import re
from typing import Any

from facegroup.errors import MalformedRequest
from facegroup.store import validation
from facegroup.store.audit import DONE, SERVER, Entry, Event, Origin
from facegroup.store.audit_chain import Anchor, Chain
from facegroup.store.redis.centroids import RedisCentroids
from facegroup.store.redis.cohort import RedisCohort
from facegroup.store.redis.conversion import RedisConversion
from facegroup.store.redis.galleries import RedisGalleries
from facegroup.store.redis.keys import AUDITS, INDEX, Keys
from facegroup.store.redis.notes import read_entry
from facegroup.store.redis.samples import RedisSamples
from facegroup.store.redis.scripts import script
from facegroup.store.redis.staging import RedisStaging


class RedisStore(RedisGalleries, RedisSamples, RedisCohort, RedisCentroids, RedisStaging, RedisConversion):
    """Class of a `Store` in Redis; see `RedisBase` for what it takes."""

    def check_writes(self) -> None:
        # What needs memory and is written to disk, and leaves nothing: refused when either is full, and by a replica.
        self._server.glance(("SET", "facegroup:writes", "1", "PX", "1"))

    def ping(self) -> None:
        self._server.glance(("PING",))

    def note(self, gallery: str, event: Event, by: Origin | None = None, result: str = DONE) -> None:
        name = validation.normalise_gallery(gallery) if gallery else SERVER
        note = self._steps.note(name, event, by, result=result)
        (done,) = self._server.write(script("note", name, server=name == SERVER, note=note))
        if done is None:
            raise validation.unknown_gallery(gallery)

    def audit(self, gallery: str, after: str = "", limit: int = 100) -> list[Entry]:
        if after and not re.fullmatch(r"\d{1,19}-\d{1,19}", after):
            raise MalformedRequest("`after` must be the id of an audit entry.")
        if (name := validation.log_name(gallery)) is None or validation.page(limit) == 0:
            return []
        span = (f"({after}" if after else "-", "+", "COUNT", validation.page(limit))
        (rows,) = self._server.read(("XRANGE", Keys.of(name).audit, *span))
        return [read_entry(name, number, fields) for number, fields in _pairs(rows)]

    def audit_chain(self, gallery: str) -> Chain:
        if (name := validation.log_name(gallery)) is None:
            return Chain()
        keys = Keys.of(name)
        fields = ("number", "hash", "anchor_id", "anchor_number", "anchor_hash")
        (kept,) = self._server.read(("HMGET", keys.chain, *fields))
        if kept[0] is None:
            (last,) = self._server.read(("XREVRANGE", keys.audit, "+", "-", "COUNT", 1))
            return Chain(anchor=Anchor(_pairs(last)[0][0].decode()) if last else Anchor())
        number, digest, anchor, before, before_digest = kept
        return Chain(int(number), digest.hex(), Anchor(anchor.decode(), int(before), before_digest.hex()))

    def audits(self, after: str = "", limit: int = 100) -> list[str]:
        start, most = b"(" + validation.sortable(after).encode(), validation.page(limit)
        found = self._server.glance(*(("ZRANGEBYLEX", key, start, "+", "LIMIT", 0, most) for key in (INDEX, AUDITS)))
        return [name.decode() for name in sorted({name for names in found for name in names})[:most]]

    def trim_audit(self, gallery: str) -> int:
        if (name := validation.log_name(gallery)) is None:
            return 0
        count = 0
        while True:
            note = self._steps.note(name, Event(""), None)
            (gone,) = self._server.write(script("trim", name, note=note))
            count += int(gone)
            if not gone:
                return count


def _pairs(rows: Any) -> list[tuple[bytes, list[bytes]]]:
    """Return a stream's entries as they come over the wire, or as redis-py has them."""
    return [
        (number, [word for pair in fields.items() for word in pair] if isinstance(fields, dict) else fields)
        for number, fields in rows
    ]
