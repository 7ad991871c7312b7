"""Passwords → what is written of them, and back: Fernet (AES-128-CBC and HMAC-SHA256) with the key of the settings.

Several keys, separated by commas, let the key be changed: the first seals, every one unseals.
"""

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from facegroup.errors import InvalidSettings, KeyMissing, StoreInvalid


class Encryption:
    """Seals and unseals.

    Args:
        key: of the settings; None: nothing can be sealed.

    Raises:
        InvalidSettings: it is no key.
    """

    def __init__(self, key: SecretStr | None) -> None:
        words = [] if key is None else [word.strip() for word in key.get_secret_value().split(",") if word.strip()]
        try:
            self._keys = MultiFernet([Fernet(word) for word in words]) if words else None
        except ValueError:
            # Not chained: nothing of the key is shown.
            raise InvalidSettings("FACEGROUP_CAMERAS__KEY is no key; `facegroup camera key` makes one") from None

    def close(self, secret: str) -> str:
        """Return a text sealed.

        Raises:
            KeyMissing: there is no key.
        """
        if self._keys is None:
            raise KeyMissing(
                "a password would be kept, and there is no key to seal it with: set FACEGROUP_CAMERAS__KEY to what "
                "`facegroup camera key` prints"
            )
        return self._keys.encrypt(secret.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return the text of what was sealed.

        Raises:
            StoreInvalid: it was sealed with another key, or is damaged.
        """
        try:
            if self._keys is None:
                raise InvalidToken
            return self._keys.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise StoreInvalid(
                "what was sealed cannot be opened: FACEGROUP_CAMERAS__KEY is another, or missing"
            ) from None


def new_key() -> str:
    """Return a key for the settings, of 32 random bytes."""
    return Fernet.generate_key().decode()
