"""Rows in Redis: a hash and a sorted set for each table, changed by one script, on disk before it returns.

    facegroup:{NAME}:counts          hash: name → number
    facegroup:{NAME}:rows:TABLE      hash: key → value, of rows that have one
    facegroup:{NAME}:order:TABLE     sorted set: key by score

All keys of a database have one hash tag, so that a cluster keeps them together. Events of cameras are not a Redis Stream:
events of an erased person are blanked, and an entry of a stream cannot be changed.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from facegroup.store.redis.server import Command, RedisServer
from facegroup.store.rows.rows import Count, Drop, Put, Row, Span, Step

_APPLY = """
for i, key in ipairs(KEYS) do
    local kind = redis.call('TYPE', key).ok
    local wanted = (i > 1 and i % 2 == 1) and 'zset' or 'hash'
    if kind ~= 'none' and kind ~= wanted then
        return redis.error_reply('FOREIGN ' .. key .. ' holds a ' .. kind .. ', not a ' .. wanted)
    end
end
local i = 1
while i <= #ARGV do
    if ARGV[i] == 'c' and (redis.call('HGET', KEYS[1], ARGV[i + 1]) or '0') ~= ARGV[i + 2] then return 0 end
    i = i + (ARGV[i] == 'p' and 5 or ARGV[i] == 'd' and 3 or 4)
end
i = 1
while i <= #ARGV do
    if ARGV[i] == 'p' then
        local at = tonumber(ARGV[i + 1])
        if ARGV[i + 4] == '' then
            redis.call('HDEL', KEYS[at], ARGV[i + 2])
        else
            redis.call('HSET', KEYS[at], ARGV[i + 2], ARGV[i + 4])
        end
        redis.call('ZADD', KEYS[at + 1], ARGV[i + 3], ARGV[i + 2])
        i = i + 5
    elseif ARGV[i] == 'd' then
        local at = tonumber(ARGV[i + 1])
        redis.call('HDEL', KEYS[at], ARGV[i + 2])
        redis.call('ZREM', KEYS[at + 1], ARGV[i + 2])
        i = i + 3
    else
        redis.call('HSET', KEYS[1], ARGV[i + 1], ARGV[i + 3])
        i = i + 4
    end
end
return 1
"""


class RedisRows:
    """Class that implements `facegroup.store.rows.rows.Rows` in Redis.

    Args:
        url: see `facegroup.store.redis.address`.
        name: of the database, in the names of its keys.
        timeout: seconds to wait for an answer.

    Raises:
        StoreInvalid: the URL cannot be read. A server that does not answer is no error yet.
    """

    def __init__(self, url: str, name: str, timeout: float = 5) -> None:
        self._server = RedisServer(url, timeout)
        self._prefix = f"facegroup:{{{name}}}:"

    def apply(self, steps: Sequence[Step]) -> bool:
        """See `Rows`."""
        tables = list(dict.fromkeys(step.table for step in steps if not isinstance(step, Count)))
        place = {table: 2 + 2 * number for number, table in enumerate(tables)}
        keys = [f"{self._prefix}counts", *(key for table in tables for key in self._keys(table))]
        words: list[str | bytes] = []
        for step in steps:
            match step:
                case Put(table, key, score, value):
                    words += ["p", str(place[table]), key, repr(float(score)), value]
                case Drop(table, key):
                    words += ["d", str(place[table]), key]
                case Count(name, known, now):
                    words += ["c", name, str(known), str(now)]
        (done,) = self._server.write(("EVAL", _APPLY, len(keys), *keys, *words))
        return bool(done)

    def count(self, name: str) -> int:
        """See `Rows`."""
        (found,) = self._server.read(("HGET", f"{self._prefix}counts", name))
        return int(found or 0)

    def glance(self, name: str) -> int:
        """See `Rows`."""
        (found,) = self._server.glance(("HGET", f"{self._prefix}counts", name))
        return int(found or 0)

    def get(self, table: str, keys: Sequence[str]) -> list[Row | None]:
        """See `Rows`."""
        if not keys:
            return []
        rows, order = self._keys(table)
        values, *scores = self._server.read(("HMGET", rows, *keys), *(("ZSCORE", order, key) for key in keys))
        return [
            None if score is None else Row(key, float(score), bytes(value or b""))
            for key, value, score in zip(keys, values, scores, strict=True)
        ]

    def page(self, table: str, span: Span) -> list[Row]:
        """See `Rows`."""
        rows, order = self._keys(table)
        newest, after = span.newest, span.after
        edges = [_edge(score) for score in (reversed(span.bounds) if newest else span.bounds)]
        start, found, size = 0, [], span.limit + (1 if after else 0)
        while True:
            asked: Command = ("ZRANGE", order, *edges, "BYSCORE", *(["REV"] if newest else []), "LIMIT", start, size)
            (flat,) = self._server.read((*asked, "WITHSCORES"))
            pairs = [(float(score), bytes(key).decode()) for key, score in zip(flat[::2], flat[1::2], strict=True)]
            found += [each for each in pairs if after is None or (each < after if newest else each > after)]
            if len(pairs) < size or len(found) >= span.limit:
                break
            start += size
        found = found[: span.limit]
        if not found:
            return []
        (values,) = self._server.read(("HMGET", rows, *(key for _, key in found)))
        pairs_and_values = zip(found, values, strict=True)
        return [Row(key, score, bytes(value or b"")) for (score, key), value in pairs_and_values]

    def size(self, table: str) -> int:
        """See `Rows`."""
        (found,) = self._server.read(("ZCARD", self._keys(table)[1]))
        return int(found)

    def making_room(self) -> AbstractContextManager[None]:
        """See `Rows`: Redis erases in memory, and needs no space."""
        return nullcontext()

    def scrub(self) -> None:
        """See `Rows`: removed data goes with the next rewrite of the append-only file."""

    def clean(self) -> None:
        """See `Rows`."""
        self._server.rewrite()

    def ping(self) -> None:
        """See `Rows`."""
        self.count("seq")

    def close(self) -> None:
        """See `Rows`."""
        self._server.close()

    def _keys(self, table: str) -> tuple[str, str]:
        return f"{self._prefix}rows:{table}", f"{self._prefix}order:{table}"


def _edge(score: float) -> str:
    return {float("inf"): "+inf", float("-inf"): "-inf"}.get(score, repr(float(score)))
