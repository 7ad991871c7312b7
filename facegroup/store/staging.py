"""Staging copies: hidden galleries beside a gallery, which nobody outside can name, list or write to.

An import or a migration makes a whole gallery ready on a staging copy while the gallery in its place goes on, and a switch
leaves what it replaced on one. Every write that erases something of a gallery is repeated on its staging copies
(`on_copies`). A name from outside is never a `StagingName`, and one that holds a slash is refused, so that none can be
mistaken for one.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Concatenate, ParamSpec, Protocol

from facegroup.errors import InvalidName, UnknownGallery, UnknownPerson, UnknownPhoto
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Store
from facegroup.store.names import clean_name
from facegroup.types import Person, Sample

_P = ParamSpec("_P")

_IMPORT, _NEXT, _PREVIOUS = "import", "next", "previous"


class StagingName(str):
    """Class of the name of a staging copy: the gallery's, a slash, and which."""

    __slots__ = ()


def is_staging(name: object) -> bool:
    """Whether a name that is kept is that of a staging copy."""
    return isinstance(name, str) and "/" in name


def import_copy(gallery: str) -> StagingName:
    """Return the name of the copy that an import fills; one that was cut off leaves it."""
    return StagingName(f"{gallery}/{_IMPORT}")


def migration_copy(gallery: str) -> StagingName:
    """Return the name of the copy that a migration fills; one that was cut off leaves it."""
    return StagingName(f"{gallery}/{_NEXT}")


def previous_copy(gallery: str) -> StagingName:
    """Return the name of the copy that the last switch made of what it replaced."""
    return StagingName(f"{gallery}/{_PREVIOUS}")


def copies_of(gallery: str) -> tuple[StagingName, ...]:
    """Return the names of all staging copies of a gallery; a copy has none."""
    if isinstance(gallery, StagingName):
        return ()
    try:
        name = clean_name(gallery)
    except InvalidName:
        return ()
    return import_copy(name), migration_copy(name), previous_copy(name)


def on_copies(
    gallery: str, write: Callable[Concatenate[str, _P], object], /, *given: _P.args, **named: _P.kwargs
) -> None:
    """Repeat a write on a gallery's staging copies, on each that has what it is about.

    After the write to the gallery, whose version then holds up a switch. Where the write erases, also after it failed: who
    was erased may be left on a copy by a process that was killed in between.
    """
    for copy in copies_of(gallery):
        with suppress(UnknownGallery, UnknownPerson, UnknownPhoto):
            write(copy, *given, **named)


class StagingStore(Store, Protocol):
    """Class of a `Store` that keeps staging copies too. Its other methods take a `StagingName` for a gallery's name."""

    def put_people(self, copy: StagingName, people: list[tuple[Person, list[Sample]]]) -> int:
        """Write people whole, dates and all, over those of the same id, in one step; return the copy's version.

        `Person.samples` is not looked at: the samples given are all that the person has.

        Raises:
            UnknownGallery: there is no such staging copy.
            InvalidName: an id or a name cannot be accepted.
            InvalidDescriptor: a descriptor is not (d,) finite float32 of unit length.
            MalformedRequest: a sample's id is not 64 hexadecimal digits, metadata is no JSON object, an expiry no time.
        """

    def switch_gallery(
        self,
        gallery: str,
        copy: StagingName,
        expected: int | None,
        made: int,
        event: Event,
        *,
        by: Origin | None = None,
    ) -> int:
        """Put a copy in the gallery's place, and the gallery on its copy `previous_copy`, in one step.

        What lay there is erased, or was the copy itself. The gallery's version goes on above both, and its change log
        begins there: readers load it anew. The audit log, idempotency keys and a note of a loss stay with the name.

        Args:
            gallery: its name.
            copy: one of its staging copies.
            expected: the version at which the gallery must be; None where there must be no gallery.
            made: the version at which the copy must be.
            event: what it is, for the audit log.
            by: who makes the request, for the audit log.

        Returns:
            The gallery's new version.

        Raises:
            SwitchConflict: one of them is at another version, and nothing was done.
        """
