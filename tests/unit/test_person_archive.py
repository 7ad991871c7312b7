"""A person's own copy: all of what is held, through the places that an erasure goes through, and never half of it."""

import asyncio
import io
import json
import sqlite3
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from facegroup import erasure, person_archive
from facegroup.cameras.journal import open_journal
from facegroup.cameras.sightings.journal import NewEvent
from facegroup.cameras.sightings.types import Sighting
from facegroup.cli.person_export import export
from facegroup.erasure import Place, Places
from facegroup.errors import MalformedRequest, UnknownGallery, UnknownPerson
from facegroup.person_archive import archive
from facegroup.settings import Settings, load
from facegroup.store import open_store
from facegroup.store.contract import Erased, Store
from facegroup.store.person_copy import Item
from facegroup.store.staging import previous_copy
from facegroup.types import CohortMember, Gallery, Person
from tests.unit.store.samples import NETWORK, D, sample

NAME = "Ann/../../etc \u202egpj.exe"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(store=f"sqlite:///{tmp_path}/g.db", gallery="choir")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings.store)
    store.create_gallery(Gallery("choir", NETWORK, D, 0.4))
    for who in ("ann", "bo"):
        store.create_person("choir", who, {"note": who}, who)
    store.add_samples("choir", "ann", [sample(1), sample(2), replace(sample(3), counter=True)], NETWORK)
    store.add_samples("choir", "bo", [sample(4)], NETWORK)
    yield store
    store.close()


def seen(settings: Settings, count: int, crops: int) -> None:
    """Note so many visits of each of two members, the first ones with a face."""
    with closing(open_journal(settings.store)) as journal:
        for number in range(count):
            for who in ("ann", "bo"):
                key = f"{number:031x}{int(who == 'bo')}"
                one = Sighting(key, "door", "choir", who, None, NAME, 1e9 + number, 1e9 + number, 3, 0.8, key)
                crop = f"jpeg of {who}".encode() if number < crops else None
                journal.record([NewEvent("began", replace(one, crop=crop is not None), crop)])


