"""What is asked of a machine before anything is started on it."""

import pytest

from facegroup.errors import EngineUnavailable, SetupError
from facegroup.settings import Settings, load
from serve.launch import check_gpus, running


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


def test_another_system_than_linux_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(SetupError, match="the server needs Linux"), running(load()):
        pass
