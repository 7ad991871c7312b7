"""Fixtures that several folders share: the weights and photos beside the repository, and settings without either."""

from pathlib import Path

import pytest

from facegroup.settings import Settings, load


@pytest.fixture(scope="session")
def shared() -> Path:
    folder = Path(__file__).resolve().parents[2].parent / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared")
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings with an empty model folder and an empty cache."""
    return load(model_dir=tmp_path / "models", cache_dir=tmp_path / "cache")


@pytest.fixture(scope="session")
def resnet50(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file for vggface2-resnet50 in the release's layout, with random numbers."""
    from tests.weights_file import generate

    return generate(tmp_path_factory.mktemp("weights") / "rcmalli_vggface_tf_notop_resnet50.h5", "vggface2-resnet50")
