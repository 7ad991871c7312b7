"""Listings read page after page."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from facegroup.types import Person

_Row = TypeVar("_Row")


class ListsPeople(Protocol):
    """Class of what lists the people of a gallery: a `Store`, or the client of a server."""

    def people(self, gallery: str, after: str = "", limit: int = 100) -> Sequence[Person]:
        """Return up to `limit` people whose id sorts after `after`, by id."""


def every(page: Callable[[str], Sequence[_Row]], cursor: Callable[[_Row], str]) -> Iterator[_Row]:
    """Return the rows of all pages.

    Args:
        page: returns the rows after a cursor, "" for the first; none where there are no more.
        cursor: returns the cursor of a row.
    """
    after = ""
    while rows := page(after):
        yield from rows
        after = cursor(rows[-1])


def everybody(store: ListsPeople, gallery: str, limit: int = 500) -> Iterator[Person]:
    """Return all people of a gallery, by id, reading `limit` of them at a time."""
    return every(lambda after: store.people(gallery, after, limit), lambda person: person.id)
