"""Measure networks on LFW's pairs, and make the `Report`: accuracy over the folds, ROC, and TAR at FAR.

Intervals are from people drawn with replacement. A pair counts as often as the product of the counts of its two people (the
vertex bootstrap of Snijders and Borgatti 1999), so pairs with a common person do not count as independent.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facegroup.errors import MalformedRequest
from facegroup.evaluation import bootstrap, lfw
from facegroup.evaluation.bootstrap import Estimate, Numbers
from facegroup.evaluation.descriptors import embed
from facegroup.evaluation.lfw import Accuracy, Flags, Pair
from facegroup.evaluation.openset import threshold_at
from facegroup.evaluation.report import Plot, Report, Table, figure, number, percent, rate, share, side_by_side
from facegroup.networks import registry
from facegroup.networks.embedder import unit
from facegroup.settings import Settings
from facegroup.types import Floats

FARS = (0.01, 0.001)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The results of one network.

    Attributes:
        network: its name.
        precision: its numerical precision.
        scores: (n,) similarity of each pair, -1 if a photo has no descriptor.
        accuracy: accuracy over the folds.
        interval: 95 % interval of the accuracy.
        tar: true accept rate at each of `FARS`.
        thresholds: threshold at each of `FARS`.
        failed: error code of each photo without a descriptor.
        hashes: sha256 of each photo.
        height: height in pixels of the faces in all photos, which were scaled down; None: as they are.
    """

    network: str
    precision: str
    scores: Floats
    accuracy: Accuracy
    interval: Estimate
    tar: tuple[Estimate, ...]
    thresholds: tuple[float, ...]
    failed: dict[str, str]
    hashes: tuple[str, ...]
    height: int | None = None

    @property
    def label(self) -> str:
        """The precision, and the height of the faces if they were scaled."""
        return self.precision if self.height is None else f"{self.precision}, {self.height} px"


def folds_of(path: Path) -> list[list[Pair]]:
    """Return the folds of a `pairs.txt`, at least two, none of them empty.

    Raises:
        MalformedRequest: the file does not exist, or has another form.
    """
    try:
        folds = lfw.read_pairs(path)
    except (OSError, ValueError, IndexError) as error:
        raise MalformedRequest(f"{path} is not a file of pairs such as LFW's pairs.txt: {error}") from error
    if len(folds) < 2 or not folds[0]:
        raise MalformedRequest(
            f"{path} needs at least two folds of pairs, because the threshold of each is chosen on the others."
        )
    return folds


def measure(
    folder: Path,
    folds: Sequence[Sequence[Pair]],
    settings: Settings,
    drawings: int = 1000,
    told: Callable[[int], None] = lambda _: None,
    height: int | None = None,
) -> Run:
    """Return the results of the settings' network on folds of pairs of photos below a folder.

    With a `height`, photos are scaled down until the face is so many pixels high (`small_faces`).
    """
    names = lfw.photos_of(folds)
    embedded = embed([folder / name for name in names], settings, told, height)
    descriptors = dict(zip(names, unit(embedded.rows), strict=True))
    parts = [lfw.similarities(fold, descriptors) for fold in folds]
    accuracy = lfw.accuracy(parts)
    scores, same = (np.concatenate(each) for each in zip(*parts, strict=True))
    weights = _weights([pair for fold in folds for pair in fold], drawings)
    genuine, impostor = scores[same], scores[~same]
    limits = tuple(threshold_at(impostor, far) for far in FARS)
    drawn = bootstrap.thresholds(impostor, FARS, weights[:, ~same])
    tars = [bootstrap.shares(genuine > limit[:, None], weights[:, same]) for limit in drawn]
    return Run(
        *(registry.spec(settings.network, settings).name, settings.embedder.precision, scores, accuracy),
        bootstrap.estimate(accuracy.mean, _accuracies(parts, accuracy, weights)),
        tuple(
            bootstrap.estimate(float((genuine > limit).mean()), _told(tar))
            for limit, tar in zip(limits, tars, strict=True)
        ),
        limits,
        {name: code for name, code in zip(names, embedded.codes, strict=True) if code},
        embedded.hashes,
        height,
    )


def report(
    folder: Path,
    pairs: Path,
    folds: Sequence[Sequence[Pair]],
    runs: Sequence[Run],
    not_run: Sequence[str],
    *,
    drawn: bool,
) -> Report:
    """Return the report, with plots if `drawn`."""
    names, same = lfw.photos_of(folds), np.array([pair.same for fold in folds for pair in fold])
    best = max(runs, key=lambda run: run.accuracy.mean)
    return Report(
        "Verification on LFW: are two photos of one person?",
        (
            ("Photos", f"{folder}: {len(names):,} in the pairs"),
            ("Pairs", f"{pairs}: {len(folds)} folds, {len(same):,} pairs, {int(same.sum()):,} of them of one person"),
            (
                "Protocol",
                "LFW view 2: the threshold of each fold is chosen on the others; the central face is compared",
            ),
        ),
        f"{best.network} ({best.label}) answers {share(best.accuracy.mean, 2)} of the pairs correctly (standard error "
        f"{share(best.accuracy.error, 2)}). When it accepts {rate(FARS[-1])} of the pairs of two people, it accepts "
        f"{share(best.tar[-1].value)} of the pairs of one person.",
        (_table(runs, len(same)),),
        tuple(_plots(runs, same)) if drawn else (),
        _listed(runs, names, not_run),
        [_json(run, len(same), names) for run in runs],
        {"protocol": "lfw", "folder": str(folder), "pairs": str(pairs), "folds": len(folds), "not_run": list(not_run)},
    )


