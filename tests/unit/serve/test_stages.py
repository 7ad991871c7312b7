"""Which stages a change of the settings restarts."""

import importlib
from typing import Any

import pytest

from facegroup.settings import Settings, load
from serve import stages

NAMES = ("GalleryActor", "Embedder", "Detector", "Cameras", "Ingress")


def settings(**given: Any) -> Settings:
    return load(**{"network": "retail-0095", "store": "redis://localhost:1/0", **given})


def restarted(**change: Any) -> set[str]:
    """Return the stages that a deployment with a change restarts."""
    versions = [
        {name: stages.version(stages.given(each, name)) for name in NAMES} for each in (settings(), settings(**change))
    ]
    return {name for name in NAMES if versions[0][name] != versions[1][name]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, set()),
        ({"threshold": 0.7}, set()),
        ({"log_level": "debug"}, set()),
        ({"matcher": {"candidates": 9}}, set()),
        ({"detector": {"replicas": 4}}, {"Ingress", "Cameras"}),
        ({"embedder": {"replicas": 4}}, set()),
        ({"embedder": {"per_machine": 1}}, set()),  # Serve itself sees it
        ({"matcher": {"replicas": 4}}, set()),
        ({"matcher": {"index": "exact"}}, {"GalleryActor"}),
        ({"embedder": {"precision": "bf16"}}, {"Embedder", "GalleryActor"}),
        ({"embedder": {"batch": 64}}, {"Embedder", "Detector"}),
        ({"detector": {"min_face_size": 40}}, {"Detector", "Ingress", "Cameras"}),
        ({"ingress": {"queue": 9}}, {"Ingress", "Cameras"}),
        ({"hosts": ["faces.example.org"]}, {"Ingress"}),
        ({"access": {"requests_per_minute": 9}}, {"Ingress"}),
        ({"cameras": {"share": 0.5}}, {"Detector", "Ingress", "Cameras"}),
        ({"cameras": {"keep_days": 3}}, {"Ingress", "Cameras"}),
        ({"secret_key_command": "pass show facegroup"}, {"GalleryActor", "Cameras", "Ingress"}),
        ({"network": "vggface2-resnet50"}, set(NAMES)),
    ],
)
def test_a_change_restarts_only_the_stages_that_read_it(change: dict[str, Any], expected: set[str]) -> None:
    assert restarted(**change) == expected


def test_from_two_detectors_on_more_restart_nothing() -> None:
    three, nine = (
        {name: stages.version(stages.given(settings(detector={"replicas": count}), name)) for name in NAMES}
        for count in (3, 9)
    )
    assert three == nine


def test_a_secret_that_changed_is_noticed_and_not_shown() -> None:
    one, other = (
        stages.version(stages.given(settings(cameras={"mqtt": f"mqtt://user:{word}@host:1883"}), "Cameras"))
        for word in ("first", "other")
    )
    assert one != other
    assert "first" not in one


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_gets_what_it_reads(name: str) -> None:
    changed = settings(threshold=0.7, matcher={"candidates": 9}, detector={"batch": 3}, limits={"images": 7})
    given = stages.given(changed, name)
    assert given.threshold == 0.7
    assert given.network == "retail-0095"
    if name in ("GalleryActor", "Cameras", "Ingress"):
        assert given.store == changed.store
    if name == "Ingress":
        assert (given.matcher.candidates, given.limits.images) == (9, 7)
    if name == "Detector":
        assert (given.detector.batch, given.limits.images) == (3, 7)


def test_what_a_running_stage_takes_on() -> None:
    from deployments.live import taken_on

    wanted = settings(threshold=0.7, log_level="debug", matcher={"candidates": 9})
    taken = taken_on(settings(), stages.live(wanted))
    assert taken == wanted


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ray's own, while it is imported
def test_serve_is_made_to_keep_the_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = importlib.import_module("ray.serve._private.application_state")
    came: list[dict[str, Any]] = []
    monkeypatch.setattr(module, "get_deploy_args", lambda **named: came.append(named))
    stages.keep_versions({"Detector": "old"})
    stages.keep_versions({"Detector": "one"})
    for name in ("Detector", "Other"):
        module.get_deploy_args(name=name, version="of the file", ingress=False)
    assert came == [
        {"name": "Detector", "version": "one", "ingress": False},
        {"name": "Other", "version": "of the file", "ingress": False},
    ]
