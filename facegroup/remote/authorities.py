"""Tells which certificate authorities a connection trusts."""

import os
import ssl

import httpx

from facegroup.errors import InvalidSettings


def trusting(ca: str | os.PathLike[str] | None) -> ssl.SSLContext:
    """Return a context that trusts the usual authorities, and those of a PEM file.

    The usual ones are those of the package certifi, or of SSL_CERT_FILE or SSL_CERT_DIR in the environment.

    Args:
        ca: the file; None: no others.

    Raises:
        InvalidSettings: the file cannot be read, or holds no certificate.
    """
    context = httpx.create_ssl_context()
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except OSError as error:  # ssl.SSLError is one
            why = error.reason if isinstance(error, ssl.SSLError) else error.strerror
            raise InvalidSettings(
                f"{os.fspath(ca)} holds no certificates of authorities that can be read in PEM format: {why}"
            ) from error
    return context
