"""Shelves: galleries beside a gallery, that nobody outside can name, list or write to.

On a shelf a whole gallery is made ready (an import, a migration) while the one in its place goes on, and on a shelf
lies what a switch took away. In goes a gallery's name, out come the names of its shelves. A name from outside is never
a `Shelf`, and one that holds a slash is refused, so that none can be mistaken for one.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, Unpack

from facegroup.errors import InvalidName, UnknownGallery, UnknownPerson, UnknownPhoto
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Changes, Merged, Store
from facegroup.store.names import clean_name
from facegroup.types import Gallery, Person, Sample

_P = ParamSpec("_P")
_Answer = TypeVar("_Answer")

_IMPORT, _NEXT, _PREVIOUS = "import", "next", "previous"


class Shelf(str):
    """The name of a shelf: the gallery's, a slash, and which."""

    __slots__ = ()


def on_shelf(name: object) -> bool:
    """Whether a name that is kept is a shelf's."""
    return isinstance(name, str) and "/" in name


def importing(gallery: str) -> Shelf:
    """Return the shelf of an import that is under way, or was cut off."""
    return Shelf(f"{gallery}/{_IMPORT}")


def coming(gallery: str) -> Shelf:
    """Return the shelf of a migration that is under way, or was cut off."""
    return Shelf(f"{gallery}/{_NEXT}")


def previous(gallery: str) -> Shelf:
    """Return the shelf of what the last switch took away."""
    return Shelf(f"{gallery}/{_PREVIOUS}")


def beside(gallery: str) -> tuple[Shelf, ...]:
    """Return all shelves of a gallery; a shelf has none."""
    if isinstance(gallery, Shelf):
        return ()
    try:
        name = clean_name(gallery)
    except InvalidName:
        return ()
    return importing(name), coming(name), previous(name)


def also_on_shelves(
    method: Callable[Concatenate[Any, str, _P], _Answer],
) -> Callable[Concatenate[Any, str, _P], _Answer]:
    """Let a method that erases something of a gallery erase it from the shelves too, before it returns.

    After the gallery, whose version then holds up a switch; and whatever became of it there, since a person who was
    erased may be left on a shelf by a process that was killed in between.
    """

    @wraps(method)
    def everywhere(store: Any, gallery: str, /, *given: _P.args, **named: _P.kwargs) -> _Answer:
        try:
            return method(store, gallery, *given, **named)
        finally:
            for shelf in beside(gallery):
                with suppress(UnknownGallery, UnknownPerson, UnknownPhoto):
                    method(store, shelf, *given, **named)

    return everywhere


def crops_on_shelves(method: Callable[..., Gallery]) -> Callable[..., Gallery]:
    """Let `update_gallery`, where it switches crops off, erase those on the shelves too."""

    @wraps(method)
    def everywhere(store: Any, name: str, *, by: Origin | None = None, **changes: Unpack[Changes]) -> Gallery:
        try:
            return method(store, name, by=by, **changes)
        finally:
            for shelf in beside(name) if changes.get("keep_crops") is False else ():
                with suppress(UnknownGallery):
                    method(store, shelf, keep_crops=False)

    return everywhere


def expiry_on_shelves(method: Callable[..., Person]) -> Callable[..., Person]:
    """Let `update_person`, where it sets an expiry, set it on the shelves too, so that who expires does there as well."""

    @wraps(method)
    def everywhere(
        store: Any, gallery: str, person_id: str, *, expires_at: float | None = None, **named: Any
    ) -> Person:
        done = method(store, gallery, person_id, expires_at=expires_at, **named)
        for shelf in beside(gallery) if expires_at is not None else ():
            with suppress(UnknownGallery, UnknownPerson):
                method(store, shelf, person_id, expires_at=expires_at)
        return done

    return everywhere


def merger_on_shelves(method: Callable[..., Merged]) -> Callable[..., Merged]:
    """Let `merge_people` leave nothing of who is merged into another on the shelves either.

    Where only one of the two is on a shelf, a migration or a rollback makes up for what is missing.
    """

    @wraps(method)
    def everywhere(store: Any, gallery: str, into: str, source: str, *, by: Origin | None = None) -> Merged:
        try:
            done = method(store, gallery, into, source, by=by)
        except UnknownPerson:  # merged before, by a process that was killed before it came to the shelves?
            for shelf in beside(gallery) if _is_gone(store, gallery, source) else ():
                with suppress(UnknownGallery, UnknownPerson):
                    store.delete_person(shelf, source)
            raise
        for shelf in beside(gallery):
            with suppress(UnknownGallery, UnknownPerson):
                try:
                    method(store, shelf, into, source)
                except UnknownPerson:
                    store.delete_person(shelf, source)
        return done

    return everywhere


def _is_gone(store: Any, gallery: str, person_id: str) -> bool:
    try:
        store.person(gallery, person_id)
    except UnknownPerson:
        return True
    return False


class ShelfStore(Store, Protocol):
    """A `Store` that keeps shelves too. Its other methods take a `Shelf` for a gallery's name."""

    def put_people(self, shelf: Shelf, people: list[tuple[Person, list[Sample]]]) -> int:
        """Write people whole, dates and all, over those of the same id, in one step; return the shelf's version.

        `Person.samples` is not looked at: the samples given are all that the person has.

        Raises:
            UnknownGallery: there is no such shelf.
            InvalidName: an id or a name cannot be accepted.
            InvalidDescriptor: a descriptor is not (d,) finite float32 of unit length.
            MalformedRequest: a sample's id is not 64 hexadecimal digits, metadata is no JSON object, an expiry no time.
        """

    def switch_gallery(
        self, gallery: str, shelf: Shelf, expected: int | None, made: int, event: Event, *, by: Origin | None = None
    ) -> int:
        """Put a shelf in the gallery's place, and the gallery on its shelf `previous`, in one step.

        What lay there is erased, or was the shelf itself. The gallery's version goes on above both, and its change log
        begins there: readers load it anew. The audit log, idempotency keys and a note of a loss stay with the name.

        Args:
            gallery: its name.
            shelf: one of its shelves.
            expected: the version at which the gallery must be; None where there must be no gallery.
            made: the version at which the shelf must be.
            event: what it is, for the audit log.
            by: whose request it is.

        Returns:
            The gallery's new version.

        Raises:
            SwitchConflict: one of them is at another version, and nothing was done.
        """
