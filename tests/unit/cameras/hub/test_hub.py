"""All cameras in one process, over a real journal: what breaks, is busy, is away or is erased, and who notices."""

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Concatenate

import pytest

from facegroup.cameras.hub import camera_task as watches
from facegroup.cameras.hub import hub as hubs
from facegroup.cameras.hub.camera_registry import CameraRegistry
from facegroup.cameras.hub.camera_task import CameraTask
from facegroup.cameras.hub.hub import Hub
from facegroup.cameras.hub.part import P, Part, Result
from facegroup.cameras.hub.sighting_log import SightingLog
from facegroup.cameras.journal import open_journal
from facegroup.cameras.journal.row_journal import RowJournal
from facegroup.cameras.sightings.book import SightingBook
from facegroup.cameras.sightings.journal import Filter, Journal
from facegroup.cameras.sightings.types import Observation, Sighting
from facegroup.cameras.sources.reader import CameraReader
from facegroup.cameras.types import Camera, Condition, Frame, Status
from facegroup.errors import (
    FacegroupError,
    Overloaded,
    StageUnavailable,
    StoreUnavailable,
    UnknownGallery,
    UnknownPerson,
)
from facegroup.pipeline.messages import Photo, PhotoResult
from facegroup.settings import Settings, load
from facegroup.store.audit import Origin
from facegroup.store.contract import Store
from facegroup.types import Gallery
from tests import photos
from tests.unit.cameras.sightings.test_tracker import Face, seen

DOOR = Camera("door", "file:///clips/door.mp4", "group", fps=5, cooldown=600)
BY = Origin("test")
ADA, NOBODY = Face(100, 1, "Ada"), Face(100, 1)


class Stages:
    """The pipeline and the store: whoever is `there` is in every photo, once what is wrong has been said."""

    def __init__(self) -> None:
        self.there: list[Face] = [ADA]
        self.wrong: deque[FacegroupError] = deque()
        self.people = {"ada"}
        self.missing = False  # the gallery
        self.open = asyncio.Event()
        self.open.set()
        self.asked = 0

    async def see(self, photos: Sequence[Photo]) -> list[PhotoResult | FacegroupError]:
        self.asked += 1
        answers = [self._one(photo) for photo in photos]
        await self.open.wait()
        return answers

    def _one(self, photo: Photo) -> PhotoResult | FacegroupError:
        if self.missing:
            return UnknownGallery("there is no gallery group")
        return self.wrong.popleft() if self.wrong else seen(*self.there, recognised=photo.embed)

    async def ask(self, method: Callable[..., Any], /, *arguments: Any, **named: Any) -> Any:
        if method == Store.gallery:
            return Gallery("group", "dlib-resnet29", 128, 0.9)
        assert method == Store.person
        if arguments[1] not in self.people:
            raise UnknownPerson("gone")
        return None


class Scene:
    """An eye: frames a quarter of a second apart, as fast as they are taken; after `last` of them it has ended."""

    def __init__(self, last: int | None = None, broken: Callable[[], Awaitable[Any]] | None = None) -> None:
        self.last, self.broken = last, broken
        self.number, self.start = 0, time.time()
        self.closed = False

    async def next(self, timeout: float) -> tuple[Frame | None, Status]:
        await asyncio.sleep(0.002)
        if self.number == 3 and self.broken is not None:
            await self.broken()
        if self.number == self.last:
            return None, Status("ended")
        self.number += 1
        at = self.number / 4
        return Frame(b"jpeg", self.start + at, at, self.number, 640, 360), Status("live")

    async def close(self) -> None:
        self.closed = True


class Opened:
    """Opens eyes: of each camera those that are laid out for it, then sound ones."""

    def __init__(self, **laid: list[Any]) -> None:
        self.laid = {camera: deque(eyes) for camera, eyes in laid.items()}
        self.eyes: dict[str, list[Scene]] = {}

    async def __call__(self, camera: Camera, settings: Settings, here: bool) -> Scene:
        eye = self.laid[camera.id].popleft() if self.laid.get(camera.id) else Scene()
        if isinstance(eye, Exception):
            raise eye
        assert isinstance(eye, Scene)
        self.eyes.setdefault(camera.id, []).append(eye)
        return eye


