"""ASGI middleware in front of all routes: the host names that this server answers to, and whose web pages may change what.

A browser sends the requests of any page that is open in it, also to this machine. What a page of another origin asks for
arrives with `Origin` or `Sec-Fetch-Site`, which no page can forge; one whose name was made to lead here (DNS rebinding)
arrives with its own name as `Host`. Programs that are no browsers send neither, and are not concerned.
"""

import ipaddress
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facegroup.errors import FacegroupError, HostNotAllowed, OriginNotAllowed
from facegroup.settings import Settings
from facegroup.store.audit import Origin
from serve.api.limits import request_id
from serve.api.problems import problem

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_EXPOSED = ("x-request-id", "retry-after", "allow", "ratelimit", "ratelimit-policy")
_PORTS = {"http": "80", "https": "443"}
_AUTHORITY = re.compile(r"(?P<name>\[[0-9a-fA-F:.%\w-]+\]|[^\s\[\]:/@]+)(?::(?P<port>\d*))?")


class Origins:
    """Refuses requests for a name that is not this server's, and changes that a page of another origin asks for.

    Args:
        app: the rest.
        settings: of the server: `host`, `hosts` and `cors_origins`.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._names = frozenset({"localhost", settings.host.lower(), *settings.hosts})
        self._below = (".localhost", *(name[1:] for name in settings.hosts if name.startswith("*.")))
        self._admitted = frozenset(settings.cors_origins)
        self._shared = CORSMiddleware(
            app,
            allow_origins=settings.cors_origins,
            allow_methods=_METHODS,
            allow_headers=("*",),
            expose_headers=_EXPOSED,
            allow_private_network=True,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        name = request_id(headers)
        if (fault := self._fault(scope, headers)) is not None:
            scope["app"].state.auditor.refused(fault, _caller(scope, name), scope["method"])
            refusal = problem(fault, name, close=True)
            refusal.headers["x-request-id"] = name
            await refusal(scope, receive, send)
        elif not self._admitted:
            await self._app(scope, receive, send)
        elif (asked := headers.get("access-control-request-method")) is None or scope["method"] != "OPTIONS":
            await self._shared(scope, receive, send)
        elif asked in _METHODS and headers.get("origin") in self._admitted:
            await self._shared(scope, receive, _named(send, name))
        else:  # a preflight that is to fail: the routes' answer admits nobody
            await self._app(scope, receive, send)

    def _fault(self, scope: Scope, headers: Headers) -> FacegroupError | None:
        hosts = headers.getlist("host")
        for host in hosts:
            if len(hosts) > 1 or not self._knows(host):
                return HostNotAllowed(
                    f"this server is not known as {host[:100]!r}; if that is a name of its own, add it to FACEGROUP_HOSTS"
                )
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if scope["method"] in _SAFE or origin in self._admitted or site == "same-origin":
            return None
        foreign = origin is not None and not (hosts and _is_own(origin, hosts[0], scope["scheme"]))
        if foreign or site in ("cross-site", "same-site"):
            return OriginNotAllowed(
                f"a web page of {'another site' if origin is None else origin[:100]!r} must not change anything here; "
                "if it may, add its origin to FACEGROUP_CORS_ORIGINS"
            )
        return None

    def _knows(self, host: str) -> bool:
        found = _AUTHORITY.fullmatch(host)
        if found is None:
            return False
        name = found["name"].lower().removesuffix(".")
        return name in self._names or name.endswith(self._below) or _is_address(name)


def _caller(scope: Scope, name: str) -> Origin:
    client = scope["client"][0] if scope.get("client") else "unknown"
    return Origin(f"http {client}", name, client)


def _named(send: Send, name: str) -> Send:
    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["x-request-id"] = name
        await send(message)

    return named


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name[1:-1] if name.startswith("[") else name)
    except ValueError:
        return False
    return True


def _is_own(origin: str, host: str, by: str) -> bool:
    """Return whether a page of this origin comes from the very host and port that are asked.

    A page that came by HTTP, which can be changed on the way, changes nothing by HTTPS. The other way round the scheme is
    not compared: a proxy in front that is not named may speak TLS.
    """
    scheme, _, where = origin.partition("://")
    page, asked = _AUTHORITY.fullmatch(where), _AUTHORITY.fullmatch(host)
    if page is None or asked is None or scheme not in _PORTS or (by == "https" and scheme != by):
        return False
    one, other = ((each["name"].lower(), each["port"] or _PORTS[scheme]) for each in (page, asked))
    return one == other
