import builtins
import sys
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from facegroup.errors import EngineUnavailable
from facegroup.networks import dlib_engine
from facegroup.networks.dlib_engine import DlibEngine, model_file
from facegroup.networks.registry import spec

NEEDS = r"pip install 'facegroup\[dlib\]'"


def chips(n: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (n, 150, 150, 3), np.uint8)


@pytest.fixture(scope="module")
def engine() -> DlibEngine:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    return DlibEngine(spec("dlib-resnet29"), batch=2)


def test_it_gives_what_dlib_gives(engine: DlibEngine) -> None:
    import dlib

    network = dlib.face_recognition_model_v1(str(model_file("dlib_face_recognition_resnet_model_v1.dat")))
    given = chips(3)
    expected = np.array([network.compute_face_descriptor(chip) for chip in given])
    answer = engine.run(given)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, expected, atol=1e-5)


def test_strided_chips_are_taken(engine: DlibEngine) -> None:
    given = chips(2)
    np.testing.assert_allclose(engine.run(given[:, :, ::-1]), engine.run(given[:, :, ::-1].copy()), atol=1e-6)


def test_the_models_package_is_never_imported(engine: DlibEngine) -> None:
    engine.warm()
    assert "face_recognition_models" not in sys.modules


def test_without_dlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> ModuleType:
        if name == "dlib":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(EngineUnavailable, match=NEEDS):
        DlibEngine(spec("dlib-resnet29"))


def test_without_the_models_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dlib_engine, "find_spec", lambda name: None)
    with pytest.raises(EngineUnavailable, match=NEEDS):
        model_file("any.dat")


def test_a_model_that_the_package_has_not_is_named() -> None:
    with pytest.raises(EngineUnavailable, match=r"unheard_of\.dat does not exist"):
        model_file("unheard_of.dat")
