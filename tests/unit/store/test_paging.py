"""Listings page after page: every row once, whatever the size of a page."""

import pytest

from facegroup.store.contract import Store
from facegroup.store.paging import every, everybody


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 100])
def test_every_row_comes_once(size: int) -> None:
    rows = [f"r{number}" for number in range(7)]
    asked: list[str] = []

    def page(after: str) -> list[str]:
        asked.append(after)
        return [row for row in rows if row > after][:size]

    assert list(every(page, lambda row: row)) == rows
    assert asked[0] == ""
    assert len(asked) == -(-7 // size) + 1
    assert list(every(lambda _: [], str)) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_everybody_is_all_people_by_id(store: Store, gallery: str, limit: int) -> None:
    for person_id in ("b", "c", "a"):
        store.create_person(gallery, "Same", person_id=person_id)
    assert [each.id for each in everybody(store, gallery, limit)] == ["a", "b", "c"]
