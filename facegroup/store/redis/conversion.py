"""Encrypts what a Redis holds: some values of a gallery at a time, so that others are answered in between."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from facegroup.errors import InvalidName, StoreUnavailable, UnknownGallery
from facegroup.store.conversion import TURNS, Converted, turn
from facegroup.store.encryption import PLAIN, held_by, place
from facegroup.store.names import clean_name
from facegroup.store.redis.base import RedisBase
from facegroup.store.redis.cohort import split_member
from facegroup.store.redis.keys import INDEX, Keys
from facegroup.store.redis.notes import seal
from facegroup.store.redis.rows import cipher_of
from facegroup.store.redis.scripts import script
from facegroup.store.staging import StagingName, copies_of, is_staging

log = logging.getLogger(__name__)

_COUNT = 100  # values of a step
_TRIES = 100

_KINDS = {"samples": "sample", "crops": "crop", "centroids": "centroid", "counters": "counters", "cohort": "cohort"}
"""The keys of a gallery that hold encrypted values: what the values are."""


class RedisConversion(RedisBase):
    """The part of `RedisStore` that encrypts what is there."""

    def rows(self) -> int:
        """Return how many values there are to look at, in galleries whose names are not damaged."""
        lengths = [("HLEN", getattr(Keys.of(name), kind)) for name in self._names()[0] for kind in _KINDS]
        return sum(self._server.read(*lengths)) if lengths else 0

    def convert(self, tell: Callable[[int], None] = lambda _: None) -> Converted:
        """Encrypt all values with the first key, beside others who read and write.

        Args:
            tell: called with how many values were looked at.

        Raises:
            KeyMissing: a value may be under a key that is not there.
            StoreUnavailable: the server does not answer. What was done stays done.
        """
        values, unreadable = 0, dict[str, int]()
        names, damaged = self._names()
        for _ in range(TURNS):
            for name in names:
                with suppress(UnknownGallery):  # erased, or switched, meanwhile
                    done = turn(self._keys, partial(self._set_words, name), partial(self._look, name, tell))
                    values += done.values
                    unreadable[name] = done.unreadable
            # A switch meanwhile gives the names of galleries that were looked at to others that were not.
            listed, damaged = self._names()
            names = [name for name in listed if held_by(self._words(name)) != {self._keys.own}]
            if not names:
                break
        return Converted(values, sum(unreadable.values()), not names and not damaged)

    def clean(self) -> None:
        """Have the server write its append-only file anew, which holds the values that were replaced, and wait for it.

        Raises:
            StoreUnavailable: the server does not let this user do so, or does not end.
        """
        self._server.rewrite()

    def holds_plain(self) -> bool:
        """Whether a value may be plain, of a gallery that is listed or of a staging copy of one."""
        (names,) = self._server.read(("ZRANGE", INDEX, 0, -1))
        for name in names:
            listed = name.decode(errors="replace")
            keys = [Keys.of(each).gallery for each in (listed, *copies_of(listed))]
            kept = self._server.read(*(("HMGET", key, "version", "encryption") for key in keys))
            if any(version and PLAIN in held_by(_text(words)) for version, words in kept):
                return True
        return False

    def _names(self) -> tuple[list[str], bool]:
        """Return the names of all galleries and staging copies, also of copies that are beside no gallery yet.

        With them comes whether there are others whose names are damaged, which are logged.
        """
        names, damaged, cursor = set(), False, 0
        while True:
            ((cursor, keys),) = self._server.read(("SCAN", cursor, "MATCH", "facegroup:{*:gallery", "COUNT", 1000))
            kept = self._server.read(*(("HMGET", key, "name", "version") for key in keys)) if keys else []
            for key, (name, version) in zip(keys, kept, strict=True):
                if (found := _name_at(key, name)) is not None:
                    names.add(found)
                elif name is not None or version is not None:  # else it was erased meanwhile
                    damaged = True
                    log.error("skipped a damaged gallery: %s does not hold its name", key.decode(errors="replace"))
            if int(cursor) == 0:
                return sorted(names), damaged

    def _words(self, name: str) -> str:
        (words,) = self._server.read(("HGET", Keys.of(name).gallery, "encryption"))
        return _text(words)

    def _look(self, name: str, tell: Callable[[int], None]) -> Converted:
        done = Converted()
        for kind in _KINDS:
            for values in self._pages(name, kind):
                done += self._replace(name, kind, values)
                tell(len(values))
        return done

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


def _text(words: bytes | None) -> str:
    return (words or b"").decode(errors="replace")


def _name_at(key: bytes, kept: bytes | None) -> str | None:
    """Return the name of the gallery whose key this is; None where what is kept as its name is not."""
    text = _text(kept)
    with suppress(InvalidName):
        name = StagingName(text) if is_staging(text) else clean_name(text)
        if Keys.of(name).gallery.encode() == key:
            return name
    return None
