"""Opens the journal, which stores cameras, sightings and all that belongs to them, beside a store."""

import logging
from contextlib import closing, suppress

from pydantic import SecretStr

from facegroup.cameras.journal.encryption import Encryption
from facegroup.cameras.sightings.journal import Journal
from facegroup.errors import StoreInvalid, StoreUnavailable
from facegroup.store import rows
from facegroup.store.encryption import PLAIN, SecretKeys
from facegroup.store.rows import Place
from facegroup.store.rows.encrypted_rows import EncryptedRows

__all__ = ["ENCRYPTED", "PLACE", "SECRETS", "encrypted_rows", "may_be_there", "open_journal", "warn_of_plain"]

log = logging.getLogger(__name__)

PLACE = Place("cameras", "journal of cameras", 0x66676A6F)  # "fgjo"


ENCRYPTED = frozenset(("crops", "unknowns", "shots"))
"""Tables that are encrypted with the secret key of the settings."""

SECRETS = {"cameras": ("source_sealed",), "webhooks": ("url_sealed", "secret_sealed")}
"""Fields that are encrypted by themselves, by table."""


def open_journal(url: str, key: SecretStr | None = None, keys: SecretKeys | None = None) -> Journal:
    """Return the journal of the store at an address.

    Args:
        url: of the store (`facegroup.store.open_store`); beside a file ``gallery.db`` the journal is ``gallery.cameras.db``.
        key: that encrypted passwords before there were secret keys, and does where there is none; without both kinds none
            is stored.
        keys: that encrypt faces, strangers and passwords (`facegroup.store.secret_key.secret_keys`).

    Raises:
        InvalidSettings: the key is not valid.
        StoreInvalid: the address cannot be read, or there is something else than a journal.
        StoreUnavailable: the file cannot be opened. A Redis that does not answer raises when it is used.
    """
    from facegroup.cameras.journal.row_journal import RowJournal

    encryption = Encryption(key, keys)
    return RowJournal(encrypted_rows(url, keys), encryption)


def encrypted_rows(url: str, keys: SecretKeys | None) -> EncryptedRows:
    """Return the journal's rows, of which some tables are encrypted."""
    return EncryptedRows(rows.open_rows(url, PLACE), keys or SecretKeys(), ENCRYPTED, SECRETS.keys())


def warn_of_plain(url: str, keys: SecretKeys) -> None:
    """Log it if a server with keys finds plain values in the journal of a store. Other faults are told where it is used."""
    if keys.own == PLAIN or not may_be_there(url):
        return
    with suppress(StoreInvalid, StoreUnavailable), closing(encrypted_rows(url, keys)) as opened:
        if opened.holds_plain():
            log.warning("The journal of cameras holds values that are not encrypted. Run: facegroup encrypt")


def may_be_there(url: str) -> bool:
    """Return whether a store may have a journal. For a Redis that is not known until it is asked, so it is True."""
    return rows.may_be_there(url, PLACE)
