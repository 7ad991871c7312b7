"""The gallery's process erases expired people when it starts and from then on; it says how much of the store is damaged."""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from facegroup.settings import load
from facegroup.store import open_store
from facegroup.types import Gallery


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.filterwarnings("ignore")  # of Ray's own import
def test_the_expired_go_at_the_start_and_while_it_runs(tmp_path: Path) -> None:
    from deployments.gallery import GalleryActor

    url = f"sqlite:///{tmp_path / 'gallery.db'}"
    settings = load(network="dlib-resnet29", store=url, matcher={"sweep_seconds": 0.05})
    with closing(open_store(url)) as store:
        store.create_gallery(Gallery("other", "a-network", 16, 0.4))
        store.create_person("other", "Ann", person_id="ann", expires_at=1)
        actor = GalleryActor(settings)
        wait_for(lambda: not store.people("other"))
        store.create_person("other", "Bo", person_id="bo", expires_at=time.time() + 0.3)
        assert store.people("other")
        wait_for(lambda: not store.people("other"))
        swept = [entry for entry in store.audit("other") if entry.event.what == "expired"]
        assert [(entry.event.person_id, entry.origin.actor) for entry in swept] == [("ann", "sweep"), ("bo", "sweep")]
        assert asyncio.run(actor.ask("damaged")) == 0