class World:
    """A hub with all that it is given."""

    def __init__(self, hub: Hub, stages: Stages, opened: Opened, settings: Settings) -> None:
        self.hub, self.stages, self.opened, self.settings = hub, stages, opened, settings

    def condition(self, camera: str = "door") -> Condition:
        return self.hub.conditions()[camera]

    async def sightings(self) -> list[Sighting]:
        return await self.call(SightingLog.page, Filter(), "", 100)

    async def call(
        self, method: Callable[Concatenate[Part, P], Coroutine[Any, Any, Result]], /, *given: P.args, **named: P.kwargs
    ) -> Result:
        answer: Result = await self.hub.call(method.__qualname__, *given, **named)
        return answer


Worlds = Callable[..., Any]


@pytest.fixture
def worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worlds:
    """Begins a world, in the loop that runs."""
    monkeypatch.setattr(watches, "FIRST", 0.01)
    monkeypatch.setattr(watches, "_PAUSE", 0.01)
    monkeypatch.setattr(watches, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(hubs, "_RETRY_SECONDS", 0.01)
    store = f"sqlite:///{tmp_path / 'gallery.db'}"
    settings = load(network="dlib-resnet29", store=store, cameras={"folder": "/clips"})

    @asynccontextmanager
    async def begin(*cameras: Camera, opens: Callable[[], Journal] | None = None, **laid: list[Any]) -> Any:
        journal = open_journal(store)
        for camera in cameras:
            journal.create_camera(camera, 10)
        journal.close()
        stages, opened = Stages(), Opened(**laid)
        hub = Hub(settings, opens or (lambda: open_journal(store)), stages.see, stages.ask, opened)
        task = asyncio.get_running_loop().create_task(hub.run())
        try:
            yield World(hub, stages, opened, settings)
        finally:
            task.cancel()
            await asyncio.wait([task])

    return begin


def run(scenario: Awaitable[None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario

    asyncio.run(bounded())


async def until(what: Callable[[], Any]) -> Any:
    """Return what is asked for once it is so."""
    while True:
        try:
            found = what()
            if asyncio.iscoroutine(found):
                found = await found
        except KeyError:
            found = None
        if found:
            return found
        await asyncio.sleep(0.005)


def test_who_is_erased_while_they_are_looked_at_is_not_noted_again(worlds: Worlds) -> None:
    async def scenario() -> None:
        async with worlds(DOOR) as world:
            (known,) = await until(world.sightings)
            assert known.person_id == "ada"
            await until(lambda: world.condition().faces > 5)
            asked = world.stages.asked
            world.stages.open.clear()
            await until(lambda: world.stages.asked > asked)  # a frame is under way, with her name
            assert await world.call(SightingLog.erase, "group", "ada") == 1
            world.stages.there = [NOBODY]
            world.stages.open.set()
            (other,) = await until(world.sightings)
            assert (other.person_id, other.unknown) == (None, "unknown-1")
            faces = world.condition().faces
            await until(lambda: world.condition().faces > faces + 8)
            assert [each.id for each in await world.sightings()] == [other.id]

    run(scenario())


def test_a_visit_goes_on_while_a_frame_of_it_is_under_way(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "_TICK_SECONDS", 0.01)
    ticks = 0
    tick = SightingBook.tick

    def counted(book: SightingBook, *given: Any) -> Any:
        nonlocal ticks
        ticks += 1
        return tick(book, *given)

    monkeypatch.setattr(SightingBook, "tick", counted)

    async def scenario() -> None:
        eye = Scene()
        eye.start -= 1000  # a server that is that far behind its cameras
        async with worlds(replace(DOOR, cooldown=5), door=[eye]) as world:
            (known,) = await until(world.sightings)
            asked = world.stages.asked
            world.stages.open.clear()
            await until(lambda: world.stages.asked > asked)
            before = ticks
            await until(lambda: ticks > before + 3)
            world.stages.open.set()
            faces = world.condition().faces
            await until(lambda: world.condition().faces > faces + 3)
            (same,) = await world.sightings()
            assert (same.id, same.open) == (known.id, True)
            world.stages.there = []
            await until(lambda: not world.hub._opened.context.recorder._book._open)
            (over,) = await world.sightings()
            assert (over.id, over.open) == (known.id, False)

    run(scenario())


async def _raises() -> None:
    raise StageUnavailable("the camera's process was lost")


async def _breaks() -> None:
    raise ValueError("a bug")


async def _hangs() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("how", [_raises, _breaks, _hangs, None])
def test_an_eye_that_is_lost_is_opened_anew_and_disturbs_no_other(
    worlds: Worlds, how: Callable[[], Awaitable[None]] | None
) -> None:
    # It cannot be opened twice, then it is lost while it looks; how it is then can be seen, as the third try takes longer.
    gone = StageUnavailable("the camera's process did not start")
    laid = [Scene(broken=how)] if how else [gone]

    async def scenario() -> None:
        async with worlds(DOOR, replace(DOOR, id="gate"), door=[*laid, gone, gone]) as world:
            lost = await until(lambda: (now := world.condition()).status.state == "failed" and now)
            assert lost.status.reason == "stage_unavailable"
            await until(lambda: world.condition().restarts == 3 and world.condition().status.state == "live")
            assert world.condition().status.reason is None
            assert all(eye.closed for eye in world.opened.eyes["door"][:-1])
            faces = world.condition().faces
            await until(lambda: world.condition().faces > faces + 3)
            assert (world.condition("gate").restarts, len(world.opened.eyes["gate"])) == (0, 1)
            assert {each.camera for each in await until(world.sightings)} == {"door", "gate"}

    run(scenario())


def test_what_the_server_is_too_busy_for_is_counted(worlds: Worlds) -> None:
    async def scenario() -> None:
        async with worlds(DOOR) as world:
            world.stages.wrong.extend([Overloaded("full")] * 3)
            await until(lambda: world.condition().shed == 3 and world.condition().faces)
            assert world.condition().status.state == "live"
            assert world.condition().restarts == 0

    run(scenario())


def test_a_gallery_that_is_not_there_is_said_until_it_is(worlds: Worlds) -> None:
    async def scenario() -> None:
        async with worlds(DOOR) as world:
            world.stages.missing = True
            failed = await until(lambda: (now := world.condition().status).state == "failed" and now)
            assert (failed.reason, failed.detail) == ("unknown_gallery", "there is no gallery group")
            world.stages.missing = False
            await until(lambda: world.condition().status.state == "live")
            assert world.condition().restarts == 0

    run(scenario())


def test_a_journal_that_is_away_comes_later(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: deque[str] = deque(("opening", "opening", "asking"))

    async def scenario() -> None:
        def opens() -> Journal:
            what = tries.popleft() if tries else None
            if what == "opening":
                raise StoreUnavailable("the store is away")
            journal = open_journal(world.settings.store)
            if what == "asking":

                def away() -> tuple[int, int]:
                    raise StoreUnavailable("the store is away")

                monkeypatch.setattr(journal, "span", away)
            return journal

        async with worlds(DOOR, opens=opens) as world:
            while world.hub._trouble is None:
                await asyncio.sleep(0)
            with pytest.raises(StageUnavailable, match="the store is away"):
                await world.call(CameraRegistry.all)
            await until(lambda: world.condition().status.state == "live")
            await until(world.sightings)
            assert not tries

    run(scenario())


def test_a_camera_is_not_sure_of_who_is_there_while_nothing_can_be_written(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hubs, "_TICK_SECONDS", 0.01)
    full = True
    tick = SightingBook.tick

    def fails(book: SightingBook, *given: Any) -> Any:
        if full:
            raise StoreUnavailable("the disk is full")
        return tick(book, *given)

    async def scenario() -> None:
        nonlocal full
        async with worlds(DOOR) as world:
            await until(lambda: world.condition().status.state == "live")
            full = False
            await until(lambda: world.hub._live() == {"door": True})
            full = True
            await until(lambda: not world.hub._live().get("door"))
            assert world.condition().status.state == "live"
            full = False
            await until(lambda: world.hub._live() == {"door": True})

    monkeypatch.setattr(SightingBook, "tick", fails)
    run(scenario())


def test_a_camera_that_was_changed_is_looked_at_whatever_else_fails(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with worlds(DOOR) as world:
            await until(lambda: world.condition().faces)

            def away(book: SightingBook, camera: str) -> None:
                raise StoreUnavailable("the store is away")

            monkeypatch.setattr(SightingBook, "left", away)
            with pytest.raises(StoreUnavailable):
                await world.call(CameraRegistry.change, "door", {"gallery": "other"}, BY)
            await until(lambda: world.condition().faces)
            ((camera, _),) = await world.call(CameraRegistry.all)
            assert camera.gallery == "other"
            assert len(world.opened.eyes["door"]) == 2

    run(scenario())


@pytest.mark.parametrize(
    ("held", "method", "arguments", "done"),
    [
        ("create_camera", CameraRegistry.add, (replace(DOOR, id="yard"), BY), {"door": True, "yard": True}),
        ("replace_camera", CameraRegistry.change, ("door", {"enabled": False}, BY), {"door": False}),
        ("replace_camera", CameraRegistry.change, ("door", {"fps": 3}, BY), {"door": True}),
        ("delete_camera", CameraRegistry.remove, ("door", BY), {}),
    ],
)
def test_what_is_begun_is_done_though_the_caller_has_gone(
    worlds: Worlds,
    monkeypatch: pytest.MonkeyPatch,
    held: str,
    method: Callable[..., Coroutine[Any, Any, Any]],
    arguments: tuple[Any, ...],
    done: dict[str, bool],
) -> None:
    """A camera that is written down is looked at, and one that is not is let go."""
    begun, end = threading.Event(), threading.Event()
    write = getattr(RowJournal, held)

    def slow(*given: Any) -> Any:
        made = write(*given)
        begun.set()
        assert end.wait(10)
        return made

    async def scenario() -> None:
        async with worlds(DOOR) as world:
            await until(lambda: world.condition().faces)
            monkeypatch.setattr(RowJournal, held, slow)
            call = asyncio.ensure_future(world.call(method, *arguments))
            await until(begun.is_set)
            call.cancel()
            await asyncio.wait([call])
            assert call.cancelled()
            end.set()
            await until(lambda: not world.hub._opened.parts["CameraRegistry"]._changing.locked())
            cameras = await world.call(CameraRegistry.all)
            assert {camera.id: camera.enabled for camera, _ in cameras} == done
            assert set(world.hub.conditions()) == {camera for camera, enabled in done.items() if enabled}
            if method is CameraRegistry.change and done["door"]:
                assert world.hub._opened.context.running._running["door"][0].camera.fps == 3

    run(scenario())


def test_whoever_tries_a_source_and_leaves_keeps_nothing(worlds: Worlds) -> None:
    async def scenario() -> None:
        silent = Scene(broken=asyncio.Event().wait)
        silent.number = 3  # where it hangs
        async with worlds(DOOR, yard=[silent]) as world:
            await until(lambda: world.condition().faces)
            call = asyncio.ensure_future(world.call(CameraRegistry.try_source, replace(DOOR, id="yard")))
            await until(lambda: world.opened.eyes.get("yard"))
            call.cancel()
            await asyncio.wait([call])
            await until(lambda: silent.closed)

    run(scenario())


def test_few_sources_are_tried_at_once(worlds: Worlds) -> None:
    async def scenario() -> None:
        async with worlds(tried=[Scene(broken=_hangs) for _ in range(4)]) as world:
            await world.call(CameraRegistry.all)
            folder = replace(DOOR, id="tried", source="file:///clips/")
            for eye in world.opened.laid["tried"]:
                eye.number = 3
            tries = [asyncio.ensure_future(world.call(CameraRegistry.try_source, folder)) for _ in range(4)]
            await until(lambda: len(world.opened.eyes.get("tried", ())) == 4)
            with pytest.raises(Overloaded):
                await world.call(CameraRegistry.try_source, folder)
            tries.pop().cancel()
            await until(lambda: any(eye.closed for eye in world.opened.eyes["tried"]))
            _, frame = await world.call(CameraRegistry.try_source, folder)
            assert frame is not None
            for each in tries:
                each.cancel()
            await asyncio.gather(*tries, return_exceptions=True)

    run(scenario())


@pytest.mark.parametrize(
    "method", ["CameraRegistry._check", "SightingLog.call", "VideoJobs.queue", "CameraRegistry.erase", "Hub.close", ""]
)
def test_only_public_methods_of_parts_can_be_called(worlds: Worlds, method: str) -> None:
    async def scenario() -> None:
        async with worlds(DOOR) as world:
            await until(lambda: world.condition().faces)
            with pytest.raises(ValueError, match="this is a bug"):
                await world.hub.call(method, DOOR)

    run(scenario())


def test_sightings_of_people_who_were_deleted_elsewhere_are_erased(worlds: Worlds) -> None:
    async def scenario() -> None:
        async with worlds(DOOR) as world:
            await until(world.sightings)
            world.stages.there = []
            await world.hub._opened.reconciliation.run()
            (known,) = await world.sightings()
            assert known.person_id == "ada"
            world.stages.people.clear()
            await world.hub._opened.reconciliation.run()
            assert await world.sightings() == []

    run(scenario())


def test_what_a_file_ends_with_is_noted_when_that_can_be_done(worlds: Worlds) -> None:
    stages, eye, noted = Stages(), Scene(last=8), list[Observation]()
    away = 3

    async def opens(camera: Camera) -> Scene:
        assert not eye.closed, "the file is played again"
        return eye

    async def look(photo: Photo) -> PhotoResult | FacegroupError:
        return (await stages.see([photo]))[0]

    async def note(camera: Camera, observations: tuple[Observation, ...]) -> bool:
        nonlocal away
        if observations[0].ended and away:
            away -= 1
            raise StoreUnavailable("the store is away")
        noted.extend(observations)
        return False

    async def scenario() -> None:
        watch = CameraTask(DOOR, "net", opens, look, note)
        task = asyncio.ensure_future(watch.run())
        ended = await until(lambda: next((each for each in noted if each.ended), None))
        assert (ended.person_id, ended.frames, away) == ("ada", 8, 0)
        await until(lambda: watch.condition().status == Status("ended"))
        assert eye.closed
        assert watch.condition().restarts == 0
        task.cancel()
        await asyncio.wait([task])

    run(scenario())


class Looking(Scene):
    """A real eye in this process."""

    def __init__(self, camera: Camera, folder: Path) -> None:
        super().__init__()
        self.eye = CameraReader(camera, Settings(cameras={"folder": folder}).cameras)

    async def next(self, timeout: float) -> tuple[Frame | None, Status]:
        frame = await asyncio.get_running_loop().run_in_executor(None, self.eye.next, timeout)
        return frame, self.eye.status()

    async def close(self) -> None:
        self.eye.close()


@pytest.mark.parametrize("apart", [5, 30, 60, 120, 300])
def test_a_folder_of_pictures_far_apart_is_one_visit(
    worlds: Worlds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, apart: int
) -> None:
    """By its defaults: the gate for motion, two looks, 30 s of cooldown."""
    monkeypatch.setattr("facegroup.cameras.sightings.book.FLUSH_SECONDS", 0.0)
    folder = tmp_path / "pictures"
    folder.mkdir()
    began = int(time.time()) - 10_000
    for number in range(6):
        picture = folder / f"{number}.jpg"
        picture.write_bytes(photos.encode(photos.astronaut()))
        os.utime(picture, (began + number * apart,) * 2)
    camera = Camera("door", f"file://{folder}", "group", realtime=False)

    async def scenario() -> None:
        async with worlds(camera, door=[Looking(camera, tmp_path)]) as world:
            one = await until(lambda: _latest_with(world, 6))
            assert one.person_id == "ada"
            assert (one.first_seen, one.last_seen) == (began, began + 5 * apart)
            assert len(await world.sightings()) == 1

    run(scenario())


@pytest.mark.parametrize("old", [3600, 86_400, 60])
def test_a_picture_that_is_written_late_sets_no_clock(tmp_path: Path, old: int) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    camera = Camera("door", f"file://{folder}", "group", confirm=1, motion=False)
    stages, noted = Stages(), list[Observation]()

    async def opens(camera: Camera) -> Looking:
        return Looking(camera, tmp_path)

    async def look(photo: Photo) -> PhotoResult | FacegroupError:
        return (await stages.see([photo]))[0]

    async def note(camera: Camera, observations: tuple[Observation, ...]) -> bool:
        noted.extend(each for each in observations if not each.ended)
        return False

    def write(name: str, at: float) -> float:
        (folder / f"{name}.part").write_bytes(photos.encode(photos.astronaut()))
        os.utime(folder / f"{name}.part", (at, at))
        (folder / f"{name}.part").rename(folder / f"{name}.jpg")
        return at

    async def scenario() -> None:
        watch = CameraTask(camera, "net", opens, look, note)
        task = asyncio.ensure_future(watch.run())
        await until(lambda: watch.condition().status.state == "live")
        await asyncio.sleep(1)  # it has looked for what was there before
        for number, age in enumerate((old, 0)):
            at = write(str(number), time.time() - age)
            await until(lambda: len(noted) > number)  # noqa: B023
            assert abs(noted[-1].last_seen - at) < 5
        task.cancel()
        await asyncio.wait([task])

    run(scenario())


async def _latest_with(world: World, frames: int) -> Sighting | None:
    return next((each for each in await world.sightings() if each.frames == frames), None)


async def _ended(world: World) -> Sighting | None:
    found = await world.sightings()
    return found[0] if found and not found[0].open else None


class Steadily(Scene):
    """Frames of now, with a moment of the camera's machine, whose clock began with it; nobody is there after `last`."""

    def __init__(self, stages: list[Stages], last: int) -> None:
        super().__init__()
        self.stages, self.leaves = stages, last

    async def next(self, timeout: float) -> tuple[Frame | None, Status]:
        await asyncio.sleep(0.1)
        self.number += 1
        if self.number > self.leaves:
            self.stages[0].there = []
        return Frame(b"jpeg", time.time(), 0.0, self.number, 640, 360, moment=time.monotonic() - 12_345), Status("live")


@pytest.mark.parametrize("hours", [-1, 1, -24])
def test_a_clock_that_is_set_ends_no_visit_and_makes_none_longer(
    worlds: Worlds, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    monkeypatch.setattr(hubs, "_TICK_SECONDS", 0.05)
    now, stages = time.time, list[Stages]()
    eye = Steadily(stages, 20)

    async def scenario() -> None:
        async with worlds(replace(DOOR, cooldown=1), door=[eye]) as world:
            stages.append(world.stages)
            (known,) = await until(world.sightings)
            monkeypatch.setattr(time, "time", lambda: now() + 3600 * hours)
            number = eye.number
            await until(lambda: eye.number > number + 3)
            ((same,), events) = await world.sightings(), await world.call(SightingLog.events, 0, 10)
            assert (same.id, same.open, [each.kind for each in events]) == (known.id, True, ["began"])
            one = await until(lambda: _ended(world))
            assert (one.id, one.first_seen) == (known.id, known.first_seen)
            assert 0 < one.last_seen - one.first_seen < 600
            world.stages.there, eye.leaves = [ADA], 10_000
            again = await until(lambda: _latest_but(world, known.id))
            assert abs(again.first_seen - time.time()) < 600  # what is shown is the time of day

    run(scenario())


async def _latest_but(world: World, sighting: str) -> Sighting | None:
    return next((each for each in await world.sightings() if each.id != sighting), None)
