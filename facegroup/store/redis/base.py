"""The base of the parts of `RedisStore`."""

# ruff: noqa: D102 (what the methods do and raise is said once, in contract.Store)

from facegroup.store.audit import Retention
from facegroup.store.base import StoreBase
from facegroup.store.encryption import SecretKeys
from facegroup.store.redis.server import RedisServer
from facegroup.store.redis.steps import RedisSteps


class RedisBase(StoreBase):
    """Class that holds what the parts of a store share.

    Args:
        url: of the server; see `facegroup.store.redis.address`.
        timeout: seconds to wait for an answer, and for the disk.
        patience: seconds to retry a write that conflicts with others.
        actor: who the audit log names for writes that do not say who makes them.
        keys: that encrypt the values. Without those of a gallery, every method on it raises `KeyMissing`.
        keep: how long its entries are kept.

    Raises:
        StoreInvalid: the URL cannot be read. A server that does not answer is an error of each method, not of this.
    """

    def __init__(
        self,
        url: str,
        timeout: float = 5.0,
        patience: float = 10.0,
        actor: str = "library",
        keys: SecretKeys | None = None,
        keep: Retention | None = None,
    ) -> None:
        self._keys = keys or SecretKeys()
        self._server = RedisServer(url, timeout)
        self._steps = RedisSteps(self._server, patience, actor, self._keys, keep)
        self._damage = self._steps.damage

    def close(self) -> None:
        self._server.close()
