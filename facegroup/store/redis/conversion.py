"""Encrypts what a Redis holds: some values of a gallery at a time, so that others are answered in between."""

import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from facegroup.errors import StoreUnavailable, UnknownGallery
from facegroup.store.conversion import Converted, until_complete
from facegroup.store.encryption import PLAIN, held_by, place
from facegroup.store.names import clean_name
from facegroup.store.redis.base import RedisBase
from facegroup.store.redis.cohort import split_member
from facegroup.store.redis.keys import Keys
from facegroup.store.redis.notes import seal
from facegroup.store.redis.rows import cipher_of
from facegroup.store.redis.scripts import script
from facegroup.store.staging import StagingName, is_staging

_COUNT = 100  # values of a step
_TRIES = 100

_KINDS = {"samples": "sample", "crops": "crop", "centroids": "centroid", "counters": "counters", "cohort": "cohort"}
"""The keys of a gallery that hold encrypted values: what the values are."""


class RedisConversion(RedisBase):
    """The part of `RedisStore` that encrypts what is there."""

    def rows(self) -> int:
        """Return how many values there are to look at."""
        lengths = [("HLEN", getattr(Keys.of(name), kind)) for name in self._names() for kind in _KINDS]
        return sum(self._server.read(*lengths)) if lengths else 0

    def convert(self, tell: Callable[[int], None] = lambda _: None) -> Converted:
        """Encrypt all values with the first key, beside others who read and write.

        Args:
            tell: called with how many values were looked at.

        Raises:
            KeyMissing: a value may be under a key that is not there.
            StoreUnavailable: the server does not answer. What was done stays done.
        """
        done = Converted()
        for name in self._names():
            try:
                done += until_complete(partial(self._turn, name, tell))
            except UnknownGallery:  # erased, or switched, meanwhile
                continue
        return done

    def clean(self) -> None:
        """Have the server write its append-only file anew, which holds the values that were replaced, and wait for it.

        Raises:
            StoreUnavailable: the server does not let this user do so, or does not end.
        """
        self._server.rewrite()

    def holds_plain(self) -> bool:
        """Whether a value may be plain."""
        return any(PLAIN in held_by(self._words(name)) for name in self._names())

    def _names(self) -> list[str]:
        """Return the names of all galleries and staging copies, also of copies that are beside no gallery yet."""
        names, cursor = set(), 0
        while True:
            ((cursor, keys),) = self._server.read(("SCAN", cursor, "MATCH", "facegroup:{*:gallery", "COUNT", 1000))
            kept = self._server.read(*(("HGET", key, "name") for key in keys)) if keys else []
            names |= {name.decode(errors="replace") for name in kept if name is not None}
            if int(cursor) == 0:
                return sorted(StagingName(name) if is_staging(name) else clean_name(name) for name in names)

    def _words(self, name: str) -> str:
        (words,) = self._server.read(("HGET", Keys.of(name).gallery, "encryption"))
        return (words or b"").decode(errors="replace")

    def _turn(self, name: str, tell: Callable[[int], None]) -> Converted:
        mark = secrets.token_hex(4)
        self._set_words(name, lambda words: self._keys.marked(words, mark))
        done = Converted()
        for kind in _KINDS:
            for values in self._pages(name, kind):
                done += self._replace(name, kind, values)
                tell(len(values))
        words = self._set_words(name, lambda words: self._keys.swept(words, mark))
        return done + Converted(complete=held_by(words) == {self._keys.own})

    def _set_words(self, name: str, change: Callable[[str], str]) -> str:
        """Change the words of a gallery, and return them. Raises `UnknownGallery`."""
        for _ in range(_TRIES):
            before = self._words(name)
            after = change(before)
            if self._reseal(name, [], read=before, words=after) >= 0:
                return after
        raise StoreUnavailable(f"Too many requests change {name} at once. Try again.")

    def _pages(self, name: str, kind: str) -> Iterator[dict[bytes, bytes]]:
        cursor: Any = 0
        while True:
            ((cursor, rows),) = self._server.read(("HSCAN", getattr(Keys.of(name), kind), cursor, "COUNT", _COUNT))
            if rows:
                yield rows
            if int(cursor) == 0:
                return

    def _replace(self, name: str, kind: str, rows: dict[bytes, bytes]) -> Converted:
        keys = self._keys
        cipher = cipher_of(keys, self._words(name).encode())
        values, unreadable = [], 0
        for field, kept in rows.items():
            where = place(_KINDS[kind], name, field.decode(errors="replace"))
            about, sealed = split_member(kept) if kind == "cohort" else (b"", kept)
            if keys.is_own(sealed, cipher):
                continue
            if (value := cipher.decrypt(sealed, where)) is None:
                unreadable += 1
            else:
                values.append((kind, field, kept, about + keys.encrypt(value, where)))
        return Converted(self._reseal(name, values) if values else 0, unreadable)

    def _reseal(self, name: str, values: list[Any], read: str | None = None, words: str | None = None) -> int:
        step = script("reseal", name, seal=seal(self._keys), values=values, read=read, words=words)
        (done,) = self._server.write(step)
        if done is None:
            raise UnknownGallery(f"there is no gallery {name}")
        return int(done)
