"""A stranger is enrolled with live views only, where the gallery enrols live faces only."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facegroup.cameras.hub.part import Changes
from facegroup.cameras.hub.promotion import StrangerLog
from facegroup.cameras.sightings.types import Shot, Unknown
from facegroup.errors import FacegroupError, LivenessUnavailable, NotLive
from facegroup.settings import Settings, load
from facegroup.store import open_store
from facegroup.store.calls import direct, waiting
from facegroup.types import Gallery, LivenessPolicy, Sample
from tests.unit.cameras.journal.made import descriptor

SCORES = (0.9, 0.2, None)
ON = load(liveness={"model": "minifasnet"})
OFF = load()


def promoted(
    folder: Path, settings: Settings, policy: LivenessPolicy, scores: Sequence[float | None] = SCORES
) -> list[Sample]:
    """Return the samples of a member who was a stranger with a view of each score."""
    store = open_store(f"sqlite:///{folder / 'gallery.db'}")
    store.create_gallery(Gallery("group", "net", 8, 0.5, liveness=policy))
    shots = tuple(Shot(descriptor(number), b"%d" % number, 0.9, each) for number, each in enumerate(scores))
    stranger = Unknown("unknown-1", "group", "net", descriptor(0), 1, 0.0, 1.0, shots)

    async def run(*given: Any) -> int:
        return 0

    hub = SimpleNamespace(
        settings=settings,
        changes=Changes(),
        ask=waiting(direct(store)),
        journal=SimpleNamespace(unknown=lambda gallery, unknown: stranger),
        recorder=SimpleNamespace(run=run),
    )
    log = StrangerLog(hub)  # type: ignore[arg-type]
    person, count, _ = asyncio.run(log.promote("group", "unknown-1", "Ada", None, None))  # type: ignore[arg-type]
    kept = store.samples("group", person.id, crops=True)
    assert len(kept) == count
    store.close()
    return kept


@pytest.mark.parametrize(
    ("settings", "policy", "views"),
    [(OFF, "off", 3), (OFF, "probe", 3), (ON, "off", 3), (ON, "probe", 3), (ON, "enrol", 1), (ON, "both", 1)],
)
def test_live_views_are_enrolled(tmp_path: Path, settings: Settings, policy: LivenessPolicy, views: int) -> None:
    kept = promoted(tmp_path, settings, policy)
    assert len(kept) == views
    assert kept[0].crop == b"0"
    np.testing.assert_allclose(kept[0].descriptor, descriptor(0), atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "scores", "error"),
    [
        (OFF, SCORES, LivenessUnavailable),
        (ON, (0.5, 0.1), NotLive),
        (ON, (None, None), NotLive),  # seen by a server that did not tell
    ],
)
def test_what_is_not_live_is_not_enrolled(
    tmp_path: Path, settings: Settings, scores: Sequence[float | None], error: type[FacegroupError]
) -> None:
    with pytest.raises(error):
        promoted(tmp_path, settings, "enrol", scores)
