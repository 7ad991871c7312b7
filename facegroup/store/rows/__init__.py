"""Small databases beside a store: tables of rows, in a file next to the galleries' or in the same Redis."""

from dataclasses import dataclass
from pathlib import Path

from facegroup.errors import StoreInvalid
from facegroup.store.rows.rows import Rows

__all__ = ["Place", "may_be_there", "open_rows"]

_FILE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Place:
    """Class that says where a small database is.

    Attributes:
        name: beside ``gallery.db`` its file is ``gallery.NAME.db``; in Redis its keys begin with ``facegroup:{NAME}:``.
        what: the word for what it holds, for messages.
        application: number in the file's header.
    """

    name: str
    what: str
    application: int


def open_rows(url: str, place: Place) -> Rows:
    """Return the small database beside the store at an address.

    Args:
        url: of the store (`facegroup.store.open_store`).
        place: of the database.

    Raises:
        StoreInvalid: the address cannot be read, or the file holds something else.
        StoreUnavailable: the file cannot be opened. A Redis that does not answer raises when it is used.
    """
    if url.startswith(_FILE):
        from facegroup.store.rows.sqlite_rows import SqliteRows

        path = _beside(url, place)
        if not path.name:
            raise StoreInvalid(f"{url} does not name a file. Write sqlite:/// and the path of the file.")
        return SqliteRows(path, place.what, place.application)
    from facegroup.store.rows.redis_rows import RedisRows

    return RedisRows(url, place.name)


def may_be_there(url: str, place: Place) -> bool:
    """Return whether the database may exist. For a Redis that is not known until it is asked, so it is True."""
    return not url.startswith(_FILE) or _beside(url, place).exists()


def _beside(url: str, place: Place) -> Path:
    """Return the database's file beside a store's; without a name where the store's has none."""
    path = Path(url.removeprefix(_FILE))
    return path.with_name(f"{path.stem}.{place.name}{path.suffix}") if path.name else path
