"""Data loss in Redis: a gallery's position, and the note of a loss, which all processes see.

facegroup:{tag}:lost        string       the version that the gallery is known to have had before its data were lost
"""

from facegroup.store import validation
from facegroup.store.contract import Standing
from facegroup.store.encryption import SecretKeys
from facegroup.store.redis.keys import Keys
from facegroup.store.redis.rows import cipher_of
from facegroup.store.redis.scripts import source
from facegroup.store.redis.server import RedisServer


def standing(server: RedisServer, gallery: str, secrets: SecretKeys) -> Standing:
    """Return where a gallery stands; see `Store.standing`."""
    keys = _keys(gallery)
    (version, born, created_at, words), (erased, lost) = server.glance(
        ("HMGET", keys[0], "version", "born", "created_at", "encryption"), ("MGET", *keys[1:])
    )
    cipher_of(secrets, words)
    return Standing(
        None if version is None else int(version),
        int(born or 0),
        float(created_at or 0),
        int(erased or 0),
        None if lost is None else int(lost),
    )


def lose(server: RedisServer, gallery: str, version: int) -> None:
    """Note that a gallery which was at `version` is no longer all there."""
    server.write(("EVAL", source("lose"), 1, _keys(gallery)[2], version))


def accept(server: RedisServer, gallery: str, version: int, secrets: SecretKeys) -> Standing:
    """Take a gallery as it is; see `Store.accept`."""
    server.write(("EVAL", source("accept"), 3, *_keys(gallery), version))
    return standing(server, gallery, secrets)


def _keys(gallery: str) -> tuple[str, str, str]:
    keys = Keys.of(validation.normalise_gallery(gallery))
    return keys.gallery, keys.born, keys.born.removesuffix("born") + "lost"
