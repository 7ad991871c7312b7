"""Encrypts what the journal of a store holds: faces and strangers, and the passwords inside other records."""

import json
from collections.abc import Callable
from functools import partial

from pydantic import SecretStr

from facegroup.cameras.journal import ENCRYPTED, PLACE, SECRETS, documents
from facegroup.cameras.journal.encryption import Encryption
from facegroup.errors import KeyMissing, StoreInvalid
from facegroup.store.conversion import Converted
from facegroup.store.encryption import SecretKeys
from facegroup.store.rows import open_rows
from facegroup.store.rows.encrypted_rows import EncryptedRows
from facegroup.store.rows.rows import Row


class JournalConversion(EncryptedRows):
    """Class that implements `facegroup.store.conversion.Converts` for the journal of a store.

    Args:
        url: of the store.
        key: of the cameras; see `open_journal`.
        keys: the secret keys.
    """

    def __init__(self, url: str, key: SecretStr | None, keys: SecretKeys) -> None:
        self._encryption = Encryption(key, keys)
        super().__init__(open_rows(url, PLACE), keys, ENCRYPTED, SECRETS.keys())

    def convert(self, tell: Callable[[int], None] = lambda _: None) -> Converted:
        """See `Converts`."""
        done = super().convert(tell)
        for table, fields in SECRETS.items():
            done += self.change(table, partial(self._resealed, table, fields))
        return done

    def _resealed(self, table: str, fields: tuple[str, ...], row: Row) -> bytes | None:
        """Return a record with its passwords under the key that encrypts; None where one cannot be decrypted."""
        new = {}
        try:
            document = json.loads(row.value)
            for name in fields:
                if name in document and not self._encryption.is_current(document[name]):
                    where = table, row.key, name
                    new[name] = self._encryption.encrypt(self._encryption.decrypt(document[name], *where), *where)
        except (ValueError, TypeError, AttributeError, StoreInvalid, KeyMissing):
            return None
        return documents.encode(document | new) if new else row.value
