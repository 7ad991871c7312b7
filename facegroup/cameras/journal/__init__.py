"""Opens the journal, which stores cameras, sightings and all that belongs to them, beside a store."""

import json
import logging
from collections.abc import Callable
from contextlib import closing, suppress

from pydantic import SecretStr

from facegroup.cameras.journal import documents
from facegroup.cameras.journal.encryption import Encryption
from facegroup.cameras.sightings.journal import Journal
from facegroup.errors import KeyMissing, StoreInvalid, StoreUnavailable
from facegroup.store import rows
from facegroup.store.conversion import Converted
from facegroup.store.encryption import PLAIN, SecretKeys
from facegroup.store.rows import Place
from facegroup.store.rows.encrypted_rows import EncryptedRows
from facegroup.store.rows.rows import Row

__all__ = ["ENCRYPTED", "PLACE", "encrypted_rows", "may_be_there", "open_journal", "warn_of_plain"]

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


def encrypt_journal(
    url: str, key: SecretStr | None, keys: SecretKeys, tell: Callable[[int], None] = lambda _: None
) -> Converted:
    """Encrypt what the journal of a store holds with the first key, beside others who read and write it.

    Args:
        url: of the store.
        key: of the cameras; see `open_journal`.
        keys: the secret keys.
        tell: called with how many rows were looked at.
    """
    encryption = Encryption(key, keys)

    def sealed(table: str, fields: tuple[str, ...]) -> Callable[[Row], bytes | None]:
        def change(row: Row) -> bytes | None:
            new = {}
            try:
                document = json.loads(row.value)
                for name in fields:
                    if name in document and not encryption.is_current(document[name]):
                        where = table, row.key, name
                        new[name] = encryption.encrypt(encryption.decrypt(document[name], *where), *where)
            except (ValueError, TypeError, AttributeError, StoreInvalid, KeyMissing):
                return None
            return documents.encode(document | new) if new else row.value

        return change

    with closing(encrypted_rows(url, keys)) as opened:
        done = opened.convert(tell)
        for table, fields in SECRETS.items():
            done += opened.change(table, sealed(table, fields))
    return done


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
