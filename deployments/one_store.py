"""Refuses a store that is a file on any machine of a cluster but one: each would keep its own gallery.

Ray is imported late, since the rules of a start ask here before its environment is set.
"""

from facegroup.errors import StoreNotShared
from facegroup.settings import Settings

SEVERAL = (
    "the store {store} is a file of one machine, and the cluster has several: each would keep a gallery of its own. Use "
    "Redis: `store: redis://host:6379/0`"
)
_HEAD = "node:__internal_head__"


def check(settings: Settings) -> None:
    """Check that this process may open the store. Call it in the constructor of each process that does.

    A file is opened on the head only, whose machine is the cluster's first and often its only one.

    Raises:
        StoreNotShared: the store is a file, and this is not the head.
    """
    if is_file(settings) and not _on_head():
        raise StoreNotShared(SEVERAL.format(store=settings.store))


def is_file(settings: Settings) -> bool:
    """Return whether the store is a file of one machine."""
    return settings.store.startswith("sqlite:")


def count_nodes() -> int:
    """Return how many machines the cluster has now; 1 if this process belongs to none."""
    import ray

    if not ray.is_initialized():
        return 1
    return sum(node["Alive"] for node in ray.nodes())  # type: ignore[no-untyped-call]


def _on_head() -> bool:
    import ray

    if not ray.is_initialized():
        return True
    here = ray.get_runtime_context().get_node_id()
    found = (node["Resources"] for node in ray.nodes() if node["NodeID"] == here)  # type: ignore[no-untyped-call]
    return any(_HEAD in resources for resources in found)
