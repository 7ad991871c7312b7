"""A change of a gallery's settings in which the decision may change: what it needs, and which threshold it brings.

A threshold of one decision means nothing in another: cosines and scores by a cohort are different numbers. So a change of
the decision sets the network's default threshold of the new one, unless a threshold is given with it.
"""

from dataclasses import dataclass

from facegroup.errors import MalformedRequest
from facegroup.gallery.cohort import check_size
from facegroup.networks.spec import NetworkSpec
from facegroup.store.audit import Origin
from facegroup.store.calls import AskStore
from facegroup.store.cohort import size
from facegroup.store.contract import Changes, Store
from facegroup.types import DecisionRule, Gallery


@dataclass(frozen=True, slots=True)
class Defaults:
    """The default threshold of each decision of a network.

    Attributes:
        network: its name.
        cosine: of the cosine similarity.
        cohort: of the score by a cohort; None if none was measured.
    """

    network: str
    cosine: float
    cohort: float | None

    @classmethod
    def of(cls, spec: NetworkSpec, cosine: float | None = None) -> "Defaults":
        """Return those of a network; `cosine` is the operator's own, if there is one."""
        return cls(spec.name, spec.threshold if cosine is None else cosine, spec.cohort_threshold)

    def threshold(self, decision: DecisionRule) -> float:
        """Return the default threshold of a decision. Raises `MalformedRequest` if there is none."""
        found = self.cosine if decision == "cosine" else self.cohort
        if found is None:
            raise MalformedRequest(
                f"no default threshold of the decision cohort was measured for {self.network}. Give a threshold with the "
                "change, such as 0.2, and then calibrate the gallery (docs/cohort.md)"
            )
        return found


async def change(
    ask: AskStore, gallery: str, changes: Changes, defaults: Defaults, *, by: Origin | None = None
) -> Gallery:
    """Change settings of a gallery, as `Store.update_gallery` does.

    Args:
        ask: calls the store.
        gallery: its name.
        changes: the settings.
        defaults: of the network that is running, or of the gallery's.
        by: whose request it is, for the audit log.

    Raises:
        CohortTooSmall: the decision would be ``cohort``, and there are too few people.
        MalformedRequest: the decision changes, no threshold is given, and the network has no default.
        NetworkMismatch: the same, and facegroup migrate moved the gallery to another network meanwhile.
        FacegroupError: what the store raises.
    """
    wanted = changes.get("decision")
    if wanted is None:
        return await ask(Store.update_gallery, gallery, by=by, **changes)
    before = await ask(Store.gallery, gallery)
    if wanted == "cohort":
        check_size(await size(ask, before))
    if changes.get("threshold") is None:
        if wanted == before.decision:  # not set again: another request may set another one, with its threshold
            changes = {**changes, "decision": None}
        elif before.network != defaults.network:
            raise MalformedRequest(
                f"the gallery is of {before.network}, not of {defaults.network}: give a threshold with the decision"
            )
        else:
            changes = {**changes, "threshold": defaults.threshold(wanted), "network": defaults.network}
    return await ask(Store.update_gallery, gallery, by=by, **changes)
