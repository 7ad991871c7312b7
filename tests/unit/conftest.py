"""Fixtures of the unit tests."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of test photos and weights beside the repository; tests that need it are skipped without it."""
    if not (SHARED / "faces").is_dir():
        pytest.skip("needs ../shared")
    return SHARED
