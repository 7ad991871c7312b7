"""Encrypts passwords with the key of the settings: Fernet (AES-128-CBC and HMAC-SHA256).

To change the key, set several, separated by commas: the first encrypts, and each of them decrypts.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from facegroup.errors import InvalidSettings, KeyMissing, StoreInvalid


class Encryption:
    """Class that encrypts and decrypts text.

    Args:
        key: of the settings; None refuses to encrypt.

    Raises:
        InvalidSettings: the key is not valid.
    """

    def __init__(self, key: SecretStr | None) -> None:
        words = [] if key is None else [word.strip() for word in key.get_secret_value().split(",") if word.strip()]
        try:
            self._keys = MultiFernet([Fernet(word) for word in words]) if words else None
        except ValueError:
            # Not chained: nothing of the key is shown.
            raise InvalidSettings(
                "FACEGROUP_CAMERAS__KEY is not a valid key. Make one with `facegroup camera key`."
            ) from None

    def encrypt(self, text: str) -> str:
        """Return a text encrypted.

        Raises:
            KeyMissing: there is no key.
        """
        if self._keys is None:
            raise KeyMissing(
                "Passwords are stored only encrypted, and there is no key. Set FACEGROUP_CAMERAS__KEY to the output of "
                "`facegroup camera key`."
            )
        return self._keys.encrypt(text.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """Return the text that was encrypted.

        Raises:
            StoreInvalid: it was encrypted with another key, or is damaged.
        """
        try:
            if self._keys is None:
                raise InvalidToken
            return self._keys.decrypt(encrypted.encode()).decode()
        except InvalidToken:
            raise StoreInvalid(
                "A stored password cannot be decrypted: FACEGROUP_CAMERAS__KEY is missing or another one."
            ) from None


def new_key() -> str:
    """Return a key for the settings, of 32 random bytes."""
    return Fernet.generate_key().decode()
