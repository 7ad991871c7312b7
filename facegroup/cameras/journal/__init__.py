"""Opens the journal, which stores cameras, sightings and all that belongs to them, beside a store."""

from pydantic import SecretStr

from facegroup.cameras.journal.encryption import Encryption
from facegroup.cameras.sightings.journal import Journal
from facegroup.store import rows
from facegroup.store.rows import Place

__all__ = ["PLACE", "may_be_there", "open_journal"]

PLACE = Place("cameras", "journal of cameras", 0x66676A6F)  # "fgjo"


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
    return RowJournal(rows.open_rows(url, PLACE), encryption)


def may_be_there(url: str) -> bool:
    """Return whether a store may have a journal. For a Redis that is not known until it is asked, so it is True."""
    return rows.may_be_there(url, PLACE)
