"""Show what remains after rejecting the poorest faces, as tables in Markdown and as curves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facegroup.pipeline import quality_policies
from facegroup.types import Floats, Policy
from studies.measured_faces import MeasuredFaces

SHARES = (0.0, 0.05, 0.1, 0.2, 0.4)
POLICIES: tuple[Policy, ...] = ("off", "standard", "strict")

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Probes:
    """Faces that were searched with.

    Attributes:
        name: name of the set.
        kinds: (n,) the degradation of each photo.
        owners: (n,) number of the person, or -1 for a stranger.
        similarity: (n,) similarity to the right person if nobody is more similar, else -inf; for a stranger, the greatest.
        grades: (n, …) grades of `quality_policies.grades`.
        missed: number of photos without a face.
    """

    name: str
    kinds: NDArray[np.str_]
    owners: NDArray[np.intp]
    similarity: Floats
    grades: Floats
    missed: int

    def fnir(self, kept: Flags, threshold: float) -> float:
        """Return the share of the kept faces of members that are not named, or wrongly."""
        mated = self.similarity[kept & (self.owners >= 0)]
        return float((mated <= threshold).mean()) if len(mated) else float("nan")

    def fpir(self, kept: Flags, threshold: float) -> float:
        """Return the share of the kept faces of strangers that are named."""
        nonmated = self.similarity[kept & (self.owners < 0)]
        return float((nonmated > threshold).mean()) if len(nonmated) else float("nan")

    def best(self, code: str, share: float) -> Flags:
        """Return all faces except a share of the worst by `code`, or by any of them for `all`."""
        columns = [place for place, limit in enumerate(quality_policies.LIMITS) if code in ("all", limit.error.code)]
        grade = self.grades[:, columns].min(axis=1)
        # Equals in any order, but not members before strangers, as they lie here.
        order = np.lexsort((np.random.default_rng(0).permutation(len(grade)), grade))
        kept = np.ones(len(order), bool)
        kept[order[: round(share * len(order))]] = False
        return kept


def searched(name: str, kinds: Sequence[str], owners: Sequence[int], faces: MeasuredFaces, centroids: Floats) -> Probes:
    """Return the searches with the faces of some photos, from the kind and owner of each photo."""
    scores = faces.descriptors @ centroids.T
    who = np.asarray(owners, np.intp)[faces.photos]
    own = scores[np.arange(len(scores)), who]
    similarity = np.where((who < 0) | (own >= scores.max(axis=1)), np.where(who < 0, scores.max(axis=1), own), -np.inf)
    found = np.unique(faces.photos).size
    graded = quality_policies.grades(faces.quality, faces.confidence)
    return Probes(name, np.array(kinds)[faces.photos], who, similarity.astype(np.float32), graded, len(kinds) - found)


def curves(probes: Probes, threshold: float) -> list[str]:
    """Return FNIR by rejected share, for each reason and for all, as a table in Markdown."""
    codes = [*dict.fromkeys(limit.error.code for limit in quality_policies.LIMITS), "all"]
    lines = [f"| {probes.name}: rejected by | " + " | ".join(f"{share:.0%}" for share in SHARES) + " |"]
    lines.append("|---" * (1 + len(SHARES)) + "|")
    for code in codes:
        rates = [probes.fnir(probes.best(code, share), threshold) for share in SHARES]
        lines.append(f"| {code} | " + " | ".join(f"{rate:.2%}" for rate in rates) + " |")
    return lines


def by_policy(sets: Sequence[Probes], threshold: float) -> list[str]:
    """Return what each policy rejects and the rates of the rest, for each set, as a table in Markdown."""
    lines = [
        "| probes | faces | no face | policy | rejected | FNIR | FPIR | FNIR of those rejected |",
        "|---" * 8 + "|",
    ]
    for probes in sets:
        for policy in POLICIES:
            kept = quality_policies.meets(probes.grades, policy)
            rates = (probes.fnir(kept, threshold), probes.fpir(kept, threshold), probes.fnir(~kept, threshold))
            cells = [f"{rate:.2%}" for rate in ((~kept).mean(), *rates)]
            lines.append(f"| {probes.name} | {len(kept)} | {probes.missed} | {policy} | {' | '.join(cells)} |")
    return [line.replace("nan%", "–") for line in lines]


def by_kind(probes: Probes, threshold: float) -> list[str]:
    """Return the rates of each kind of copy, as a table in Markdown."""
    lines = [
        "| copy | faces | FNIR | rejected by standard | by strict | FNIR left by standard | by strict |",
        "|---" * 7 + "|",
    ]
    kept = [quality_policies.meets(probes.grades, policy) for policy in POLICIES]
    for kind in sorted(set(probes.kinds.tolist()), key=lambda text: (text.split()[0], float(text.split()[-1]))):
        mine = probes.kinds == kind
        rejected = [float((mine & ~each).sum() / mine.sum()) for each in kept[1:]]
        left = [probes.fnir(mine & each, threshold) for each in kept]
        rates = (left[0], *rejected, *left[1:])
        lines.append(f"| {kind} | {mine.sum()} | " + " | ".join(f"{rate:.1%}" for rate in rates) + " |")
    return [line.replace("nan%", "–") for line in lines]


def draw(sets: Sequence[Probes], threshold: float, path: Path, title: str) -> None:
    """Draw FNIR by rejected share, with a panel for each set, a line for each reason, and the policies as points."""
    from matplotlib.figure import Figure

    codes = [*dict.fromkeys(limit.error.code for limit in quality_policies.LIMITS), "all"]
    shares = np.linspace(0, 0.6, 61)
    figure = Figure(figsize=(6.2 * len(sets), 4.6), layout="constrained")
    for axes, probes in zip(figure.subplots(1, len(sets), squeeze=False)[0], sets, strict=True):
        for number, code in enumerate(codes):
            rates = [100 * probes.fnir(probes.best(code, share), threshold) for share in shares]
            style = {"color": "black", "linewidth": 2.2} if code == "all" else {"color": f"C{number}", "linewidth": 1.2}
            axes.plot(100 * shares, rates, label="any of them" if code == "all" else code, **style)
        for policy, marker in zip(POLICIES[1:], "os", strict=True):
            kept = quality_policies.meets(probes.grades, policy)
            place = (100 * float((~kept).mean()), 100 * probes.fnir(kept, threshold))
            axes.plot(*place, marker, color="black", markerfacecolor="white", markersize=8, label=f"policy {policy}")
        axes.set(title=probes.name, xlabel="faces rejected, worst first [%]", ylabel="FNIR of the others [%]")
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right center", fontsize=9)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
