"""Signs people in whom an OpenID Connect provider knows.

The method is the authorization code flow of OpenID Connect Core 1.0, with PKCE (RFC 7636). The provider's groups give the
role and the galleries. What it says is believed only if its ID token is signed by one of its keys, for this client, and
carries the nonce of this sign-in.
"""

import json
import secrets
import ssl
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from facegroup.access.people import Session
from facegroup.access.types import ROLES, Grant, Role, cleaned
from facegroup.errors import ClientError, InvalidSettings, ProviderUnavailable, SignInRefused
from facegroup.remote.proxies import proxy_for
from facegroup.settings import Oidc

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Of signatures that only the holder of a private key can make: neither `none` nor HMAC."""

_TIMEOUT, _KEPT_SECONDS, _LEEWAY, _MOST = 10.0, 3600.0, 60, 1 << 20
_WORDS = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True)
class Flow:
    """Class of a sign-in under way, which the browser keeps until it comes back.

    Attributes:
        state: that the provider sends back.
        nonce: that the ID token carries.
        verifier: of PKCE.
    """

    state: str
    nonce: str
    verifier: str


class Provider:
    """Class that talks to the provider. Each ingress has one.

    Args:
        settings: of the provider.

    Raises:
        InvalidSettings: the file of the secret cannot be read.
    """

    def __init__(self, settings: Oidc) -> None:
        assert settings.issuer is not None
        self._settings = settings
        self._issuer = settings.issuer
        self._secret = _secret(settings.client_secret_file)
        self._metadata: tuple[float, dict[str, Any]] | None = None

    async def begin(self, redirect: str) -> tuple[str, Flow]:
        """Return where the browser signs in, and what it keeps meanwhile.

        Args:
            redirect: address of this server that the provider sends the browser back to.

        Raises:
            ProviderUnavailable: the provider does not answer.
        """
        about = await self._about()
        flow = Flow(*(secrets.token_urlsafe(32) for _ in range(3)))
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "scope": self._settings.scopes,
            "redirect_uri": redirect,
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": _base64(sha256(flow.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        return _with(about["authorization_endpoint"], query), flow

    async def finish(self, code: str, flow: Flow, redirect: str) -> Session:
        """Return who has signed in, as a session that has not begun.

        Args:
            code: that the provider sent along.
            flow: of `begin`.
            redirect: as for `begin`.

        Raises:
            ProviderUnavailable: the provider does not answer.
            SignInRefused: it does not know the code, its token does not hold, or the user is in no group that may enter.
        """
        about = await self._about()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "client_id": self._settings.client_id,
            "code_verifier": flow.verifier,
        }
        login = None
        if self._secret is not None:  # encoded as section 2.3.1 of RFC 6749 says
            login = httpx.BasicAuth(quote_plus(self._settings.client_id), quote_plus(self._secret))
        status, answer = await self._ask("POST", about["token_endpoint"], data=form, auth=login)
        token = answer.get("id_token")
        if status >= 400 or not isinstance(token, str):
            why = str(answer.get("error", "no ID token"))[:50]
            raise SignInRefused(f"The provider refused this sign-in: {why!r}.")
        claims = check_token(token, await self._key_set(about), self._issuer, self._settings.client_id, flow.nonce)
        return session_of(claims, self._settings)

    async def log_out_url(self, back: str) -> str | None:
        """Return where the provider ends its own session; None if it says nothing of that, or does not answer."""
        try:
            about = await self._about()
        except ProviderUnavailable:
            return None
        where = about.get("end_session_endpoint")
        if not isinstance(where, str) or not where.startswith(("https://", "http://")):
            return None
        return _with(where, {"client_id": self._settings.client_id, "post_logout_redirect_uri": back})

    async def _about(self) -> dict[str, Any]:
        """Return what the provider says of itself, asked anew each hour."""
        if self._metadata is None or time.monotonic() - self._metadata[0] > _KEPT_SECONDS:
            found = await self._json(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            if not all(isinstance(found.get(word), str) for word in _WORDS) or found["issuer"] != self._issuer:
                raise ProviderUnavailable("The provider does not call itself by the address in oidc.issuer.", 30)
            self._metadata = (time.monotonic(), found)
        return self._metadata[1]

    async def _key_set(self, about: dict[str, Any]) -> KeySet:
        """Return the provider's keys, asked each time: sign-ins are rare, and keys change."""
        found = await self._json(about["jwks_uri"])
        try:
            return KeySet.import_key_set(found)  # type: ignore[arg-type]
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise _away(error) from None

    async def _json(self, url: str) -> dict[str, Any]:
        status, found = await self._ask("GET", url)
        if status >= 400:
            raise ProviderUnavailable(f"The provider does not answer as one does (status {status}).", 30)
        return found

    async def _ask(self, method: str, url: str, **request: Any) -> tuple[int, dict[str, Any]]:
        """Return status and JSON of an answer of the provider. Raises `ProviderUnavailable`."""
        try:
            async with httpx.AsyncClient(**_connection(url)) as client, client.stream(method, url, **request) as answer:
                body = bytearray()
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > _MOST:
                        raise ValueError("too long")
            found = json.loads(body)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError, ssl.SSLError) as error:
            raise _away(error) from None
        if answer.status_code >= 500 or not isinstance(found, dict):
            raise ProviderUnavailable("The provider does not answer as one does.", 30)
        return answer.status_code, found


