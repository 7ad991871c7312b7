"""Certificates for tests: an authority, and what it signs."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Key = ec.EllipticCurvePrivateKey
_PEM = serialization.Encoding.PEM


def new_key() -> Key:
    """Return a private key."""
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Key, password: bytes | None = None) -> bytes:
    """Return a key as a file has it."""
    hidden = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, hidden)


class Authority:
    """An authority of its own."""

    def __init__(self) -> None:
        self._key = new_key()
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority of a test")])
        self.certificate = self._signed(self._name, self._key, (), (-1, 1), is_authority=True)

    def signed(self, key: Key, *names: str, days: tuple[float, float] = (-1, 1)) -> bytes:
        """Return a certificate for a key.

        Args:
            key: of the server.
            names: hosts and addresses of the server.
            days: from now on, when it begins and ends.
        """
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0] if names else "server")])
        return self._signed(subject, key, names, days)

    def write(self, folder: Path, *names: str, days: tuple[float, float] = (-1, 1)) -> tuple[Path, Path]:
        """Write a new certificate and its key in place of those before, and return their paths."""
        key = new_key()
        paths = folder / "certificate.pem", folder / "key.pem"
        for path, data in zip(paths, (self.signed(key, *names, days=days), pem(key)), strict=True):
            made = path.with_suffix(".new")
            made.touch(0o600)
            made.write_bytes(data)
            made.replace(path)
        return paths

    def _signed(
        self,
        subject: x509.Name,
        key: Key,
        names: tuple[str, ...],
        days: tuple[float, float],
        *,
        is_authority: bool = False,
    ) -> bytes:
        begins, ends = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(each) for each in days)
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(key.public_key())
        made = made.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
        made = made.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        own = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False)
        if is_authority:
            usage = dict.fromkeys(
                ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
                False,
            )
            made = made.add_extension(
                x509.KeyUsage(**usage, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False),
                critical=True,
            )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([_name(each) for each in names]), critical=False)
        return made.sign(self._key, hashes.SHA256()).public_bytes(_PEM)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
