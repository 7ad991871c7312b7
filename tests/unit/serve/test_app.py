"""What Serve is told of each stage."""

import warnings
from typing import Any

import pytest

from facegroup.settings import load

with warnings.catch_warnings():  # Ray's own, of pydantic
    warnings.simplefilter("ignore")
    from ray.serve._private.build_app import build_app

    from serve.app import application

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ray's own, while it is imported


def deployed(**settings: Any) -> dict[str, Any]:
    given = load(network="retail-0095", store="sqlite:///unused.db", **settings)
    built = build_app(application(given), name="facegroup")
    return {each.name: each for each in built.deployments}


def test_a_stage_with_one_replica_starts_the_new_one_first() -> None:
    found = deployed(detector={"replicas": 2}, embedder={"num_gpus": 0.5})
    surge = {name: each._deployment_config.max_surge_percent for name, each in found.items()}
    assert surge == {"Ingress": 100, "GalleryActor": 100, "Detector": 0, "Embedder": 0, "Cameras": 0}
    without = deployed(processes={"surge": False})
    assert {each._deployment_config.max_surge_percent for each in without.values()} == {0}


def test_replicas_are_kept_apart_where_the_settings_say() -> None:
    apart = {"replicas": 2, "per_machine": 1}
    found = deployed(matcher=apart, detector={"replicas": 8, "per_machine": 4})
    assert {name: each._replica_config.max_replicas_per_node for name, each in found.items()} == {
        "Ingress": None,
        "Detector": 4,
        "Embedder": None,
        "GalleryActor": 1,
        "Cameras": None,
    }


def test_calls_of_a_stage_end_before_its_own() -> None:
    found = deployed(limits={"request_seconds": 100})
    seconds = [
        found[name]._deployment_config.request_router_config.request_router_kwargs["seconds"]
        for name in ("Detector", "Embedder", "GalleryActor")
    ]
    assert seconds == [40, 20, 10]
    assert {each._deployment_config.health_check_timeout_s for each in found.values()} == {30}
    soon = deployed(processes={"health_seconds": 5})
    assert {each._deployment_config.health_check_timeout_s for each in soon.values()} == {5}


@pytest.mark.parametrize("stage", ["GalleryActor", "Embedder", "Detector", "Ingress", "Cameras"])
def test_every_stage_takes_on_what_may_change(stage: str) -> None:
    found = deployed(threshold=0.7)[stage]
    assert found._deployment_config.user_config == {"threshold": 0.7, "log_level": "info", "candidates": 3}
    assert callable(found.func_or_class.reconfigure)