def check_token(token: str, keys: KeySet, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """Return the claims of an ID token that holds, by OpenID Connect Core 1.0, section 3.1.3.7.

    Args:
        token: signed by the provider.
        keys: of the provider.
        issuer: who must have made it.
        client_id: whom it must be for.
        nonce: that it must carry.

    Raises:
        SignInRefused: it does not hold. The message says what is wrong with it.
    """
    registry = jwt.JWTClaimsRegistry(
        leeway=_LEEWAY,
        iss={"essential": True, "value": issuer},
        aud={"essential": True, "value": client_id},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
        nonce={"essential": True, "value": nonce},
    )
    try:
        claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        registry.validate(claims)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        told = getattr(error, "error", "") or type(error).__name__
        claim = getattr(error, "claim", None)
        raise SignInRefused(f"The provider's token does not hold: {told}{f' ({claim})' if claim else ''}.") from None
    party = claims.get("azp", client_id if isinstance(claims["aud"], str) or len(claims["aud"]) == 1 else None)
    if party != client_id or not isinstance(claims["sub"], str):
        raise SignInRefused("The provider's token is for another client.")
    return claims


def session_of(claims: Mapping[str, Any], settings: Oidc) -> Session:
    """Return the session of somebody with these claims, which has not begun.

    Raises:
        SignInRefused: they are in no group that has a role, or in none that has galleries.
    """
    groups = _groups(claims.get(settings.role_claim))
    order: list[Role] = list(ROLES)
    role = max((settings.roles[each] for each in groups if each in settings.roles), key=order.index, default=None)
    if role is None:
        raise SignInRefused("You have signed in, but none of your groups may use this server. Ask who looks after it.")
    galleries: tuple[str, ...] | None = None
    if settings.galleries:
        found = [name for each in groups for name in settings.galleries.get(each, ())]
        if not found:
            raise SignInRefused("You have signed in, but none of your groups has a gallery. Ask who looks after them.")
        galleries = None if "*" in found else tuple(found)
    try:
        grant, _ = cleaned(Grant(frozenset(ROLES[role]), galleries))
    except ClientError as error:
        raise SignInRefused(f"The settings oidc.galleries cannot be used: {error.detail}") from None
    subject = sha256(f"{settings.issuer}\0{claims['sub']}".encode("utf-8", "replace")).hexdigest()[:16]
    names = (claims.get(name) for name in (settings.name_claim, "email", "sub"))
    name = next((each for each in names if isinstance(each, str) and each.strip()), "")
    shown = "".join(letter if letter.isprintable() else "?" for letter in name[:64])
    return Session("", "oidc", f"oidc-{subject}", f"oidc:{shown}", grant=grant, role=role)


def open_provider(settings: Oidc) -> Provider | None:
    """Return the provider of the settings; None if they name none. Raises `InvalidSettings`."""
    return None if settings.issuer is None else Provider(settings)


def _with(url: str, query: dict[str, str]) -> str:
    return str(httpx.URL(url).copy_merge_params(query))


def _base64(made: bytes) -> str:
    return urlsafe_b64encode(made).decode().rstrip("=")


def _groups(found: object) -> list[str]:
    """Return the groups of a claim: a list, or words with spaces between them."""
    if isinstance(found, str):
        return [found, *found.split()]
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _connection(url: str) -> dict[str, Any]:
    proxy = proxy_for(url)
    return {
        "timeout": _TIMEOUT,
        "trust_env": False,
        "proxy": None if proxy is None else proxy.url,
        "verify": ssl.create_default_context(),
    }


def _secret(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text("utf-8").strip() or None
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"oidc.client_secret_file: {path} cannot be read: {error}") from error


def _away(error: Exception) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"The provider does not answer as one does ({type(error).__name__}). Try again later, or sign in in another way.",
        10,
    )
