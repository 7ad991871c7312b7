"""How long a sign-in must wait after others that failed, on each store."""

import pytest

from facegroup.access import attempts as module
from facegroup.access.attempts import FORGOTTEN, FREE_BY_ADDRESS, FREE_BY_NAME, LONGEST, Attempts
from facegroup.access.registry import Registry
from facegroup.errors import RateLimited
from facegroup.store.rows.rows import Span
from tests.unit.access.times import Times


@pytest.fixture
def attempts(registry: Registry, times: Times) -> Attempts:
    return Attempts(registry.rows, times.wall)


def wait(attempts: Attempts, name: str = "ada", network: str = "10.0.0.1") -> int:
    """Return how long a try must wait; one that need not is counted."""
    try:
        attempts.begin(name, network)
    except RateLimited as error:
        return error.retry_after
    return 0


def test_each_failure_doubles_the_wait(attempts: Attempts, times: Times) -> None:
    for number in range(FREE_BY_NAME):
        assert wait(attempts, network=f"10.0.1.{number}") == 0
    waits = []
    for number in range(14):
        waits.append(wait(attempts, network=f"10.0.2.{number}"))
        times.pass_by(waits[-1] - 0.5)
        assert wait(attempts, network=f"10.0.3.{number}") == 1  # a refused try does not count, nor make it longer
        times.pass_by(0.5)
        assert wait(attempts, network=f"10.0.4.{number}") == 0
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, *[LONGEST] * 4]
    assert wait(attempts, "grace") == 0


def test_an_address_waits_whatever_the_names(attempts: Attempts, times: Times) -> None:
    for number in range(FREE_BY_ADDRESS):
        assert wait(attempts, f"name {number}") == 0
    assert wait(attempts, "another") == 1
    assert wait(attempts, "another", "10.0.0.2") == 0
    times.pass_by(1)
    assert wait(attempts, "another") == 0
    assert wait(attempts, "another") == 2


def test_a_right_password_is_forgiven(attempts: Attempts, times: Times) -> None:
    for _ in range(FREE_BY_NAME - 1):
        wait(attempts)
    assert wait(attempts) == 0
    attempts.forgive("ada", "10.0.0.1")
    for _ in range(FREE_BY_NAME):
        assert wait(attempts) == 0
    assert wait(attempts) == 1


def test_a_right_password_does_not_free_an_address(attempts: Attempts) -> None:
    for number in range(FREE_BY_ADDRESS):
        wait(attempts, f"name {number}")
        if wait(attempts, "mine") == 0:
            attempts.forgive("mine", "10.0.0.1")
    assert wait(attempts, "mine") == 1


def test_failures_are_forgotten_after_a_day(attempts: Attempts, times: Times) -> None:
    for _ in range(FREE_BY_NAME):
        wait(attempts)
    times.pass_by(FORGOTTEN)
    for _ in range(FREE_BY_NAME):
        assert wait(attempts) == 0


def test_nothing_that_was_typed_is_stored_and_the_table_is_bounded(
    attempts: Attempts, registry: Registry, monkeypatch: pytest.MonkeyPatch, times: Times
) -> None:
    monkeypatch.setattr(module, "MOST", 20)
    for number in range(60):
        wait(attempts, f"secret{number}", f"10.1.{number}.1")
        times.pass_by(1)
    rows = registry.rows.page("attempts", Span(1000))
    assert len(rows) <= 24
    assert all("secret" not in row.key and b"secret" not in row.value for row in rows)


def test_two_processes_count_together(attempts: Attempts, registry: Registry, times: Times) -> None:
    other = Attempts(registry.rows, times.wall)
    for number in range(FREE_BY_NAME):
        assert wait(other if number % 2 else attempts) == 0
    assert wait(attempts) == wait(other) == 1


@pytest.mark.parametrize("name", ["", "x" * 10_000, "\x00", "a/b", "\ud800"])
def test_names_of_any_form_are_counted(attempts: Attempts, name: str) -> None:
    for _ in range(FREE_BY_NAME):
        assert wait(attempts, name) == 0
    assert wait(attempts, name) == 1
