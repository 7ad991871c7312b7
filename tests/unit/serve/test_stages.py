"""Which stages a change of the settings restarts."""

import warnings
from typing import Any

import pytest

from facegroup.settings import Settings, load

with warnings.catch_warnings():  # Ray's own, of pydantic
    warnings.simplefilter("ignore")
    from serve import stages

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ray's own, while it is imported

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


def test_each_deployment_keeps_its_own_version() -> None:
    """Serve sets that of the application when it makes the arguments for its controller."""
    from ray.serve._private.build_app import build_app

    from serve.app import application

    def versions(settings: Settings) -> dict[str, str]:
        found = {}
        for deployment in build_app(application(settings), name="facegroup").deployments:
            config: Any = deployment._deployment_config
            config.version = "of the file"
            found[deployment.name] = type(config).from_proto_bytes(config.to_proto_bytes()).version
        return found

    before, after = versions(settings()), versions(settings(embedder={"batch": 64}, threshold=0.7))
    assert set(before) == set(NAMES)
    assert "of the file" not in before.values()
    assert {name for name in NAMES if before[name] != after[name]} == {"Embedder", "Detector"}
