"""Export and import: exact on both stores and between them, refused when damaged, and never half done."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facegroup.errors import (
    ArchiveInvalid,
    ArchiveNewer,
    FacegroupError,
    GalleryExists,
    InvalidName,
    NetworkMismatch,
    SwitchConflict,
    UnknownGallery,
)
from facegroup.store import open_store
from facegroup.store.contract import Changes, Store
from facegroup.store.names import clean_name
from facegroup.store.paging import everybody
from facegroup.store.staging import StagingStore, import_copy
from facegroup.transfer.archive_reader import Archive
from facegroup.transfer.archive_writer import GALLERY_FIELDS, LATER_FIELDS, ArchiveWriter
from facegroup.transfer.export_import import export, take_in
from facegroup.types import Calibration, Gallery, Person, Sample
from tests.unit.store.conftest import store, url  # noqa: F401 (fixtures)
from tests.unit.store.samples import CALIBRATION, NETWORK, D, descriptor, photo_id, sample, strangers
from tests.unit.store.test_damage import Spoil, spoil  # noqa: F401 (a fixture)


def whole(place: Store, name: str) -> list[Any]:
    """All that a gallery holds, but its version."""
    gallery = place.gallery(name)
    people: list[Any] = [replace(gallery, version=0, cohort_version=0, name="")]
    cohort = place.cohort(name)
    people += zip(cohort.ids, map(bytes, cohort.matrix), cohort.sources, cohort.detectors, cohort.dates, strict=True)
    for person in everybody(place, name):
        rows = place.samples(name, person.id, crops=True)
        people.append((person, [(each.id, each.created_at, each.crop, each.descriptor.tobytes()) for each in rows]))
    return people


@pytest.fixture
def place(store: Store) -> StagingStore:  # noqa: F811
    """A store with a gallery of three people, one without samples."""
    store.create_gallery(Gallery("group", NETWORK, D, 0.4375, created_at=12.5))
    for key, numbers in (("ada", [1, 2]), ("bob", []), ("eve", [3])):
        store.create_person("group", f"{key} 曾", {"who": key, "n": [1.5, None]}, key)
        store.add_samples("group", key, [sample(each) for each in numbers], NETWORK)
    store.add_samples("group", "ada", [replace(sample(9), crop=None)], NETWORK)
    return cast(StagingStore, store)


@pytest.fixture
def file(place: StagingStore, tmp_path: Path) -> Path:
    path = tmp_path / "group.zip"
    export(place, "group", path)
    return path


def test_round_trip_on_one_store(place: StagingStore, file: Path) -> None:
    with Archive(file) as archive:
        made = take_in(place, archive, "again")
    assert whole(place, "again") == whole(place, "group")
    assert (made.people, made.threshold, made.created_at) == (3, 0.4375, 12.5)
    assert [each.name for each in place.galleries()] == ["again", "group"]
    np.testing.assert_array_equal(place.centroids("again").matrix, place.centroids("group").matrix)


def test_policies_and_calibration_go_along_and_a_file_of_format_1_has_none(place: StagingStore, file: Path) -> None:
    place.update_gallery("group", quality="strict", probe_quality="standard", calibration=CALIBRATION, unique=False)
    export(place, "group", file)
    with Archive(file) as archive:
        made = take_in(place, archive, "again")
    assert (made.quality, made.probe_quality, made.calibration) == ("strict", "standard", CALIBRATION)
    assert made.unique is False

    def older(members: dict[str, bytes]) -> None:
        found = json.loads(members["manifest.json"])
        kept = {key: found["gallery"][key] for key in GALLERY_FIELDS}
        members["manifest.json"] = json.dumps({**found, "format_version": 1, "gallery": kept}).encode()
        members["00000/people.jsonl"] = members["00000/people.jsonl"].replace(b', "counter": false', b"")

    forged(file, older)
    with Archive(file) as archive:
        made = take_in(place, archive, "older")
    assert (made.people, made.quality, made.calibration, made.unique) == (3, "off", None, True)


def test_a_file_of_format_2_is_read(place: StagingStore, file: Path) -> None:
    def older(members: dict[str, bytes]) -> None:
        found = json.loads(members["manifest.json"])
        kept = {key: value for key, value in found["gallery"].items() if key != "unique"}
        members["manifest.json"] = json.dumps({**found, "format_version": 2, "gallery": kept}).encode()

    forged(file, older)
    with Archive(file) as archive:
        made = take_in(place, archive, "older")
    assert (made.people, made.unique) == (3, True)


@pytest.mark.parametrize(
    "changes", [{"decision": "cohort"}, {"liveness": "enrol"}, {"detector": "yunet"}, {"fingerprint": photo_id(3)}]
)
def test_a_file_is_of_format_4_only_where_older_versions_would_lose_something(
    place: StagingStore, file: Path, changes: Changes
) -> None:
    with Archive(file) as archive:
        assert archive.manifest["format_version"] == 3
        assert (archive.gallery.decision, archive.gallery.liveness) == ("cosine", "off")
    place.update_gallery("group", **changes)
    export(place, "group", file)
    with Archive(file) as archive:
        assert archive.manifest["format_version"] == 4
        made = take_in(place, archive, "again")
    assert {name: getattr(made, name) for name in changes} == changes

    def wrong(members: dict[str, bytes]) -> None:
        found = json.loads(members["manifest.json"])
        settings = found["gallery"] | dict.fromkeys(changes, "something\nelse")
        members["manifest.json"] = json.dumps({**found, "gallery": settings}).encode()

    forged(file, wrong)
    with pytest.raises(ArchiveInvalid):
        Archive(file)


@pytest.mark.parametrize(
    ("made", "version"),
    [
        (replace(CALIBRATION, decision="cohort"), 4),
        (replace(CALIBRATION, detector="yunet"), 4),
        (replace(CALIBRATION, detector="mtcnn"), 3),
        (CALIBRATION, 3),
    ],
)
def test_no_older_version_takes_a_calibration_for_another(
    place: StagingStore, file: Path, made: Calibration, version: int
) -> None:
    place.update_gallery("group", decision=made.decision, calibration=made)
    place.update_gallery("group", decision="cosine", threshold=0.4)
    export(place, "group", file)
    with Archive(file) as archive:
        assert archive.manifest["format_version"] == version
        brought = take_in(place, archive, "again")
    assert (brought.decision, brought.threshold, brought.calibration) == ("cosine", 0.4, made)


def test_the_detectors_of_samples_go_along(place: StagingStore, file: Path) -> None:
    person = place.create_person("group", "Zoe").id
    place.add_samples("group", person, [replace(sample(70), detector="yunet"), sample(71)], NETWORK)
    export(place, "group", file)
    with Archive(file) as archive:
        assert archive.manifest["format_version"] == 4
        take_in(place, archive, "again")
    assert [each.detector for each in place.samples("again", person)] == ["yunet", ""]
    assert whole(place, "again") == whole(place, "group")
    for wrong in (b'"a\\u0000b"', b"1", b"null", b"[]"):

        def spoilt(members: dict[str, bytes], wrong: bytes = wrong) -> None:
            members["00000/people.jsonl"] = members["00000/people.jsonl"].replace(b'"yunet"', wrong)

        export(place, "group", file)
        forged(file, spoilt)
        with Archive(file) as archive, pytest.raises(ArchiveInvalid):
            take_in(place, archive, "spoilt")

    def older(members: dict[str, bytes]) -> None:
        found = json.loads(members["manifest.json"])
        kept = {key: value for key, value in found["gallery"].items() if key not in LATER_FIELDS[4]}
        members["manifest.json"] = json.dumps({**found, "format_version": 3, "gallery": kept}).encode()

    export(place, "group", file)
    forged(file, older)
    with Archive(file) as archive, pytest.raises(ArchiveInvalid):  # format 3 has no detectors
        take_in(place, archive, "spoilt")


def test_the_cohort_goes_along(place: StagingStore, file: Path) -> None:
    one, two = strangers(41, 42)
    two = replace(two, source="unknown", detector="yunet", created_at=77.25)
    place.add_cohort("group", [one, two], NETWORK)
    export(place, "group", file)
    assert place.audit("group")[-1].event.detail["cohort"] == 2
    with Archive(file) as archive:
        assert (archive.manifest["format_version"], archive.manifest["cohort"]) == (4, 2)
        made = take_in(place, archive, "again")
    assert (made.cohort_size, place.audit("again")[-1].event.detail["cohort"]) == (2, 2)
    assert whole(place, "again") == whole(place, "group")
    assert not any(each.name.endswith("import") for each in place.galleries())


def test_a_cohort_that_changes_during_the_export_is_in_the_file_as_it_is_at_its_end(
    place: StagingStore, file: Path
) -> None:
    place.add_cohort("group", strangers(41, 42), NETWORK)

    def meanwhile(count: int) -> None:
        place.erase_cohort("group", [photo_id(41)])
        place.add_cohort("group", strangers(43), NETWORK)

    export(place, "group", file, meanwhile)
    with Archive(file) as archive:
        assert [each.id for each in archive.cohort()] == [photo_id(42), photo_id(43)]


COHORTS: dict[str, Callable[[dict[str, bytes]], object]] = {
    "fewer than said": lambda m: edit(m, lambda found: found.update(cohort=3)),
    "none said": lambda m: edit(m, lambda found: found.pop("cohort")),
    "no number": lambda m: edit(m, lambda found: found.update(cohort=True)),
    "negative": lambda m: edit(m, lambda found: found.update(cohort=-2)),
    "format 3": lambda m: edit(m, lambda found: found.update(format_version=3)),
    "a member is missing": lambda m: m.pop("cohort.npy"),
    "one is twice": lambda m: m.update({"cohort.jsonl": 2 * m["cohort.jsonl"].splitlines(keepends=True)[0]}),
    "one line": lambda m: m.update({"cohort.jsonl": m["cohort.jsonl"].splitlines()[0]}),
    "no id": lambda m: m.update({"cohort.jsonl": m["cohort.jsonl"].replace(b'"id": "0', b'"id": "x')}),
    "another source": lambda m: m.update({"cohort.jsonl": m["cohort.jsonl"].replace(b'"given"', b'"camera"')}),
    "a source that is none": lambda m: m.update({"cohort.jsonl": m["cohort.jsonl"].replace(b'"given"', b"[]")}),
    "no date": lambda m: m.update(
        {"cohort.jsonl": m["cohort.jsonl"].replace(b'"created_at": ', b'"created_at": -NaN')}
    ),
    "a name": lambda m: m.update({"cohort.jsonl": m["cohort.jsonl"].replace(b"{", b'{"name": "Ann", ')}),
    "no JSON": lambda m: m.update({"cohort.jsonl": b"\xff"}),
    "other numbers": lambda m: m.update({"cohort.npy": m["cohort.npy"][:-64] + bytes(64)}),
    "fewer numbers": lambda m: m.update({"cohort.npy": m["cohort.npy"][:-4]}),
}


def edit(members: dict[str, bytes], change: Callable[[dict[str, Any]], object]) -> None:
    found = json.loads(members["manifest.json"])
    change(found)
    members["manifest.json"] = json.dumps(found).encode()


@pytest.mark.parametrize("how", COHORTS)
def test_a_forged_cohort_is_refused_and_leaves_nothing(tmp_path: Path, how: str) -> None:
    held, file = cast(StagingStore, open_store(f"sqlite:///{tmp_path}/g.db")), tmp_path / "group.zip"
    held.create_gallery(Gallery("group", NETWORK, D, 0.4))
    held.add_cohort("group", strangers(41, 42), NETWORK)
    export(held, "group", file)
    forged(file, COHORTS[how])
    with pytest.raises(ArchiveInvalid), Archive(file) as archive:
        take_in(held, archive, "again")
    assert [each.name for each in held.galleries()] == ["group"]
    with pytest.raises(UnknownGallery):
        held.gallery(import_copy("again"))
    held.close()


def test_round_trip_between_the_stores(tmp_path: Path, redis_url: str) -> None:
    here, there = open_store(f"sqlite:///{tmp_path}/one.db"), open_store(redis_url)
    here.create_gallery(Gallery("group", NETWORK, D, 0.4))
    here.create_person("group", "Ada", {"a": 1}, "ada")
    here.add_samples("group", "ada", [sample(1), sample(2)], NETWORK)
    files = [tmp_path / "one.zip", tmp_path / "two.zip"]
    export(here, "group", files[0])
    with Archive(files[0]) as archive:
        take_in(cast(StagingStore, there), archive)
    assert whole(there, "group") == whole(here, "group")
    export(there, "group", files[1])
    with Archive(files[1]) as archive:
        take_in(cast(StagingStore, here), archive, "back")
    assert whole(here, "back") == whole(here, "group")
    here.close()
    there.close()


def _fine(name: str) -> bool:
    try:
        return clean_name(name) == name
    except InvalidName:
        return False


people = st.lists(
    st.tuples(
        st.text(max_size=20).filter(_fine),
        st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=9), max_size=2),
        st.lists(st.tuples(st.integers(0, 9**9), st.none() | st.binary(min_size=1, max_size=40)), max_size=4,
                 unique_by=lambda each: each[0]),
        st.floats(1, 2**40), st.floats(1, 2**40),
    ),
    max_size=5,
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people, st.floats(-1, 1))
def test_whatever_was_written_is_read(tmp_path: Path, drawn: list[Any], threshold: float) -> None:
    everyone = [
        (Person(f"p{i}", name, notes, len(rows), made, changed),
         [Sample(photo_id(n), descriptor(n), crop, made) for n, crop in rows])
        for i, (name, notes, rows, made, changed) in enumerate(drawn)
    ]  # fmt: skip
    path = tmp_path / "drawn.zip"
    gallery = Gallery("g", NETWORK, D, threshold, True, 7, len(everyone), 3.0)
    with path.open("wb") as to:
        writer = ArchiveWriter(to, D)
        for person, rows in everyone:
            writer.write(person, rows)
        writer.close(gallery)
    with Archive(path) as archive:
        read = [each for chunk in archive.chunks() for each in chunk]
    assert archive.gallery == replace(gallery, people=0)
    assert [person for person, _ in read] == [person for person, _ in everyone]
    for (_, mine), (_, theirs) in zip(read, everyone, strict=True):
        assert [(s.id, s.created_at, s.crop, s.descriptor.tobytes()) for s in mine] == [
            (s.id, s.created_at, s.crop, s.descriptor.tobytes()) for s in theirs
        ]


def test_many_chunks_are_one_gallery(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with path.open("wb") as to:
        writer = ArchiveWriter(to, D)
        for number in range(2500):
            writer.write(Person(f"p{number:05d}", "P", {}, 0, 1.0, 1.0), [replace(sample(number), created_at=1.0)])
        assert writer.close(Gallery("g", NETWORK, D, 0.4, created_at=1.0))["chunks"] == 3
    place = cast(StagingStore, open_store(f"sqlite:///{tmp_path}/m.db"))
    with Archive(path) as archive:
        assert take_in(place, archive).people == 2500
    place.close()


def test_every_flipped_byte_and_every_cut_is_refused(place: StagingStore, file: Path) -> None:
    data = file.read_bytes()
    step = max(1, len(data) // 400)
    damaged = [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in [*range(0, len(data), step), len(data) - 1]]
    damaged += [data[:at] for at in (0, 1, 63, 64, 65, len(data) // 2, len(data) - 1)] + [data + b"0", b"0" * 500]
    for each in damaged:
        file.write_bytes(each)
        with pytest.raises(ArchiveInvalid):
            Archive(file)


def forged(file: Path, change: Callable[[dict[str, bytes]], object], *, deflate: bool = False) -> None:
    """Write the file anew with other members, and with every sum right: as somebody would who means harm."""
    with zipfile.ZipFile(file) as old:
        members = {name: old.read(name) for name in old.namelist()}
    change(members)
    manifest = json.loads(members.pop("manifest.json"))
    for name in manifest["members"]:
        if name in members:
            data = members[name]
            manifest["members"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    members["manifest.json"] = json.dumps(manifest).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED) as new:
        new.comment = b"0" * 64
        for name, data in members.items():
            new.writestr(name, data)
    body = out.getvalue()[:-64]
    file.write_bytes(body + hashlib.sha256(body).hexdigest().encode())


def lines(edit: Callable[[list[Any]], object]) -> Callable[[dict[str, bytes]], object]:
    def change(members: dict[str, bytes]) -> None:
        rows = [json.loads(line) for line in members["00000/people.jsonl"].splitlines()]
        edit(rows)
        members["00000/people.jsonl"] = b"\n".join(json.dumps(row).encode() for row in rows) + b"\n"

    return change


def manifest(**given: Any) -> Callable[[dict[str, bytes]], object]:
    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = json.dumps({**json.loads(members["manifest.json"]), **given}).encode()

    return change


def array(value: Any) -> Callable[[dict[str, bytes]], object]:
    def change(members: dict[str, bytes]) -> None:
        out = io.BytesIO()
        np.save(out, value, allow_pickle=True)
        members["00000/descriptors.npy"] = out.getvalue()

    return change


ROWS = np.stack([descriptor(each) for each in (1, 2, 9, 3)])
SPOILT = ROWS.copy()
SPOILT[0, 0] = np.nan


def nested(depth: int) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for _ in range(depth - 1):
        whole = {"a": whole}
    return whole


FORGED = {
    "other format": manifest(format="zip"),
    "not a version": manifest(format_version="1"),
    "true is no version": manifest(format_version=True),
    "fewer people than said": manifest(people=4),
    "more samples than said": manifest(samples=3),
    "crops miscounted": manifest(crops=0),
    "chunk missing": manifest(chunks=0),
    "chunks beyond": manifest(chunks=10**9),
    "settled nowhere": manifest(settled=-1),
    "erased who never was": manifest(erased=["zoe"]),
    "erased is no id": manifest(erased=[{}]),
    "no gallery": manifest(gallery={}),
    "no members": manifest(members={}),
    "threshold": lambda m: manifest(gallery={**json.loads(m["manifest.json"])["gallery"], "threshold": 7})(m),
    "threshold no number": lambda m: manifest(gallery={**json.loads(m["manifest.json"])["gallery"], "threshold": "x"})(
        m
    ),
    "dimension": lambda m: manifest(gallery={**json.loads(m["manifest.json"])["gallery"], "dimension": 17})(m),
    "a path for a name": lambda m: manifest(gallery={**json.loads(m["manifest.json"])["gallery"], "name": "../x"})(m),
    "missing member": lambda m: m.pop("00000/crops.bin"),
    "extra member": lambda m: m.update({"../../etc/cron.d/x": b"x", "manifest.json": m.pop("manifest.json")}),
    "absolute member": lambda m: m.update({"/x": m.pop("00000/crops.bin"), "manifest.json": m.pop("manifest.json")}),
    "no manifest": lambda m: m.update({"z": b""}),
    "float64": array(ROWS.astype(np.float64)),
    "big-endian": array(ROWS.astype(">f4")),
    "one row less": array(ROWS[:3]),
    "one row more": array(np.concatenate([ROWS, ROWS[:1]])),
    "flat": array(ROWS.ravel()),
    "by column": array(np.asfortranarray(ROWS)),
    "pickled": array(np.array([{"a": 1}] * 4, object)),
    "not of unit length": array(ROWS * 2),
    "not finite": array(SPOILT),
    "no array": lambda m: m.update({"00000/descriptors.npy": b"no"}),
    "same person twice": lines(lambda rows: rows.append({**rows[1]})),
    "same sample twice": lines(lambda rows: rows[0]["samples"][1].update(id=rows[0]["samples"][0]["id"])),
    "an id that is a path": lines(lambda rows: rows[0].update(id="../a")),
    "a name with a slash": lines(lambda rows: rows[0].update(name="a/b")),
    "the stranger's name": lines(lambda rows: rows[0].update(name="not in the dataset")),
    "a name that is no text": lines(lambda rows: rows[0].update(name=7)),
    "metadata": lines(lambda rows: rows[0].update(metadata=[1])),
    "no metadata": lines(lambda rows: rows[0].update(metadata=None)),
    "metadata too large": lines(lambda rows: rows[0].update(metadata={"a": "x" * (64 << 10)})),
    "metadata too large in another script": lines(lambda rows: rows[0].update(metadata={"a": "曾" * (22 << 10)})),
    "metadata nested too deep": lines(lambda rows: rows[0].update(metadata=nested(33))),
    "metadata nested in lists": lines(lambda rows: rows[0].update(metadata={"a": [[nested(31)]]})),
    "metadata with NaN": lines(lambda rows: rows[0].update(metadata={"a": float("nan")})),
    "metadata with half a pair": lines(lambda rows: rows[0].update(metadata={"a": "\ud800"})),
    "a name that is an answer": lines(lambda rows: rows[0].update(name="poor_quality")),
    "unknown field": lines(lambda rows: rows[0].update(face="x")),
    "field missing": lines(lambda rows: rows[0].pop("name")),
    "date": lines(lambda rows: rows[0].update(created_at="now")),
    "sample's id": lines(lambda rows: rows[0]["samples"][0].update(id="x")),
    "sample's date": lines(lambda rows: rows[0]["samples"][0].update(created_at=None)),
    "crop too long": lines(lambda rows: rows[0]["samples"][0].update(crop=10**6)),
    "crop negative": lines(lambda rows: rows[0]["samples"][0].update(crop=-1)),
    "not JSON": lambda m: m.update({"00000/people.jsonl": b"{"}),
    "a list for a person": lambda m: m.update({"00000/people.jsonl": b"[]\n"}),
    "nested deep": lambda m: m.update({"00000/people.jsonl": b"[" * 10**5}),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_is_forged_is_refused_and_leaves_nothing(tmp_path: Path, what: str) -> None:
    place = cast(StagingStore, open_store(f"sqlite:///{tmp_path}/g.db"))
    place.create_gallery(Gallery("group", NETWORK, D, 0.4))
    for key, numbers in (("ada", [1, 2, 9]), ("eve", [3])):
        place.create_person("group", key, {}, key)
        place.add_samples("group", key, [sample(each) for each in numbers], NETWORK)
    file = tmp_path / "group.zip"
    export(place, "group", file)
    forged(file, lambda members: None)
    Archive(file).close()  # the forger's hand is good
    forged(file, FORGED[what])
    before = whole(place, "group")
    with pytest.raises(ArchiveInvalid), Archive(file) as archive:
        take_in(place, archive, "stolen")
    with pytest.raises(UnknownGallery):
        place.gallery("stolen")
    with pytest.raises(UnknownGallery):
        place.gallery(import_copy("stolen"))
    assert whole(place, "group") == before
    place.close()


def test_a_bomb_and_a_newer_format(file: Path) -> None:
    data = file.read_bytes()
    forged(file, lambda members: members.update({"00000/crops.bin": bytes(50 << 20)}), deflate=True)
    assert file.stat().st_size < 1 << 20
    with pytest.raises(ArchiveInvalid):
        Archive(file)
    file.write_bytes(data)
    forged(file, manifest(format_version=5))
    with pytest.raises(ArchiveNewer):
        Archive(file)


def test_a_gallery_in_the_way(place: StagingStore, file: Path) -> None:
    with Archive(file) as archive:
        with pytest.raises(GalleryExists):
            take_in(place, archive)
        place.create_gallery(Gallery("other", "other-network", D, 0.4))
        with pytest.raises(NetworkMismatch):
            take_in(place, archive, "other", replaces=True)
        place.create_gallery(Gallery("empty", NETWORK, D, 0.1))
        assert take_in(place, archive, "empty").threshold == 0.4375
        version = place.version("group")
        before = whole(place, "group")
        place.delete_person("group", "ada")
        assert take_in(place, archive, replaces=True).version > version + 1
    assert whole(place, "group") == before


def test_an_import_that_was_cut_off_is_not_seen_and_begins_anew(place: StagingStore, file: Path) -> None:
    place.create_gallery(Gallery(import_copy("again"), "half", 3, 0.4))  # as a process that was killed leaves it
    with Archive(file) as archive:
        take_in(place, archive, "again")
    assert whole(place, "again") == whole(place, "group")


def test_an_import_is_refused_when_somebody_was_faster(place: StagingStore, file: Path) -> None:
    def meanwhile(count: int) -> None:
        place.create_gallery(Gallery("again", NETWORK, D, 0.4))
        place.create_person("again", "First", person_id="first")

    with Archive(file) as archive, pytest.raises(GalleryExists):
        take_in(place, archive, "again", tell=meanwhile)
    assert [each.id for each in place.people("again")] == ["first"]


def test_who_changes_during_an_export_is_in_it_as_they_are_at_its_end(place: StagingStore, tmp_path: Path) -> None:
    def meanwhile(count: int) -> None:
        if place.gallery("group").people == 3:
            place.delete_person("group", "ada")
            place.create_person("group", "Zoe", person_id="zoe")
            place.add_samples("group", "zoe", [sample(7)], NETWORK)
            place.update_person("group", "bob", name="Bobby")
            place.create_person("group", "Aaron", person_id="aaron")

    export(place, "group", tmp_path / "moving.zip", meanwhile)
    with Archive(tmp_path / "moving.zip") as archive:
        assert archive.gallery.version == place.version("group")
        take_in(place, archive, "again")
    assert whole(place, "again") == whole(place, "group")


def test_an_export_of_a_gallery_that_is_replaced_meanwhile(place: StagingStore, file: Path, tmp_path: Path) -> None:
    def meanwhile(count: int) -> None:
        with Archive(file) as archive:
            take_in(place, archive, replaces=True)

    with pytest.raises(SwitchConflict):
        export(place, "group", tmp_path / "replaced.zip", meanwhile)
    assert not list(tmp_path.glob("replaced*"))


@pytest.mark.parametrize("name", ["missing/folder/x.zip", "."])
def test_a_file_that_cannot_be_written(place: StagingStore, tmp_path: Path, name: str) -> None:
    with pytest.raises(FacegroupError):
        export(place, "group", tmp_path / name)


def test_who_is_damaged_is_named_and_the_others_are_in_the_file(
    place: StagingStore,
    tmp_path: Path,
    spoil: Spoil,  # noqa: F811
) -> None:
    place.create_person("group", "Zoe", person_id="zoe")
    place.add_samples("group", "zoe", [sample(7)], NETWORK)
    spoil("bob", "record", b"{")
    spoil("ada", "descriptor", b"")

    def meanwhile(count: int) -> None:
        if place.person("group", "ada").name != "Ada":
            place.update_person("group", "ada", name="Ada")
            place.update_person("group", "zoe", name="Zoé")
            spoil("zoe", "record", b"{")

    done = export(place, "group", tmp_path / "some.zip")
    assert done["skipped"] == {"people": ["bob"], "samples": [["ada", photo_id(1)]]}
    assert (done["people"], done["samples"], done["crops"]) == (3, 4, 3)
    again = export(place, "group", tmp_path / "fewer.zip", meanwhile)
    assert again["skipped"]["people"] == ["bob", "zoe"]
    with Archive(tmp_path / "some.zip") as archive:
        assert archive.manifest["skipped"] == done["skipped"]
        assert take_in(place, archive, "again").people == 3
    with Archive(tmp_path / "fewer.zip") as archive:
        assert take_in(place, archive, "fewer").people == 2
