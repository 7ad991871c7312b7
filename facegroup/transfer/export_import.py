"""Export of a gallery to a file while others write to it, and import from a file in one step."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from facegroup.errors import (
    GalleryExists,
    MalformedRequest,
    NetworkMismatch,
    StoreInvalid,
    SwitchConflict,
    UnknownGallery,
    UnknownPerson,
)
from facegroup.store import validation
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Cohort, Store, VersionGone
from facegroup.store.names import clean_name
from facegroup.store.paging import everybody
from facegroup.store.staging import StagingStore, import_copy, previous_copy
from facegroup.transfer.archive_reader import Archive
from facegroup.transfer.archive_writer import ArchiveWriter
from facegroup.types import Gallery, Person

Tell = Callable[[int], None]
"""Called with the number of people done since the last call."""

_ROUNDS = 100
_COUNTS = ("people", "samples", "crops", "cohort")
_COHORT_PART = 250


def export(
    store: Store, gallery: str, path: Path, tell: Tell = lambda count: None, by: Origin | None = None
) -> dict[str, Any]:
    """Write a gallery, as it is at one version, to a file that is not there before it is whole.

    People who are changed while it runs are written again at its end, until nobody is. Who is damaged is left out, and
    named by the manifest in `skipped`. The audit log has an entry of it.

    Returns:
        The file's manifest, with the `sha256` of the file.

    Raises:
        UnknownGallery: there is none.
        MalformedRequest: the file cannot be written.
        SwitchConflict: the gallery is changed faster than it can be read, or another took its place.
    """
    found = store.gallery(gallery)
    part = path.with_name(path.name + ".part")
    try:
        with part.open("wb") as file:
            os.chmod(part, 0o600)
            writer = ArchiveWriter(file, found.dimension)
            try:
                for person in everybody(store, gallery):
                    with suppress(UnknownPerson, StoreInvalid):  # erased since, or damaged, which the store knows
                        writer.write(person, store.samples(gallery, person.id, crops=True, counter=None))
                    tell(1)
                writer.settle()
                now, cohort = _catch_up(store, found, writer)
                manifest = writer.close(now, store.skipped(gallery), list(cohort.members()))
            except BaseException:
                writer.abandon()
                raise
            file.flush()
            os.fsync(file.fileno())
        store.note(gallery, Event("exported", None, _counts(manifest)), by=by)
        part.replace(path)
    except OSError as error:
        raise MalformedRequest(f"{path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def take_in(
    store: StagingStore,
    archive: Archive,
    name: str | None = None,
    *,
    replaces: bool = False,
    tell: Tell = lambda count: None,
    by: Origin | None = None,
) -> Gallery:
    """Import a gallery into a staging copy, and switch to it in one step, so that no reader sees half of it.

    An import that is cut off leaves only that copy; the next import of the same name erases it.

    Args:
        store: where to.
        archive: the file.
        name: of the gallery to be; None: as it was exported.
        replaces: whether a gallery of this name with people in it may be replaced; it is erased then.
        tell: called with the number of people done since the last call.
        by: who makes the request, for the audit log.

    Raises:
        ArchiveInvalid: the file is not as it should be.
        GalleryExists: there are people in a gallery of this name, and it is not to be replaced.
        NetworkMismatch: there is a gallery of this name that was made with another network.
        SwitchConflict: somebody else wrote to the gallery, or imports it too; nothing was changed.
    """
    name = clean_name(name or archive.gallery.name, "gallery name")
    with suppress(UnknownGallery):
        _check_place(store.gallery(name), archive.gallery, replaces)
    copy = import_copy(name)
    with suppress(UnknownGallery):
        store.delete_gallery(copy)
    version = store.create_gallery(replace(archive.gallery, name=copy)).version
    expiries: dict[str, float | None] = {}
    try:
        for people in archive.chunks():
            store.put_people(copy, people)
            expiries.update({person.id: person.expires_at for person, _ in people})
            tell(len(people))
        for person_id in archive.manifest["erased"]:
            expiries.pop(person_id, None)
            with suppress(UnknownPerson):
                store.delete_person(copy, person_id)
        cohort = archive.cohort()
        for start in range(0, len(cohort), _COHORT_PART):
            store.add_cohort(copy, cohort[start : start + _COHORT_PART], archive.gallery.network)
        version = store.version(copy)
        fewer = archive.manifest["people"] - store.gallery(copy).people  # who expired was erased here, too
        if not 0 <= fewer <= sum(each is not None and each <= validation.now() for each in expiries.values()):
            raise SwitchConflict(f'Another import of the gallery "{name}" is running. Nothing was changed.')
        try:
            before = store.gallery(name)
        except UnknownGallery:
            expected, replaced = None, 0
        else:
            _check_place(before, archive.gallery, replaces)
            expected, replaced = before.version, before.people
        event = Event(
            "imported", None, {**_counts(archive.manifest), "network": archive.gallery.network, "replaced": replaced}
        )
        store.switch_gallery(name, copy, expected, version, event, by=by)
        with suppress(UnknownGallery):
            store.delete_gallery(previous_copy(name))
    except BaseException:
        with suppress(Exception):
            store.delete_gallery(copy)
        raise
    return store.gallery(name)


def changed(store: Store, gallery: str, since: int) -> tuple[int, dict[str, Person | None]] | None:
    """Return a version, and who was changed since another: the person now, None for one who was erased or is damaged.

    None where the change log does not reach back so far.
    """
    try:
        changes = store.centroids(gallery, since=since)
    except VersionGone:
        return None
    people: dict[str, Person | None] = {}
    for person_id in (*changes.ids, *changes.gone):
        try:
            people[person_id] = store.person(gallery, person_id)
        except (UnknownPerson, StoreInvalid):
            people[person_id] = None
    return changes.version, people


def _counts(manifest: dict[str, Any]) -> dict[str, Any]:
    return {name: manifest[name] for name in _COUNTS if name in manifest}


def _catch_up(store: Store, found: Gallery, writer: ArchiveWriter) -> tuple[Gallery, Cohort]:
    version = found.version
    for _ in range(_ROUNDS):
        cohort = store.cohort(found.name)
        now = store.gallery(found.name)
        if now.version == version and now.cohort_version == cohort.version:
            return now, cohort
        changes = changed(store, found.name, version)
        if changes is None or now.network != found.network:
            break
        version, people = changes
        for person_id, person in people.items():
            try:
                if person is None:
                    raise UnknownPerson
                writer.write(person, store.samples(found.name, person_id, crops=True, counter=None))
            except (UnknownPerson, StoreInvalid):
                writer.erase(person_id)
    raise SwitchConflict(f'The gallery "{found.name}" changes faster than it can be exported. Try again.')


def _check_place(found: Gallery, wanted: Gallery, replaces: bool) -> None:
    if (found.network, found.dimension) != (wanted.network, wanted.dimension):
        raise NetworkMismatch(
            f'the file is of {wanted.network}, and there is a gallery "{found.name}" of {found.network}: import it '
            "under another name, or move one of the two with facegroup migrate"
        )
    if found.people and not replaces:
        raise GalleryExists(f'there is a gallery "{found.name}" with {found.people} people; see --as and --replace')
