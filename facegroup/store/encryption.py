"""Encryption of the values of a store: AES-256-GCM, each value bound to its place.

A value is kept as a byte 0xE1, 4 bytes that name the key, 12 random bytes (the nonce), and the ciphertext with its tag of 16
bytes: 33 bytes more than the value. Its place is the associated data, so that one moved elsewhere cannot be decrypted.

What a store holds is kept as words beside the values: `plain` for values that are not encrypted, and 32 hexadecimal digits
for each key, which are made of the key and name it. A value under a word that is not there is damaged, so a store that says
nothing of `plain` holds no plain values. A word may have a mark behind it, a question mark and a name: `facegroup encrypt`
sets it before it looks at all values, and whoever writes under the word takes it away. A mark that is still there when all
values were looked at says that the word is needed no longer.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from facegroup.errors import InvalidSettings, KeyMissing

PLAIN = "plain"
"""The word for values that are not encrypted."""

UNREADABLE = "it cannot be decrypted: it was changed, or belongs elsewhere"
"""What is wrong with a value that `Cipher.decrypt` returns None for."""

OVERHEAD = 33
"""Bytes by which a value grows."""

_MAGIC = b"\xe1"
_NONCE, _HEAD = 12, 5
_BYTES = 32


class SecretKeys:
    """Class of the keys of the setting. Used from several threads.

    Args:
        keys: of 32 bytes each. The first encrypts, each decrypts; none leaves values plain.
        plain: whether to write values plain all the same.
    """

    def __init__(self, keys: Sequence[bytes] = (), *, plain: bool = False) -> None:
        self._given = tuple(keys)
        self._ciphers = {_word(key): AESGCM(key) for key in keys}
        words = [PLAIN] if plain or not keys else [_word(keys[0])]
        self.own = words[0]
        self.known = frozenset((*self._ciphers, PLAIN))
        self._first = None if self.own == PLAIN else self._ciphers[self.own]
        self._head = b"" if self._first is None else head_of(self.own)

    def decrypting(self) -> "SecretKeys":
        """Return keys that read the same, and write values plain."""
        return SecretKeys(self._given, plain=True)

    def encrypt(self, value: bytes, place: bytes) -> bytes:
        """Return a value as it is kept at a `place`."""
        if self._first is None:
            return value
        nonce = secrets.token_bytes(_NONCE)
        return b"".join((self._head, nonce, self._first.encrypt(nonce, value, place)))

    def cipher(self, words: str) -> "Cipher":
        """Return what reads the values of a store that holds these words.

        Raises:
            KeyMissing: a key is none of these.
        """
        held = held_by(words)
        if missing := held - self.known:
            raise key_missing(missing)
        return Cipher(self, {head_of(word): self._ciphers[word] for word in held - {PLAIN}}, plain=PLAIN in held)

    def every(self) -> "Cipher":
        """Return what reads a value under any of these keys, and no plain one."""
        return Cipher(self, {head_of(word): cipher for word, cipher in self._ciphers.items()}, plain=False)

    def noted(self, words: str) -> str:
        """Return the words of a store in which a value is written now. Raises `KeyMissing`."""
        if missing := held_by(words) - self.known:
            raise key_missing(missing)
        if self.own in (words.split() or [PLAIN]):
            return words
        kept = [word for word in words.split() or [PLAIN] if word.partition("?")[0] != self.own]
        return _joined([*kept, self.own])

    def marked(self, words: str, mark: str) -> str:
        """Return the words with a mark behind each but that of the key that encrypts, which is added.

        Raises:
            KeyMissing: a key is none of these.
        """
        others = held_by(self.noted(words)) - {self.own}
        return _joined([*(f"{word}?{mark}" for word in sorted(others)), self.own])

    def swept(self, words: str, mark: str) -> str:
        """Return the words without those that bear the mark."""
        return _joined([word for word in words.split() if word.partition("?")[2] != mark])

    def is_own(self, value: bytes, cipher: "Cipher") -> bool:
        """Whether a kept value is already as `encrypt` would keep it."""
        if self._first is None:
            return value[:_HEAD] not in cipher.heads
        return value[:_HEAD] == self._head


class Cipher:
    """Class that reads the values of one store, or of one gallery of it.

    Args:
        keys: that values are written with.
        ciphers: by the first bytes of the values that each reads.
        plain: whether a value may be plain.
    """

    def __init__(self, keys: SecretKeys, ciphers: Mapping[bytes, AESGCM], *, plain: bool) -> None:
        self.keys = keys
        self._ciphers = ciphers
        self._plain = plain

    @property
    def heads(self) -> frozenset[bytes]:
        """The first bytes of encrypted values."""
        return frozenset(self._ciphers)

    @property
    def encrypts(self) -> bool:
        """Whether a value that is moved must be encrypted for its new place.

        So it is with any key: a value that was read plain may be encrypted meanwhile.
        """
        return self.keys.known != {PLAIN}

    def encrypt(self, value: bytes, place: bytes) -> bytes:
        """Return a value as it is kept at a `place`."""
        return self.keys.encrypt(value, place)

    def rebound(self, kept: Any, old: bytes, new: bytes) -> Any:
        """Return a value that is kept at one place as it is kept at another; what is none of its place stays as it is."""
        value = self.decrypt(kept, old) if isinstance(kept, bytes) else None
        return kept if value is None else self.encrypt(value, new)

    def decrypt(self, kept: bytes, place: bytes) -> bytes | None:
        """Return the value that is kept at a `place`; None where it is none of this store and place."""
        cipher = self._ciphers.get(kept[:_HEAD])
        if cipher is None:
            return kept if self._plain else None
        try:
            return cipher.decrypt(kept[_HEAD : _HEAD + _NONCE], kept[_HEAD + _NONCE :], place)
        except (InvalidTag, ValueError):  # ValueError: it is too short
            return None


def place(kind: str, *names: str) -> bytes:
    """Return the place of a value: what it is, and whose. The first name is a gallery's; its staging copies are the same."""
    gallery, *rest = names
    return "\0".join((kind, gallery.partition("/")[0], *rest)).encode("utf-8", "surrogatepass")


