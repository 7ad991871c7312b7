"""The order in which an erasure goes through the places where a person lives."""

import asyncio
from collections import deque

import pytest

from facegroup.erasure import erase
from facegroup.errors import StageUnavailable, UnknownPerson
from facegroup.store.contract import Erased


class Places:
    """What the sightings and the store answer, one after the other, and which of them was asked about whom."""

    def __init__(self, sightings: list[int | Exception], removed: Erased | Exception) -> None:
        self.sightings, self.removed = deque(sightings), removed
        self.asked: list[tuple[str, str, str | None]] = []

    class Sightings:
        def __init__(self, places: "Places") -> None:
            self.places = places

        async def erase(self, gallery: str, person_id: str | None = None) -> int:
            self.places.asked.append(("sightings", gallery, person_id))
            answer = self.places.sightings.popleft()
            if isinstance(answer, Exception):
                raise answer
            return answer

    class Store:
        def __init__(self, places: "Places") -> None:
            self.places = places

        async def erase(self, gallery: str, person_id: str | None = None) -> Erased:
            self.places.asked.append(("store", gallery, person_id))
            if isinstance(self.places.removed, Exception):
                raise self.places.removed
            return self.places.removed

    def erase(self, person_id: str | None) -> tuple[Erased, int]:
        return asyncio.run(erase(self.Sightings(self), self.Store(self), "group", person_id))


GONE = Erased(1, 3, 7)


@pytest.mark.parametrize("person_id", ["ada", None])
def test_sightings_are_erased_before_and_after_the_store(person_id: str | None) -> None:
    places = Places([2, 1], GONE)
    assert places.erase(person_id) == (GONE, 3)
    assert places.asked == [(each, "group", person_id) for each in ("sightings", "store", "sightings")]


def test_the_store_is_left_alone_where_sightings_cannot_be_erased() -> None:
    places = Places([StageUnavailable("away")], GONE)
    with pytest.raises(StageUnavailable):
        places.erase("ada")
    assert places.asked == [("sightings", "group", "ada")]


def test_what_cannot_be_erased_afterwards_is_left_to_the_cameras() -> None:
    assert Places([2, StageUnavailable("away")], GONE).erase("ada") == (GONE, 2)


def test_what_the_store_refuses_is_raised() -> None:
    with pytest.raises(UnknownPerson):
        Places([0], UnknownPerson("gone")).erase("ada")
