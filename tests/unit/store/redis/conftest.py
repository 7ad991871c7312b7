from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.conftest import RedisProcess

StartRedis: TypeAlias = Callable[..., RedisProcess]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[StartRedis]:
    """Start servers of one's own, with other options."""
    started: list[RedisProcess] = []

    def start(*options: str) -> RedisProcess:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        started.append(RedisProcess(folder, *options))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.kill()
