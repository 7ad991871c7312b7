"""Runs every test of a module that uses `store` once without and once with a key: import `pytest_generate_tests`."""

import pytest

from facegroup.store.encryption import SecretKeys


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give the fixture `store` no key, then one."""
    if "store" in metafunc.fixturenames:
        keys = [None, SecretKeys([b"k" * 32])]
        metafunc.parametrize("store", keys, indirect=True, ids=["plain", "encrypted"])
