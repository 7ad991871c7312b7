"""Opens the journal, which stores cameras, sightings and all that belongs to them, beside a store."""

import json
from collections.abc import Callable
from contextlib import closing

from pydantic import SecretStr

from facegroup.cameras.journal import documents
from facegroup.cameras.journal.encryption import Encryption
from facegroup.cameras.sightings.journal import Journal
from facegroup.errors import KeyMissing, StoreInvalid
from facegroup.store import rows
from facegroup.store.conversion import Converted
from facegroup.store.encryption import SecretKeys
from facegroup.store.rows import Place
from facegroup.store.rows.encrypted_rows import EncryptedRows

__all__ = ["ENCRYPTED", "PLACE", "encrypted_rows", "may_be_there", "open_journal"]

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

    def sealed(fields: tuple[str, ...]) -> Callable[[bytes], bytes | None]:
        def change(value: bytes) -> bytes | None:
            try:
                document = json.loads(value)
                old = {name: document[name] for name in fields if name in document}
                old = {name: text for name, text in old.items() if not encryption.is_current(text)}
                new = {name: encryption.encrypt(encryption.decrypt(text)) for name, text in old.items()}
            except (ValueError, TypeError, AttributeError, StoreInvalid, KeyMissing):
                return None
            return documents.encode(document | new) if new else value

        return change

    with closing(encrypted_rows(url, keys)) as opened:
        done = opened.convert(tell)
        for table, fields in SECRETS.items():
            done += opened.change(table, sealed(fields))
    return done


def may_be_there(url: str) -> bool:
    """Return whether a store may have a journal. For a Redis that is not known until it is asked, so it is True."""
    return rows.may_be_there(url, PLACE)