def unpacked(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as whole:
        assert whole.testzip() is None
        return {name: whole.read(name) for name in whole.namelist()}


def rows(data: bytes) -> list[Any]:
    return [json.loads(line) for line in data.splitlines()]


def test_all_that_is_held_is_in_the_file_and_nothing_of_others(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    seen(settings, 3, 2)
    store.add_cohort("choir", [CohortMember(sample(1).id, sample(1).descriptor)], NETWORK)
    export(store, settings, "ann", tmp_path / "ann.zip")
    files = unpacked(tmp_path / "ann.zip")
    (person,) = rows(files["person.json"])
    assert (person["id"], person["name"], person["metadata"], person["unreadable_photos"]) == (
        "ann",
        "ann",
        {"note": "ann"},
        [],
    )
    assert {each["id"] for each in rows(files["photos.jsonl"])} == {sample(1).id, sample(2).id}
    assert len(rows(files["photos.jsonl"])[0]["descriptor"]) == D
    assert files[f"photos/{sample(1).id}.jpg"] == sample(1).crop
    assert [each["id"] for each in rows(files["counter-examples.jsonl"])] == [sample(3).id]
    assert files[f"counter-examples/{sample(3).id}.jpg"] == sample(3).crop
    assert len(rows(files["sightings.jsonl"])) == len(rows(files["events.jsonl"])) == 3
    assert sorted(name for name in files if name.startswith("sightings/")) == [
        f"sightings/{number:031x}0.jpg" for number in range(2)
    ]
    assert [each["id"] for each in rows(files["cohort.jsonl"])] == [sample(1).id]
    assert [each["event"]["what"] for each in rows(files["audit.jsonl"])] == ["created", "enrolled", "copied"]
    for name in files:
        assert name == "README.txt" or name.partition("/")[0].partition(".")[0] in person_archive.README, name
    told = {name: data for name, data in files.items() if name != "README.txt"}
    assert not any(b'"bo"' in data or b"jpeg of bo" in data or sample(4).id.encode() in data for data in told.values())
    assert (tmp_path / "ann.zip").stat().st_mode & 0o77 == 0


def test_an_erasure_leaves_nothing_that_the_copy_would_hold(store: Store, settings: Settings, tmp_path: Path) -> None:
    seen(settings, 2, 2)
    store.delete_person("choir", "ann")
    with pytest.raises(UnknownPerson):
        export(store, settings, "ann", tmp_path / "ann.zip")
    assert not list(tmp_path.glob("ann.zip*"))


def test_copies_beside_the_gallery_are_in_the_file(store: Any, settings: Settings, tmp_path: Path) -> None:
    copy = previous_copy("choir")
    store.create_gallery(Gallery(copy, NETWORK, D, 0.4))
    store.put_people(copy, [(Person("ann", "Anna", {}, 1, 1e9, 1e9), [sample(9)])])
    export(store, settings, "ann", tmp_path / "ann.zip")
    files = unpacked(tmp_path / "ann.zip")
    assert rows(files["copies/previous/person.json"])[0]["name"] == "Anna"
    assert [each["id"] for each in rows(files["copies/previous/photos.jsonl"])] == [sample(9).id]


def test_visits_are_read_page_by_page(store: Store, settings: Settings, tmp_path: Path) -> None:
    seen(settings, 205, 205)
    export(store, settings, "ann", tmp_path / "ann.zip")
    files = unpacked(tmp_path / "ann.zip")
    assert len({each["id"] for each in rows(files["sightings.jsonl"])}) == 205
    assert len(rows(files["events.jsonl"])) == sum(name.startswith("sightings/") for name in files) == 205


def test_names_are_in_no_file_name_and_text_is_ascii(store: Store, settings: Settings, tmp_path: Path) -> None:
    seen(settings, 1, 1)
    export(store, settings, "ann", tmp_path / "ann.zip")
    files = unpacked(tmp_path / "ann.zip")
    assert not any(".." in name or not name.isascii() or name.startswith("/") for name in files)
    assert files["sightings.jsonl"].isascii()
    assert rows(files["sightings.jsonl"])[0]["name"] == NAME


def test_a_damaged_sample_is_named_and_the_others_are_there(store: Store, settings: Settings, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "g.db")) as db:
        db.execute("UPDATE samples SET descriptor = x'00' WHERE id = ?", (sample(1).id,))
        db.commit()
    export(store, settings, "ann", tmp_path / "ann.zip")
    files = unpacked(tmp_path / "ann.zip")
    assert rows(files["person.json"])[0]["unreadable_photos"] == [sample(1).id]
    assert [each["id"] for each in rows(files["photos.jsonl"])] == [sample(2).id]


def test_ten_thousand_sightings_are_written_piece_by_piece() -> None:
    class Many:
        def __init__(self, count: int) -> None:
            self.count = count

        async def erase(self, gallery: str, person_id: str | None = None) -> Any:
            raise AssertionError

        async def copy(self, gallery: str, person_id: str) -> AsyncIterator[Item]:
            for number in range(self.count):
                yield Item.line("sightings.jsonl", {"number": number})
            for number in range(self.count):
                yield Item(f"sightings/{number}.jpg", bytes(2000))

    async def parts() -> list[bytes]:
        return [part async for part in archive(Places(Many(10_000), Many(0)), "choir", "ann")]

    found = asyncio.run(parts())
    assert max(map(len, found[:-2])) < 70_000
    with zipfile.ZipFile(io.BytesIO(b"".join(found))) as whole:
        assert len(rows(whole.read("sightings.jsonl"))) == 10_000


def test_who_is_erased_meanwhile_gets_no_file(store: Store, settings: Settings, tmp_path: Path) -> None:
    whole = store.audit

    def erasing(*given: Any) -> Any:
        if "ann" in [each.id for each in store.people("choir")]:
            store.delete_person("choir", "ann")
        return whole(*given)

    store.audit = erasing  # type: ignore[assignment,method-assign]
    with pytest.raises(UnknownPerson):
        export(store, settings, "ann", tmp_path / "ann.zip")
    assert not list(tmp_path.glob("ann.zip*"))


def test_a_file_that_is_there_is_left_alone(store: Store, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "ann.zip").write_bytes(b"mine")
    with pytest.raises(MalformedRequest, match="already"):
        export(store, settings, "ann", tmp_path / "ann.zip")
    assert (tmp_path / "ann.zip").read_bytes() == b"mine"
    with pytest.raises(UnknownGallery):
        export(store, load(store=settings.store, gallery="nobody"), "ann", tmp_path / "b.zip")


def test_erasure_and_copy_go_through_one_list() -> None:
    """A new place is a field of `Places`; `Place` asks that it can do both, and both go through all fields."""
    assert {name for name in vars(Place) if name in ("erase", "copy")} | {"erase"} == {"erase", "copy"}
    kinds = get_type_hints(Places)
    assert all(kind.__origin__ is Place for kind in kinds.values())
    asked: list[str] = []

    class One:
        def __init__(self, name: str, removed: Any) -> None:
            self.name, self.removed = name, removed

        async def erase(self, gallery: str, person_id: str | None = None) -> Any:
            asked.append(f"erase {self.name}")
            return self.removed

        async def copy(self, gallery: str, person_id: str) -> AsyncIterator[Item]:
            asked.append(f"copy {self.name}")
            yield Item("x", b"")

    places = Places(
        **{each.name: One(each.name, 0 if each.name == "sightings" else Erased(1, 1, 1)) for each in fields(Places)}
    )
    asyncio.run(places.erase("choir", "ann"))

    async def copied() -> None:
        async for _ in archive(places, "choir", "ann"):
            pass

    asyncio.run(copied())
    assert {each.name for each in fields(Places)} == {word.split()[1] for word in asked if word.startswith("erase")}
    assert {each.name for each in fields(Places)} == {word.split()[1] for word in asked if word.startswith("copy")}
    assert erasure.Places is Places
