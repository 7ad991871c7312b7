"""What processes count, and the one answer that is merged from all of them."""

import asyncio
import re
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from facegroup.cameras.types import Condition, Counts, Status
from facegroup.errors import FacegroupError, NotAnImage
from facegroup.liveness.liveness import Liveness
from facegroup.pipeline.batcher import Fill
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult, Quality, Query
from facegroup.types import NOT_IN_DATASET, Faces, Match
from serve.api.http_metrics import HttpMetrics

with warnings.catch_warnings():  # Ray's own, of pydantic
    warnings.simplefilter("ignore")
    from ray.serve._private.common import DeploymentID
    from ray.serve.exceptions import DeploymentUnavailableError

    from deployments import camera_metrics, gallery_metrics
    from deployments.answer_metrics import faces_counter, liveness_counter, photos_counter
    from deployments.metrics import Counters, Families, gathered

ROOT = Path(__file__).parents[3]


class Handle:
    """A deployment with replicas that answer, fail or are silent."""

    def __init__(self, *replicas: Families | Exception | None) -> None:
        self._replicas = replicas

    def broadcast(self, method: str) -> "Handle":
        assert method == "metrics"
        return self

    async def _fetch_replica_results_async(self) -> list[Any]:
        if not self._replicas:
            raise DeploymentUnavailableError(DeploymentID("Cameras"))
        return [SimpleNamespace(get_async=lambda answer=each: self._answer(answer)) for each in self._replicas]

    @staticmethod
    async def _answer(answer: Families | Exception | None) -> Families:
        if answer is None:
            await asyncio.sleep(60)
        if isinstance(answer, Exception):
            raise answer
        assert answer is not None
        return answer


@pytest.fixture
def counters(monkeypatch: pytest.MonkeyPatch) -> Counters:
    context = SimpleNamespace(deployment="GalleryActor", replica_id=SimpleNamespace(unique_id="ab12"))
    monkeypatch.setattr("ray.serve.get_replica_context", lambda: context)
    monkeypatch.setattr("ray.util.get_node_ip_address", lambda: "10.0.0.7")
    return Counters()


def values(families: Families) -> dict[tuple[str, ...], float]:
    """Return the values of samples by name and labels, without those that every process has."""
    of = ("process", "replica", "node")
    return {
        (each.name, *(text for name, text in each.labels.items() if name not in of)): each.value
        for family in families
        for each in family.samples
    }


def scraped(**stages: Handle) -> dict[str, Metric]:
    text = asyncio.run(gathered(stages, 0.05))  # type: ignore[arg-type]
    families = list(text_string_to_metric_families(text))
    assert len({each.name for each in families}) == len(families), "each metric is told once"
    return {each.name: each for each in families}


def test_every_sample_says_of_which_process_it_is(counters: Counters) -> None:
    counters.observe("embed", 0.02)
    counters.info(network="n")
    for family in counters.collect():
        for sample in family.samples:
            of = {name: sample.labels[name] for name in ("process", "replica", "node")}
            assert of == {"process": "gallery", "replica": "ab12", "node": "10.0.0.7"}
            assert not sample.name.endswith("_created")


def test_a_queue_is_read_when_it_is_asked_for(counters: Counters) -> None:
    fill = Fill()
    counters.queue("detector", fill)
    counters.batches("detector")([0.5, 0.002])
    fill.waiting, fill.shed, fill.seconds = 3, 2, 1.5
    found = values(counters.collect())
    assert found["facegroup_waiting", "detector"] == 3
    assert found["facegroup_shed_total", "detector"] == 2
    assert found["facegroup_work_seconds_total", "detector"] == 1.5
    assert (found["facegroup_batch_items_count", "detector"], found["facegroup_batch_items_sum", "detector"]) == (1, 2)
    assert found["facegroup_stage_seconds_count", "queue"] == 2
    fill.waiting = 0
    assert values(counters.collect())["facegroup_waiting", "detector"] == 0


def test_replicas_of_all_stages_are_merged() -> None:
    first, second = Counters(), Counters()
    parts = []
    for number, each in enumerate((first, second), 1):
        each.observe("embed", number)
        parts.append(list(each.registry.collect()))
    found = scraped(Embedder=Handle(*parts), Detector=Handle())
    there = {each.labels["process"]: each.value for each in found["facegroup_processes"].samples}
    assert there == {"embedder": 2, "detector": 0}
    sums = [each.value for each in found["facegroup_stage_seconds"].samples if each.name.endswith("_sum")]
    assert sums == [1, 2]


def test_a_silent_replica_hides_no_other() -> None:
    told = Counters()
    told.observe("embed", 1)
    found = scraped(
        Embedder=Handle(None, list(told.registry.collect()), RuntimeError("lost")), GalleryActor=Handle(None)
    )
    silent = {each.labels["process"]: each.value for each in found["facegroup_silent_processes"].samples}
    assert silent == {"embedder": 2, "gallery": 1}
    assert found["facegroup_stage_seconds"].samples


