import logging
from pathlib import Path

import numpy as np
import pytest

from facegroup.networks.embedder import open_embedder
from facegroup.settings import load


def test_a_published_network_starts_and_says_so(shared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = load(network="retail-0095", model_dir=shared / "models", cache_dir=tmp_path, embedder={"batch": 2})
    with caplog.at_level(logging.INFO):
        embedder = open_embedder(settings)
    assert "Network retail-0095 on openvino, cpu" in caplog.text
    crops = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3), np.uint8)
    descriptors = embedder.embed(crops)
    assert descriptors.shape == (3, 256)
    np.testing.assert_allclose(np.linalg.norm(descriptors, axis=1), 1, atol=1e-6)
    assert not list(tmp_path.iterdir())  # nothing to download or to convert
