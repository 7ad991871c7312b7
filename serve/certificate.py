"""Reads the server's certificate and private key, and says what is wrong with them before a client does."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from facegroup.errors import InvalidSettings
from facegroup.settings import Tls
from serve import private_file

MOST_BYTES = 15_000
"""HAProxy takes a new certificate in one buffer of 16,384 bytes."""

_CERTIFICATE, _KEY = "tls.certificate", "tls.key"
_PEM = serialization.Encoding.PEM
_LARGEST = 1 << 20
_SOON_SECONDS = 14 * 86_400
_SOON_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that holds now, with its key.

    Attributes:
        pem: chain and private key, as HAProxy reads them.
        fingerprint: SHA-1 of the certificate, as HAProxy shows it.
        begins_at: seconds since the epoch, as `expires_at`.
    """

    pem: bytes
    fingerprint: str
    begins_at: float
    expires_at: float

    def warning(self, now: float) -> str:
        """Return what an operator must know about its end, or "" while that is far."""
        left = self.expires_at - now
        if left <= 0:
            return f"the certificate expired on {_date(self.expires_at)}; renew it"
        if left < min(_SOON_SECONDS, _SOON_SHARE * (self.expires_at - self.begins_at)):
            return f"the certificate expires on {_date(self.expires_at)}; renew it"
        return ""


def read(tls: Tls) -> Certificate:
    """Return the certificate of the settings.

    Raises:
        InvalidSettings: a file cannot be read, is broken or too large, others can read the key, they do not belong
            together, or the certificate does not hold now.
    """
    assert tls.certificate is not None
    assert tls.key is not None
    chain = _chain(tls.certificate)
    key = _key(tls.key)
    own = _public(key.public_key())
    if _public(chain[0].public_key()) != own:
        if any(_public(each.public_key()) == own for each in chain):
            raise InvalidSettings(
                f"{tls.certificate} ({_CERTIFICATE}) must begin with the server's own certificate, and that of the "
                "authority follows"
            )
        raise InvalidSettings(
            f"{tls.key} ({_KEY}) is not the key of {tls.certificate} ({_CERTIFICATE}); set two files that were made "
            "together"
        )
    begins, expires = (each.timestamp() for each in (chain[0].not_valid_before_utc, chain[0].not_valid_after_utc))
    now = time.time()
    if not begins <= now < expires:
        when = f"expired on {_date(expires)}" if now >= expires else f"holds from {_date(begins)} on"
        raise InvalidSettings(
            f"{tls.certificate} ({_CERTIFICATE}) {when}, and it is {_date(now)}; renew it, or set the clock"
        )
    plain = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = b"".join(each.public_bytes(_PEM) for each in chain) + plain
    if len(pem) > MOST_BYTES:
        raise InvalidSettings(
            f"{tls.certificate} ({_CERTIFICATE}) and its key are {len(pem):,} bytes, and HAProxy takes {MOST_BYTES:,}; "
            "leave out certificates that clients have, such as that of the root authority"
        )
    return Certificate(pem, chain[0].fingerprint(hashes.SHA1()).hex().upper(), begins, expires)


def _chain(path: Path) -> list[x509.Certificate]:
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificates(file.read(_LARGEST))
    except OSError as error:
        raise InvalidSettings(f"{path} ({_CERTIFICATE}) cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidSettings(f"{path} ({_CERTIFICATE}) holds no certificate in PEM format that can be read") from error


def _key(path: Path) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(private_file.read(path, _KEY).encode(), None)
    except TypeError as error:
        raise InvalidSettings(
            f"{path} ({_KEY}) is encrypted, and a server has nobody to ask for its passphrase; decrypt it with "
            "openssl pkey, into a file of mode 600"
        ) from error
    except ValueError as error:  # of which the text may quote the file
        raise InvalidSettings(f"{path} ({_KEY}) holds no private key in PEM format that can be read") from error


def _public(key: object) -> bytes:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    made: bytes = key.public_bytes(serialization.Encoding.DER, spki)  # type: ignore[attr-defined]
    return made


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")
