"""Encrypts passwords: with the secret key of the settings (AES-256-GCM), or with that of the cameras where there is none.

The key of the cameras is one of Fernet (AES-128-CBC and HMAC-SHA256). What it encrypted before is read all the same. To
change a key, set several, separated by commas: the first encrypts, and each of them decrypts. A text under a secret key is
bound to its record and field: put elsewhere, it cannot be decrypted.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from facegroup.errors import InvalidSettings, KeyMissing, StoreInvalid
from facegroup.store.encryption import PLAIN, SecretKeys, place

_MARK = "aes256gcm:"


class Encryption:
    """Class that encrypts and decrypts text.

    Args:
        key: of the cameras.
        keys: the secret keys. Without either nothing is encrypted.

    Raises:
        InvalidSettings: the key is not valid.
    """

    def __init__(self, key: SecretStr | None, keys: SecretKeys | None = None) -> None:
        self._secret = keys or SecretKeys()
        self._cipher = self._secret.every()  # no words are kept of these texts
        words = [] if key is None else [word.strip() for word in key.get_secret_value().split(",") if word.strip()]
        try:
            self._keys = MultiFernet([Fernet(word) for word in words]) if words else None
        except ValueError:
            # Not chained: nothing of the key is shown.
            raise InvalidSettings(
                "FACEGROUP_CAMERAS__KEY is not a valid key. Make one with `facegroup camera key`."
            ) from None

    def encrypt(self, text: str, table: str, key: str, field: str) -> str:
        """Return a text encrypted for a field of a record.

        Raises:
            KeyMissing: there is no key.
        """
        if self._secret.own != PLAIN:
            return _MARK + urlsafe_b64encode(self._secret.encrypt(text.encode(), _place(table, key, field))).decode()
        if self._keys is None:
            raise KeyMissing(
                "Passwords are stored only encrypted, and there is no key. Set FACEGROUP_SECRET_KEY to the output of "
                "`facegroup secret-key`, or FACEGROUP_CAMERAS__KEY to that of `facegroup camera key`."
            )
        return self._keys.encrypt(text.encode()).decode()

    def decrypt(self, encrypted: str, table: str, key: str, field: str) -> str:
        """Return the text that was encrypted for a field of a record.

        Raises:
            StoreInvalid: it was encrypted with another key, or is damaged, or belongs elsewhere.
        """
        try:
            if encrypted.startswith(_MARK):
                return self._decrypt(encrypted.removeprefix(_MARK), _place(table, key, field))
            if self._keys is None:
                raise InvalidToken
            return self._keys.decrypt(encrypted.encode()).decode()
        except (InvalidToken, ValueError):
            raise StoreInvalid(
                "A stored password cannot be decrypted: FACEGROUP_SECRET_KEY or FACEGROUP_CAMERAS__KEY is missing or "
                "another one."
            ) from None

    def is_current(self, encrypted: str) -> bool:
        """Whether a text is encrypted with the key that encrypts."""
        try:
            head = urlsafe_b64decode(encrypted.removeprefix(_MARK))
        except ValueError:
            return False
        if self._secret.own == PLAIN:
            return not encrypted.startswith(_MARK)
        return encrypted.startswith(_MARK) and self._secret.is_own(head, self._cipher)

    def _decrypt(self, text: str, where: bytes) -> str:
        value = self._cipher.decrypt(urlsafe_b64decode(text), where)
        if value is None:
            raise InvalidToken
        return value.decode()


def _place(table: str, key: str, field: str) -> bytes:
    return place("secret", "", table, key, field)


def new_key() -> str:
    """Return a key for the settings, of 32 random bytes."""
    return Fernet.generate_key().decode()
