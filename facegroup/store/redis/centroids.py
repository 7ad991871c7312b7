"""The class centroids of a gallery in Redis, as matching reads them."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

from collections.abc import Iterator, Sequence

from facegroup.store import validation, vectors
from facegroup.store.contract import Centroids
from facegroup.store.encryption import PLAIN, Cipher
from facegroup.store.redis.base import RedisBase
from facegroup.store.redis.keys import Keys
from facegroup.store.redis.rows import Damaged, Record, cipher_of, read_gallery
from facegroup.store.redis.scripts import script
from facegroup.types import Gallery


class RedisCentroids(RedisBase):
    """The part of `RedisStore` that keeps centroids; see `contract.Store` for what the methods do and raise."""

    def centroids(self, gallery: str, since: int | None = None) -> Centroids:
        after = None if since is None else str(since)
        (answer,) = self._server.read(script("changes", validation.normalise_gallery(gallery), since=after))
        if answer is None:
            raise validation.unknown_gallery(gallery)
        kept, people, cohort, born, ids, records, rows, counters = answer
        found, cipher = read_gallery(validation.normalise_gallery(gallery), self._keys, kept, people, cohort)
        if since is not None:
            validation.check_since(since, found.version, int(born))
        return self._usable(found, cipher, ids, records, rows, counters, whole=since is None)

    def centroid_pages(self, gallery: str) -> Iterator[Centroids]:
        found, _ = self._steps.read(gallery)
        keys = Keys.of(found.name)
        cursor: bytes | int = 0
        while True:
            # A page is read with the keys of its moment: `facegroup encrypt` may run meanwhile.
            words = ("HGET", keys.gallery, "encryption")
            (cursor, rows), held = self._server.read(("HSCAN", keys.centroids, cursor, "COUNT", validation.PAGE), words)
            records: list[bytes | None] = []
            counters: list[bytes | None] = []
            if rows:
                records, counters, apart = self._server.read(
                    ("HMGET", keys.people, *rows), ("HMGET", keys.counters, *rows), words
                )
                held = b" ".join(each or PLAIN.encode() for each in (held, apart))
            cipher = cipher_of(self._keys, held)
            yield self._usable(found, cipher, list(rows), records, list(rows.values()), counters, whole=False)
            if int(cursor) == 0:
                return

    def _usable(
        self,
        found: Gallery,
        cipher: Cipher,
        ids: Sequence[bytes],
        records: Sequence[bytes | None],
        rows: Sequence[bytes | None],
        counters: Sequence[bytes | None],
        *,
        whole: bool,
    ) -> Centroids:
        """Return the centroids that can be used; note which of those that were read cannot."""
        keys = Keys.of(found.name)
        bad: dict[str, str] = {}
        people_rows: list[tuple[str, str | None, bytes | None, float | None, bytes | None]] = []
        read = [key.decode(errors="replace") for key in ids]
        for key, data, row, apart in zip(read, records, rows, counters, strict=True):
            if row is None:
                people_rows.append((key, None, None, None, None))
                continue
            try:
                record = Record.read(data or b"")
            except Damaged as error:
                bad[f"{keys.people} {key}"] = (
                    str(error) if data else "nobody has this id, but there is a centroid of it"
                )
                people_rows.append((key, None, None, None, None))
            else:
                people_rows.append((key, record.name, row, record.expires_at, apart))
        result = vectors.centroids(
            found, people_rows, lambda key, why: bad.update({f"{keys.centroids} {key}": why}), cipher
        )
        looked = None if whole else set(read)

        def was_read(key: str) -> bool:
            kind, _, person_id = key.partition(" ")
            return kind in (keys.people, keys.centroids) and (looked is None or person_id in looked)

        self._damage.settle(found.name, found.version, was_read, bad)
        return result