def _weights(pairs: Sequence[Pair], drawings: int) -> Numbers:
    """Return the count of each pair in each drawing of people: (drawings, pairs)."""
    owners = [(Path(pair.first).parent.name, Path(pair.second).parent.name) for pair in pairs]
    places = {name: place for place, name in enumerate(sorted({name for both in owners for name in both}))}
    drawn = bootstrap.draw(len(places), 1, drawings).people
    first, second = (np.array([places[both[side]] for both in owners]) for side in (0, 1))
    return np.where(first == second, drawn[:, first], drawn[:, first] * drawn[:, second])


def _accuracies(parts: Sequence[tuple[Floats, Flags]], found: Accuracy, weights: Numbers) -> Numbers:
    """Return the accuracy in each drawing, at the thresholds of the folds."""
    edges = np.cumsum([0, *(len(scores) for scores, _ in parts)])
    folds = [
        bootstrap.shares((scores > threshold) == same, weights[:, start:end])
        for (scores, same), threshold, start, end in zip(parts, found.thresholds, edges, edges[1:], strict=False)
    ]
    drawn = np.stack(folds)
    there = np.isfinite(drawn)  # with few people, some drawings have no pair of a fold
    return _told(np.divide(drawn.sum(axis=0, where=there), there.sum(axis=0), where=there.any(axis=0), out=drawn[0]))


def _told(drawn: Numbers) -> Numbers:
    """Return the drawings that have a value. With few people, some drawings have no pair."""
    told = drawn[np.isfinite(drawn)]
    return told if len(told) else np.array([np.nan])


def _table(runs: Sequence[Run], pairs: int) -> Table:
    return side_by_side(
        "Networks side by side",
        [(run.network, run.label) for run in runs],
        [
            ("accuracy ± standard error", [_accuracy(run) for run in runs]),
            ("its 95 % interval", [f"{run.interval.low * 100:.2f} – {run.interval.high * 100:.2f}" for run in runs]),
            *((f"TAR at FAR {rate(far)}", [percent(run.tar[place]) for run in runs]) for place, far in enumerate(FARS)),
            *(
                (f"threshold at FAR {rate(far)}", [f"{run.thresholds[place]:.3f}" for run in runs])
                for place, far in enumerate(FARS)
            ),
            ("photos without a descriptor", [str(len(run.failed)) for run in runs]),
        ],
        "TAR is the share of the pairs of one person that are accepted at the threshold that accepts FAR of the pairs of "
        f"two people. Pairs with a photo without a face count as “different” among the {pairs:,}.",
    )


def _accuracy(run: Run) -> str:
    return f"{run.accuracy.mean * 100:.2f} ± {run.accuracy.error * 100:.2f} %"


def _plots(runs: Sequence[Run], same: Flags) -> list[Plot]:
    from facegroup.evaluation import plots

    curves = {}
    for run in runs:
        genuine, impostor = np.sort(run.scores[same]), np.sort(run.scores[~same])[::-1]
        accepted = 1 - np.searchsorted(genuine, impostor, side="right") / len(genuine)
        fars = np.arange(len(impostor)) / len(impostor)
        curves[f"{run.network} {run.label}"] = plots.Line(np.append(fars, 1), np.append(accepted, 1))
    return [
        Plot(
            "ROC",
            plots.roc(curves),
            "The nearer a curve is to the top left, the better. Left of 0.1 % it depends on fewer than three pairs of two "
            "people and means little.",
        ),
        *(
            Plot(
                f"Similarities of {run.network}, {run.label}",
                plots.histograms(
                    run.scores[same], run.scores[~same], float(np.median(run.accuracy.thresholds)),
                    ("one person", "two people"), f"scores{number}",
                ),
                "The less the two distributions overlap, the fewer pairs are answered wrongly. The line is the median of "
                "the folds' thresholds.",
            )
            for number, run in enumerate(runs)
            if run.network not in {each.network for each in runs[:number]}
        ),
    ]  # fmt: skip


def _listed(runs: Sequence[Run], names: Sequence[str], not_run: Sequence[str]) -> dict[str, Sequence[str]]:
    listed: dict[str, Sequence[str]] = {}
    for run in runs:
        if run.failed:
            heading = f"Failures to acquire, {run.network} {run.label}"
            listed[heading] = [f"{name} ({code})" for name, code in run.failed.items()]
    if twice := _twice(names, runs[0].hashes):
        listed["The same photo under two people"] = twice
    if not_run:
        listed["Not run"] = not_run
    return listed


def _twice(names: Sequence[str], hashes: Sequence[str]) -> list[str]:
    shown: dict[str, list[str]] = {}
    for name, key in zip(names, hashes, strict=True):
        if key:
            shown.setdefault(key, []).append(name)
    return [" = ".join(each) for each in shown.values() if len({Path(name).parent for name in each}) > 1]


def _json(run: Run, pairs: int, names: Sequence[str]) -> dict[str, Any]:
    return {
        "network": run.network,
        "precision": run.precision,
        "face_height": run.height,
        "accuracy": figure(
            run.interval,
            standard_error=number(run.accuracy.error),
            folds=[number(share) for share in run.accuracy.folds],
            thresholds=[number(limit) for limit in run.accuracy.thresholds],
        ),
        "tar_at_far": {
            str(far): figure(tar, threshold=number(limit))
            for far, tar, limit in zip(FARS, run.tar, run.thresholds, strict=True)
        },
        "counts": {"pairs": pairs, "photos": len(names), "failures_to_acquire": len(run.failed)},
        "failures_to_acquire": [{"file": name, "code": code} for name, code in run.failed.items()],
        "same_photo_under_two_people": _twice(names, run.hashes),
    }
