"""Clusters for the tests, each on machines of its own."""

from collections.abc import Iterator

import pytest

from tests.conftest import RedisProcess
from tests.hosts.cluster import Cluster, cluster, config
from tests.hosts.machines import needs_machines


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A head and a worker, with a replica of each stage on each."""
    needs_machines()
    RedisProcess(tmp_path_factory.mktemp("redis"))  # skips where there is none
    with cluster(tmp_path_factory.mktemp("machines"), ["second"]) as running:
        running.deploy(config(2))
        running.wait_until_ready(running.head, *running.workers)
        yield running