def test_answers_are_counted_by_kind(counters: Counters) -> None:
    none = np.empty(0, np.float32)
    faces = Faces(np.zeros((1, 4), np.float32), np.zeros((1, 5, 2), np.float32), np.ones(1, np.float32))
    quality = Quality(*(np.zeros(1, np.float32) for _ in range(8)))
    empty = Faces(np.zeros((0, 4), np.float32), np.zeros((0, 5, 2), np.float32), none)
    photos_counter(counters)([PhotoResult(9, 9, faces, quality), PhotoResult(9, 9, empty, quality), NotAnImage("x")])
    matches = tuple(Match(who, name, 0.5, 0.4, None) for who, name in (("ada", "Ada"), (None, NOT_IN_DATASET)))
    asked = [(Query("g"), 2), (Query("g", person_id="ada"), 1), (Query("g", over_track=True), 0), (Query("g"), 1)]
    answers: list[PhotoMatches | FacegroupError] = [
        PhotoMatches(matches, 1, 0.4),
        PhotoMatches(matches[:1], 1, 0.4),
        PhotoMatches((), 1, 0.4),
        NotAnImage("x"),
    ]
    faces_counter(counters)(asked, answers)
    live = Liveness.judged(np.array([0.9, 0.1, np.nan], np.float32), 0.5)
    liveness_counter(counters)(Photo(b"x", background=True), live)
    found = values(counters.collect())
    assert {key[1]: value for key, value in found.items() if key[0] == "facegroup_photos_total"} == {
        "faces": 1,
        "no_face": 1,
        NotAnImage.code: 1,
    }
    assert {key[1:]: value for key, value in found.items() if key[0] == "facegroup_faces_total"} == {
        ("identify", "named"): 1,
        ("identify", "not_in_the_dataset"): 1,
        ("verify", "named"): 1,
    }
    assert {key[1:]: value for key, value in found.items() if key[0] == "facegroup_liveness_faces_total"} == {
        ("camera", "live"): 1,
        ("camera", "not_live"): 1,
        ("camera", "too_small"): 1,
    }


def test_the_largest_galleries_are_told_one_by_one() -> None:
    class Held:
        def __init__(self, number: int) -> None:
            self.gallery, self.version, self._people = f"g{number}", number, number

        def __len__(self) -> int:
            return self._people

    found = values(list(gallery_metrics.families([Held(number) for number in range(120)], 4)))  # type: ignore[misc]
    told = {key[1] for key in found if key[0] == "facegroup_gallery_people"}
    assert len(told) == 50
    assert "g119" in told
    assert found["facegroup_galleries_held",] == 120
    assert found["facegroup_gallery_damaged",] == 4


def test_cameras_are_told_with_their_state_and_frames() -> None:
    live = Condition(
        Status("live", frame_at=1.0, source_fps=12.5, counts=Counts(received=9, analysed=4, still=3)), shed=2
    )
    broken = Condition(Status("failed", reason="source_unreachable"))
    families = list(camera_metrics.families({"door": live, 'a"b\\c': broken}))
    found = values(families)
    assert found["facegroup_camera_state", "door", "live", ""] == 1
    assert found["facegroup_camera_frames_total", "door", "still"] == 3
    assert found["facegroup_camera_newest_frame_age_seconds", "door"] > 1e9
    assert ("facegroup_camera_newest_frame_age_seconds", 'a"b\\c') not in found
    text = scraped(Cameras=Handle(families))
    assert {each.labels["camera"] for each in text["facegroup_camera_state"].samples} == {"door", 'a"b\\c'}


def test_the_page_names_every_metric(counters: Counters) -> None:
    """The page has each name, or `…` and its end where the table shortens it."""
    page = (ROOT / "docs" / "metrics.md").read_text()
    photos_counter(counters)
    faces_counter(counters)
    liveness_counter(counters)
    registry = counters.registry
    HttpMetrics(lambda *_: asyncio.sleep(0), registry, frozenset())
    counters.counter("gallery_degraded", "text", "reason")
    counters.queue("detector", Fill())
    made = [
        *registry.collect(),
        *gallery_metrics.families([], 0),
        *camera_metrics.families({}),
        *text_string_to_metric_families(asyncio.run(gathered({}, 0.05))),
    ]
    names = {f"{each.name}_total" if each.type == "counter" else each.name for each in made}
    names -= {name for name in names if name.startswith("facegroup_process_")}
    assert {name for name in names if f"`{name}`" not in page} == set()
    assert {name for name in re.findall(r"`(facegroup_\w+)`", page) if "_process_" not in name} == names | {
        "facegroup_info"
    }
