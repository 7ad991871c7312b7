"""What a server asks of its machine."""

from typing import Any

import pytest

from facegroup.errors import InvalidSettings
from facegroup.settings import load
from serve.sizing import sized


@pytest.mark.parametrize("stage", ["detector", "embedder", "matcher", "ingress"])
@pytest.mark.parametrize(("replicas", "per_machine"), [(2, 1), (5, 4)])
def test_replicas_that_one_machine_may_not_run_are_refused(stage: str, replicas: int, per_machine: int) -> None:
    """Ray would wait for another machine for ever."""
    given: dict[str, Any] = {stage: {"replicas": replicas, "per_machine": per_machine}}
    with pytest.raises(InvalidSettings, match=rf"{stage}\.replicas is {replicas}, .* only {per_machine} of them"):
        sized(load(**given))


@pytest.mark.parametrize(("replicas", "per_machine"), [(1, 0), (2, 0), (2, 2), (1, 1), (2, 9)])
def test_others_run(replicas: int, per_machine: int) -> None:
    given = load(embedder={"replicas": replicas, "per_machine": per_machine})
    assert sized(given).embedder.threads >= 1
