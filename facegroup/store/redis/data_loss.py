"""What a Redis lost of a gallery: where the gallery stands, and the note of a loss, which all processes see.

facegroup:{tag}:lost        string       the version that the gallery is known to have had before its data were lost
"""

from typing import Any

from facegroup.store import validation
from facegroup.store.contract import Standing
from facegroup.store.redis.rows import Keys
from facegroup.store.redis.server import RedisServer

_LOSE = """
local noted = tonumber(redis.call('GET', KEYS[1]) or '-1')
if noted < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
return true
"""

_ACCEPT = """
local noted = tonumber(redis.call('GET', KEYS[3]) or '0')
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
local born = tonumber(redis.call('GET', KEYS[2]) or '0')
local next = string.format('%.0f', math.max(noted, version, born, tonumber(ARGV[1])) + 1)
if redis.call('EXISTS', KEYS[1]) == 1 then
    redis.call('HSET', KEYS[1], 'version', next, 'born', next)
else
    redis.call('SET', KEYS[2], next)
end
redis.call('DEL', KEYS[3])
return true
"""
"""KEYS: gallery, born, lost. Readers load a gallery anew whose `born` is above what they have."""


def standing(server: RedisServer, gallery: str) -> Standing:
    """Return where a gallery stands; see `Store.standing`."""
    keys = _keys(gallery)
    (version, born, created_at), (erased, lost) = server.glance(
        ("HMGET", keys[0], "version", "born", "created_at"), ("MGET", *keys[1:])
    )
    return Standing(
        None if version is None else int(version),
        int(born or 0),
        float(created_at or 0),
        int(erased or 0),
        None if lost is None else int(lost),
    )


def lose(server: RedisServer, gallery: str, version: int) -> None:
    """Note that a gallery which was at `version` is no longer all there."""
    server.write(("EVAL", _LOSE, 1, _keys(gallery)[2], version))


def accept(server: RedisServer, gallery: str, version: int) -> Standing:
    """Take a gallery as it is; see `Store.accept`."""
    command: tuple[Any, ...] = ("EVAL", _ACCEPT, 3, *_keys(gallery), version)
    server.write(command)
    return standing(server, gallery)


def _keys(gallery: str) -> tuple[str, str, str]:
    keys = Keys.of(validation.sought_gallery(gallery))
    return keys.gallery, keys.born, keys.born.removesuffix("born") + "lost"
