"""Whose turn it is: owners with much wait for those with little, and nobody waits for ever."""

import random
from collections import Counter

import pytest

from facegroup.pipeline.turns import Turns


def served(turns: Turns[float], most: int = 1 << 30) -> list[str]:
    """Take items, which are their cost, one by one; return whose each was."""
    order: list[str] = []
    while turns and len(order) < most:
        owner = turns.owner()
        cost = turns.first(owner)
        assert cost is not None
        turns.take(owner, cost)
        order.append(owner)
    return order


def given(**costs: list[float]) -> Turns[float]:
    turns: Turns[float] = Turns()
    for owner, each in costs.items():
        for cost in each:
            turns.add(owner, cost)
    return turns


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ({"a": [1, 1, 1], "b": [1, 1, 1]}, "ababab"),
        ({"a": [2, 2], "b": [1, 1, 1, 1]}, "abbabb"),
        ({"a": [100, 100], "b": [1], "c": [1]}, "abca"),
        ({"a": [1], "b": []}, "a"),
        ({}, ""),
    ],
)
def test_turns(costs: dict[str, list[float]], expected: str) -> None:
    assert "".join(served(given(**costs))) == expected


@pytest.mark.parametrize(
    ("costs", "expected"),
    [
        ({"a/1": 4, "a/2": 4, "b/1": 8}, {"a": 6, "b": 6}),
        ({"a/1": 8, "a/2": 8, "a/3": 8, "b/1": 8}, {"a": 6, "b": 6}),
        ({"a/1": 8, "a/2": 8, "b": 8, "c": 8}, {"a": 4, "b": 4, "c": 4}),
        ({"user@x/y/1": 8, "user@x/y/2": 8, "b/1": 8}, {"user@x/y": 6, "b": 6}),
    ],
)
def test_a_client_gets_no_more_for_several_requests(costs: dict[str, int], expected: dict[str, int]) -> None:
    order = served(given(**{owner: [1.0] * count for owner, count in costs.items()}), 12)
    shares = Counter(owner.rpartition("/")[0] or owner for owner in order)
    assert all(abs(shares[client] - count) <= 1 for client, count in expected.items()), order


def test_requests_of_one_client_take_turns_among_themselves() -> None:
    assert served(given(**{"a/1": [1.0] * 3, "a/2": [1.0] * 3})) == ["a/1", "a/2"] * 3


def test_a_client_who_has_gone_weighs_nothing() -> None:
    turns = given(**{"a/1": [1.0], "a/2": [1.0], "b/1": [1.0] * 4, "b/2": [1.0] * 4})
    served(turns)
    assert (len(turns), turns._clients) == (0, Counter())
    for owner in ("b/1", "c/1"):
        for _ in range(4):
            turns.add(owner, 1.0)
    assert Counter(served(turns)) == {"b/1": 4, "c/1": 4}


def test_one_owner_is_first_come_first_served() -> None:
    turns: Turns[int] = Turns()
    for item in range(50):
        turns.add("", item)
    assert [turns.take("", 1) for _ in range(50)] == list(range(50))
    assert (len(turns), turns.first(""), turns.owner()) == (0, None, "")


def test_who_leaves_the_queue_for_a_moment_is_not_forgiven() -> None:
    turns = given(a=[100], b=[1, 1, 1])
    assert served(turns, 2) == ["a", "b"]
    turns.add("a", 100)
    assert served(turns) == ["b", "b", "a"]


def test_shares_are_equal_in_cost_as_long_as_all_wait() -> None:
    draw = random.Random(1)
    turns = given(**{str(owner): [draw.uniform(0.1, 10) for _ in range(400)] for owner in range(5)})
    had = dict.fromkeys(map(str, range(5)), 0.0)
    for _ in range(600):
        owner = turns.owner()
        had[owner] += turns.take(owner, turns.first(owner) or 0)
        assert max(had.values()) - min(had.values()) <= 20
    assert min(had.values()) > 100


def test_those_who_have_gone_are_taken_out() -> None:
    turns = given(a=[1, 2, 3], b=[2])
    assert turns.keep(lambda cost: cost != 2) == 2
    assert sorted(turns) == [1, 3]
    assert served(turns) == ["a", "a"]


def test_old_owners_are_forgotten() -> None:
    turns: Turns[int] = Turns()
    for owner in range(10_000):
        turns.add(str(owner), 1)
        turns.take(str(owner), 1)
    assert len(turns._begins) < 2000