def new_key() -> str:
    """Return a key for the settings, of 32 random bytes."""
    return urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()


def read_keys(text: str, where: str) -> SecretKeys:
    """Return the keys that a setting, a file or a command says, separated by commas or white space.

    The word `none` in front leaves values plain that are written, and reads those under the keys behind it.

    Raises:
        InvalidSettings: there is none, or one is no key. The message names `where`, and shows nothing of the text.
    """
    words = text.replace(",", " ").split()
    plain = words[:1] == ["none"]
    keys = [_key(word) for word in words[plain:]]
    if None in keys or not words:
        fault = "holds no key" if not words else "is not a valid key, or one of several is not"
        raise InvalidSettings(f"{where} {fault}. Make one with `facegroup secret-key`.")
    return SecretKeys([key for key in keys if key is not None], plain=plain)


def held_by(words: str) -> frozenset[str]:
    """Return the words that a store keeps, without marks."""
    return frozenset(word.partition("?")[0] for word in words.split()) or frozenset((PLAIN,))


def head_of(word: str) -> bytes:
    """Return the first bytes of values under a key."""
    return _MAGIC + bytes.fromhex(word[:8])


def key_missing(words: frozenset[str]) -> KeyMissing:
    """Return the error for a store that is encrypted with other keys than those that are set."""
    ids = ", ".join(sorted(word[:8] for word in words))
    return KeyMissing(
        f"The store is encrypted, and its key ({ids}) is not set. Set FACEGROUP_SECRET_KEY, FACEGROUP_SECRET_KEY_FILE or "
        "FACEGROUP_SECRET_KEY_COMMAND (docs/encryption.md)."
    )


def _word(key: bytes) -> str:
    return hmac.new(key, b"facegroup: the word of this key", hashlib.sha256).hexdigest()[:32]


def _key(word: str) -> bytes | None:
    try:
        key = urlsafe_b64decode(word.encode("ascii"))
    except (Error, ValueError):
        return None
    return key if len(key) == _BYTES and urlsafe_b64encode(key).decode() == word else None


def _joined(words: Sequence[str]) -> str:
    """Return words as they are kept; nothing where all is plain, as in a store of before."""
    return "" if list(words) == [PLAIN] else " ".join(words)
