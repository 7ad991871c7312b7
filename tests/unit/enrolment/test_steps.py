"""The steps of an enrolment: in which order the stages are called, and how they are run where none of them waits."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from facegroup.enrolment.steps import Stages, Wanted, correct, enrol
from facegroup.errors import FacegroupError, NoFace, UnknownPerson
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult, Query
from facegroup.store.calls import run
from facegroup.store.contract import Enrolled, Store
from facegroup.types import Descriptors, Gallery, Person

PERSON = Person("ada", "Ada", {}, 0, 0.0, 0.0)


class Calls:
    """Stages that find no face in any photo, and note what they are asked."""

    def __init__(self, network: str = "dlib-resnet29", there: bool = True) -> None:
        self.asked: list[str] = []
        self.there = there
        self.stages = Stages(self.see, self.match, self.ask, network)

    async def see(self, photos: list[Photo]) -> list[PhotoResult | FacegroupError]:
        self.asked.append(f"see {len(photos)}")
        assert all(photo.crops and photo.upright and photo.embed for photo in photos)
        return [NoFace("no face") for _ in photos]

    async def match(self, descriptors: Descriptors, query: Query) -> PhotoMatches:
        raise AssertionError("there is nothing to compare")

    async def ask(self, method: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        self.asked.append(method.__name__)
        if method == Store.gallery:
            return Gallery("group", "dlib-resnet29", 128, 0.9)
        if method == Store.add_samples:
            return Enrolled(PERSON, (), (), 3)
        if not self.there:
            raise UnknownPerson("there is none")
        return PERSON


WANTED = Wanted("group", "ada", [("a.jpg", b"a"), ("b.jpg", b"b")])
ALONE = Wanted("group", "ada", [("a.jpg", b"a")], raise_single=True)


def test_each_photo_is_refused_with_its_reason() -> None:
    for steps, first in ((enrol, ["gallery", "person"]), (correct, ["person"])):
        calls = Calls()
        done = run(steps(calls.stages, WANTED))
        assert [(each.name, each.error.code) for each in done.refused] == [("a.jpg", "no_face"), ("b.jpg", "no_face")]
        assert (done.photos, done.enrolled.version) == ((), 3)
        assert calls.asked == [*first, "see 2", "add_samples"]


def test_a_single_photo_raises_its_refusal_where_that_is_wanted() -> None:
    for steps in (enrol, correct):
        calls = Calls()
        with pytest.raises(NoFace):
            run(steps(calls.stages, ALONE))
        assert calls.asked[-1] == "see 1"  # nothing is written


def test_no_photo_is_seen_for_somebody_who_is_not_there() -> None:
    for steps in (enrol, correct):
        calls = Calls(there=False)
        with pytest.raises(UnknownPerson):
            run(steps(calls.stages, WANTED))
        assert calls.asked[-1] == "person"


def test_steps_that_wait_need_an_event_loop() -> None:
    async def waits() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="a stage waited"):
        run(waits())
