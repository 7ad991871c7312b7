"""What is asked of a machine before anything is started on it, and that nothing is left on it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from facegroup.access.checker import closed_mark
from facegroup.errors import EngineUnavailable, SetupError
from facegroup.remote import proxies
from facegroup.settings import Settings, load
from serve import launch, ray_environment, startup
from serve.instance import Instance
from serve.launch import running
from serve.sizing import check_gpus


def asking(detectors: int, each: float, embedders: int, of_each: float) -> Settings:
    given = load()
    return given.model_copy(
        update={
            "detector": given.detector.model_copy(update={"replicas": detectors, "num_gpus": each}),
            "embedder": given.embedder.model_copy(update={"replicas": embedders, "num_gpus": of_each}),
        }
    )


@pytest.mark.parametrize(
    ("asked", "there"), [((1, 0, 1, 0), 0), ((2, 0.3, 6, 0.4), 3), ((15, 0.06, 1, 0.1), 1), ((1, 0.5, 1, 0.5), 2)]
)
def test_gpus_that_are_there_are_given(asked: tuple[int, float, int, float], there: float) -> None:
    check_gpus(asking(*asked), there)


@pytest.mark.parametrize(("asked", "there"), [((1, 0, 1, 0.1), 0), ((2, 0.3, 7, 0.4), 3), ((1, 0.5, 1, 0.6), 1)])
def test_gpus_that_are_not_there_are_refused(asked: tuple[int, float, int, float], there: float) -> None:
    with pytest.raises(EngineUnavailable, match="together, and this machine has"):
        check_gpus(asking(*asked), there)


@pytest.mark.parametrize("where", ["stop", "shutdown"])
@pytest.mark.parametrize("again", [KeyboardInterrupt, RuntimeError])
def test_nothing_stays_behind_when_a_server_is_told_twice_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, again: type[BaseException]
) -> None:
    ended: list[str] = []

    def end(part: str) -> Any:
        def call() -> None:
            ended.append(part)
            if part == where:
                raise again

        return call

    def refuse() -> None:
        raise SetupError("it cannot start")

    monkeypatch.setattr(ray_environment, "set_variables", lambda: None)
    monkeypatch.setattr(startup, "start_ray", lambda *_, **__: None)
    monkeypatch.setattr(startup, "slow_start_warning", lambda: SimpleNamespace(cancel=lambda: None))
    for name in ("adopt", "irreplaceable"):
        monkeypatch.setattr(launch, name, lambda: None)
    monkeypatch.setattr(proxies, "forget", lambda: None)
    monkeypatch.setattr(launch, "Supervision", lambda pids: SimpleNamespace(stop=end("stop")))
    monkeypatch.setattr("ray.shutdown", end("shutdown"))
    monkeypatch.setattr(launch, "end_all", end("all"))
    instance = cast("Instance", SimpleNamespace(name="a", temporary=tmp_path, seal=refuse))
    settings = load(cache_dir=tmp_path)
    mark = closed_mark(settings.model_copy(update={"instance": "a"}))
    assert mark is not None
    mark.parent.mkdir()
    mark.touch()
    with pytest.raises(again), launch._running(settings, instance, quiet=True, wait_seconds=1):
        pass
    assert ended[-1] == "all"
    assert not mark.exists()


def test_another_system_than_linux_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(SetupError, match="the server needs Linux"), running(load()):
        pass
