"""Many people at once: an error of one is that one's, the run goes on, and the report says what was done."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from facegroup.cli import bulk
from facegroup.cli.bulk import Report
from facegroup.cli.service import Service
from facegroup.enrolment.samples import Chosen, Enrolment, Refused
from facegroup.errors import (
    BodyTooLarge,
    FacegroupError,
    NetworkMismatch,
    NoFace,
    Overloaded,
    StoreUnavailable,
    TimedOut,
    UnknownPerson,
)
from facegroup.images.folders import Skipped
from facegroup.images.layout import Wanted
from facegroup.store.contract import Enrolled
from facegroup.types import FaceChoice, Person


class Fake:
    """A service of which `judge` says what happens to a photo."""

    def __init__(self, judge: Callable[[bytes], FacegroupError | None] = lambda data: None) -> None:
        self.judge = judge
        self.kept: dict[str, list[bytes]] = {}
        self.called: dict[str, str] = {}
        self.erases = True

    @property
    def store(self) -> "Fake":
        return self

    def people(self, gallery: str, after: str = "", limit: int = 100, name: str | None = None) -> list[Person]:
        return [Person(key, called) for key, called in self.called.items() if called == name][:limit]

    def person(self, gallery: str, person_id: str) -> Person:
        if person_id not in self.called:
            raise UnknownPerson("no")
        return Person(person_id, self.called[person_id], samples=len(self.kept[person_id]))

    def create_person(self, gallery: str, name: str, *rest: Any) -> Person:
        if name == "forbidden":
            raise NetworkMismatch("no")
        key = f"id-{len(self.called)}"
        self.called[key], self.kept[key] = name, []
        return self.person(gallery, key)

    def delete_person(self, gallery: str, person_id: str) -> None:
        if not self.erases:
            raise StoreUnavailable("away")
        del self.called[person_id], self.kept[person_id]

    def enrol(
        self, gallery: str, photos: Iterable[tuple[str, bytes]], person_id: str, face: FaceChoice | None, strict: bool
    ) -> Enrolment:
        good, refused = [], []
        for name, data in photos:
            error = self.judge(data)
            if error is not None and not isinstance(error, NoFace | BodyTooLarge):
                raise error
            if error is None:
                good.append((name, data))
            else:
                refused.append(Refused(name, error))
        self.kept[person_id] += [data for _, data in good]
        done = Enrolled(self.person(gallery, person_id), tuple(name for name, _ in good), (), 1)
        return Enrolment(done, tuple(refused), (), (), tuple(Chosen(name, 0, 2) for name, _ in good))

    def names(self) -> list[str]:
        return sorted(self.called.values())


@pytest.fixture
def photos(tmp_path: Path) -> Callable[..., Wanted]:
    def wanted(name: str, *data: bytes, **given: Any) -> Wanted:
        files = []
        for place, each in enumerate(data):
            files.append(tmp_path / f"{name}-{place}.jpg")
            files[-1].write_bytes(each)
        return Wanted(name, tuple(files), (tmp_path / name,), **given)

    return wanted


def run(service: Fake, *wanted: Wanted) -> Report:
    report = Report("g")
    as_service: Service = service  # type: ignore[assignment]
    assert list(bulk.enrol(as_service, report, wanted, "dominant")) == report.people
    return report


def test_all_is_done(photos: Callable[..., Wanted]) -> None:
    service = Fake()
    report = run(service, photos("Ada", b"1", b"2"), photos("Eve", *(b"%d" % each for each in range(40))))
    assert report.status == 0
    assert report.counts() == {
        "people": 2,
        "enrolled": 42,
        "known": 0,
        "refused": 0,
        "failed": 0,
        "not_tried": 0,
        "skipped": 0,
    }
    assert len(report.as_json()["people"][1]["chosen"]) == 40


@pytest.mark.parametrize(("why", "status"), [("unreadable", 1), ("hidden", 0), ("loose", 0)])
def test_what_could_not_be_read_is_not_done(photos: Callable[..., Wanted], why: str, status: int) -> None:
    report = run(Fake(), photos("Ada", b"1"))
    report.skipped = (Skipped(Path("2019"), why, "it is left out"),)
    assert report.status == status


def test_an_error_of_one_is_that_ones(photos: Callable[..., Wanted], tmp_path: Path) -> None:
    service = Fake({b"bad": NoFace("no"), b"large": BodyTooLarge("no")}.get)
    service.called, service.kept = {"a": "Twin", "b": "Twin"}, {"a": [], "b": []}
    report = run(
        service,
        photos("Twin", b"1"),
        photos("x", b"1", error=UnknownPerson("cannot be")),
        photos("Bad", b"bad", b"large"),
        Wanted("Gone", (tmp_path / "gone.jpg",), (tmp_path,)),
        photos("Ada", b"bad", b"1"),
        photos("Twin", b"1", person_id="b"),
    )
    assert report.status == 1
    assert report.error is None
    assert [(each.added, len(each.refused), each.error is not None) for each in report.people] == [
        *[(0, 0, True), (0, 0, True), (0, 2, False), (0, 1, False), (1, 1, False), (1, 0, False)]
    ]
    assert "a, b" in str(report.people[0].error)
    assert "--person ID" in str(report.people[0].error)
    assert service.names() == ["Ada", "Twin", "Twin"], "an empty person was left behind"
    assert [each.person_id for each in report.people[2:4]] == [None, None]
    assert service.kept["b"] == [b"1"]


@pytest.mark.parametrize("error", [Overloaded("full"), StoreUnavailable("away"), NetworkMismatch("no")])
def test_an_error_of_the_server_ends_the_run_and_what_was_done_is_told(
    photos: Callable[..., Wanted], error: FacegroupError
) -> None:
    service = Fake(lambda data: error if data == b"stop" else None)
    report = run(service, photos("Ada", b"1"), photos("Eve", b"stop"), photos("Zoe", b"1"))
    assert (report.status, report.error) == (2, error)
    assert service.names() == ["Ada"], "an empty person was left behind"
    answer = report.as_json()
    assert [row["added"] for row in answer["people"]] == [1, 0]
    assert answer["not_tried"] == ["Zoe"]
    assert answer["error"]["code"] == error.code


def test_ctrl_c_leaves_nobody_empty_and_a_report(photos: Callable[..., Wanted]) -> None:
    def judge(data: bytes) -> None:
        if data == b"stop":
            raise KeyboardInterrupt

    service, report = Fake(judge), Report("g")
    as_service: Service = service  # type: ignore[assignment]
    wanted = [photos("Ada", b"1"), photos("Eve", b"stop"), photos("Zoe", b"1")]
    with pytest.raises(KeyboardInterrupt):
        list(bulk.enrol(as_service, report, wanted, "dominant"))
    answer = report.as_json()
    assert (answer["interrupted"], answer["not_tried"], answer["counts"]["enrolled"]) == (True, ["Zoe"], 1)
    assert service.names() == ["Ada"]


def test_half_a_person_stays(photos: Callable[..., Wanted]) -> None:
    service = Fake(lambda data: StoreUnavailable("away") if data == b"stop" else None)
    report = run(service, photos("Ada", *[b"1"] * 16, b"stop"))
    assert (report.status, report.people[0].added) == (2, 16)
    assert service.names() == ["Ada"]


def test_a_photo_that_takes_too_long_ends_nothing(photos: Callable[..., Wanted]) -> None:
    report = run(
        Fake(lambda data: TimedOut("slow") if data == b"slow" else None), photos("A", b"slow"), photos("B", b"1")
    )
    assert (report.status, report.error) == (1, None)
    assert [each.added for each in report.people] == [0, 1]


def test_who_could_not_be_erased_is_named(photos: Callable[..., Wanted]) -> None:
    service = Fake(lambda data: StoreUnavailable("away"))
    service.erases = False
    (one,) = run(service, photos("Ada", b"1")).people
    assert one.person_id == "id-0"


def test_whom_somebody_else_gave_a_photo_meanwhile_stays(photos: Callable[..., Wanted]) -> None:
    service = Fake()

    def judge(data: bytes) -> FacegroupError:
        service.kept["id-0"].append(b"another's")
        return NoFace("no")

    service.judge = judge
    run(service, photos("Ada", b"1"))
    assert service.names() == ["Ada"]


def test_nothing_enrolled_is_no_success() -> None:
    assert Report("g").status == 1
