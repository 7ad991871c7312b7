"""Opens the journal, which stores cameras, sightings and all that belongs to them, beside a store."""

from pathlib import Path

from pydantic import SecretStr

from facegroup.cameras.journal.encryption import Encryption
from facegroup.cameras.journal.rows import Rows
from facegroup.cameras.sightings.journal import Journal
from facegroup.errors import StoreInvalid

__all__ = ["may_be_there", "open_journal"]


def open_journal(url: str, key: SecretStr | None = None) -> Journal:
    """Return the journal of the store at an address.

    Args:
        url: of the store (`facegroup.store.open_store`); beside a file ``gallery.db`` the journal is ``gallery.cameras.db``.
        key: that encrypts passwords; None refuses to store any.

    Raises:
        InvalidSettings: the key is not valid.
        StoreInvalid: the address cannot be read, or there is something else than a journal.
        StoreUnavailable: the file cannot be opened. A Redis that does not answer raises when it is used.
    """
    from facegroup.cameras.journal.row_journal import RowJournal

    encryption = Encryption(key)
    rows: Rows
    if url.startswith("sqlite:///"):
        from facegroup.cameras.journal.sqlite_rows import SqliteRows

        path = _beside(url)
        if not path.name:
            raise StoreInvalid(f"{url} does not name a file. Write sqlite:/// and the path of the file.")
        rows = SqliteRows(path)
    else:
        from facegroup.cameras.journal.redis_rows import RedisRows

        rows = RedisRows(url)
    return RowJournal(rows, encryption)


def may_be_there(url: str) -> bool:
    """Return whether a store may have a journal. For a Redis that is not known until it is asked, so it is True."""
    return not url.startswith("sqlite:///") or _beside(url).exists()


def _beside(url: str) -> Path:
    """Return the journal's file beside a store's; without a name where the store's has none."""
    path = Path(url.removeprefix("sqlite:///"))
    return path.with_name(f"{path.stem}.cameras{path.suffix}") if path.name else path
