"""Signature of webhook requests, as Standard Webhooks 1.0.0 specifies it (standardwebhooks.com).

webhook-id: 9f…-17
webhook-timestamp: 1795646468
webhook-signature: v1,base64(HMAC-SHA256(key, "id.timestamp.body"))
"""

import hmac
import secrets
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress

PREFIX = "whsec_"
TOLERANCE_SECONDS = 300.0
_DIGITS = 15  # of a plausible time


def new_secret() -> str:
    """Return a secret of 32 random bytes, in the form of Standard Webhooks."""
    return PREFIX + b64encode(secrets.token_bytes(32)).decode()


def headers(secret: str, event: str, at: float, body: bytes) -> dict[str, str]:
    """Return the three headers.

    Args:
        secret: of the webhook: ``whsec_`` and base64 of the key, or any text, whose bytes are the key.
        event: id of the event; a repetition has the same id.
        at: seconds since the epoch.
        body: of the request.
    """
    stamp = str(int(at))
    return {
        "webhook-id": event,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{_sign(secret, event, stamp, body)}",
    }


def verified(secret: str, given: Mapping[str, str], body: bytes, now: float | None = None) -> bool:
    """Return, for a receiver, whether a message is signed with the secret and was sent within the last five minutes.

    Args:
        secret: of the webhook.
        given: the request's headers, names in lower case.
        body: as it was received.
        now: seconds since the epoch; None uses the current time.
    """
    stamp = given.get("webhook-timestamp", "")
    if not stamp.isdecimal() or len(stamp) > _DIGITS:
        return False
    if abs((time.time() if now is None else now) - int(stamp)) > TOLERANCE_SECONDS:
        return False
    wanted = f"v1,{_sign(secret, given.get('webhook-id', ''), stamp, body)}".encode()
    signatures = given.get("webhook-signature", "").split()
    return any(hmac.compare_digest(wanted, each.encode()) for each in signatures)


def _sign(secret: str, event: str, stamp: str, body: bytes) -> str:
    key = secret.encode()
    if secret.startswith(PREFIX):
        with suppress(ValueError):  # plain text that begins like an encoded key
            key = b64decode(secret.removeprefix(PREFIX), validate=True)
    return b64encode(hmac.digest(key, f"{event}.{stamp}.".encode() + body, "sha256")).decode()
