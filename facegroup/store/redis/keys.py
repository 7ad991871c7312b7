"""The keys of a gallery in Redis."""

import hashlib
from typing import NamedTuple, Self

INDEX = "facegroup:galleries"
"""The names of all galleries. The gallery is the truth: a name here without one is skipped."""


AUDITS = "facegroup:audits"
"""The names of galleries that were erased: their audit logs stay."""


class Keys(NamedTuple):
    """The keys of one gallery, in the order in which the scripts take them; see `RedisStore` for what they hold."""

    gallery: str
    born: str
    ids: str
    names: str
    people: str
    centroids: str
    changes: str
    samples: str
    crops: str
    audit: str
    requests: str
    requested: str
    expiries: str
    counters: str
    cohort: str
    chain: str

    @classmethod
    def of(cls, name: str) -> Self:
        """Return the keys of the gallery `name`: one hash tag, so that a cluster keeps them on one node."""
        name, _, copy = name.partition("/")  # a staging copy's keys have the gallery's own tag
        tag = hashlib.sha256(name.encode()).hexdigest()[:32]
        place = f"facegroup:{{{tag}}}:{copy}:" if copy else f"facegroup:{{{tag}}}:"
        return cls(*(place + field for field in cls._fields))
