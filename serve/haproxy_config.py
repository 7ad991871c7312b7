"""Makes Ray's configuration of HAProxy safe. haproxy.sh calls it at each start and reload.

Ray's configuration writes request lines with people's names to syslog, lets every user of the machine command HAProxy,
opens two more ports to everybody, believes a client that says where it comes from, waits an hour for a request's head,
answers in plain text, and has no TLS. Only Python's standard library is imported: each reload waits for this module.
"""

import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HEAD_SECONDS = 10
"""How long a client may take to send a request's head."""

SYSLOG = "127.0.0.1:514"
"""Where Ray logs each request line, unless RAY_SERVE_HAPROXY_LOG_TARGET names another place."""

HEADER = "x-facegroup-instance"
"""Header that tells a process which server a request is for (early_refusal.py)."""

GUARD = "x-facegroup-guard"
"""Header with a secret, by which the processes of a cluster know that a request comes through HAProxy."""

SECRET = "HAPROXY_SECRET"
"""Variable with that secret. Without it, the processes listen on loopback, and are not guarded."""

NODE = "HAPROXY_NODE"
"""Variable with the address of this machine, at which a cluster's processes listen; without it they do on loopback."""

HOST = "HAPROXY_HOST"
"""Variable with the address that the server listens on."""

TLS = "HAPROXY_TLS"
"""Variable with the path of certificate and key; without it the server speaks plain HTTP."""

HSTS = "HAPROXY_HSTS"
"""Variable with the seconds for which browsers are told to use TLS only."""

PROXIES = "HAPROXY_PROXIES"
"""Variable with the networks, separated by spaces, whose word on where a request comes from is taken."""

FORWARDED = "HAPROXY_FORWARDED"
"""Variable with the header in which they say it: `x-forwarded-for`, which is the default, or `forwarded`."""

SECURITY = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""Headers that tell a browser to do less. They are added to each answer that does not have them."""

ANSWERS = {
    400: (400, "Bad Request", "malformed_request", "this is no HTTP request", None),
    408: (408, "Request Timeout", "timed_out", f"the head did not come within {HEAD_SECONDS} seconds", None),
    500: (500, "Internal Server Error", "internal_error", "the server failed; its log says more", None),
    502: (503, "Service Unavailable", "stage_unavailable", "the process that had the request was lost; try again", 1),
    503: (503, "Service Unavailable", "stage_unavailable", "no process of the server can take a request now", 5),
    504: (503, "Service Unavailable", "stage_unavailable", "the process that had the request does not answer", 5),
}
"""HAProxy's own answers by its status: the status to send, the problem's title, code and detail, and retry-after."""

_FRONT = "frontend http_frontend"
_CIPHERS = ":".join(
    f"ECDHE-{kind}-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for kind in ("ECDSA", "RSA")
)
_SPOKEN = f"ssl-min-ver TLSv1.2 ciphers {_CIPHERS} alpn h2,http/1.1"
_EVERYWHERE = ("0.0.0.0", "::")
_DROPPED = re.compile(rf"log {re.escape(SYSLOG)} |errorfile ")
_PLAIN = re.compile(r"http-request return status (?!200 )\d+ .*?(?P<condition> if [^\"]*)?$")
_LOCAL = re.compile(r"(?P<name>server \S+) (?:127\.0\.0\.1|::1|\[::1\]|localhost):(?P<rest>\d+.*)$")
_CHECK = re.compile(r"option httpchk GET (?P<path>\S+)$")


@dataclass(frozen=True, slots=True)
class Front:
    """How a server is reached.

    Attributes:
        instance: name of the server; an empty one is not sent to its processes.
        host: address to listen on; an empty one leaves Ray's, at which the server's processes listen, too.
        tls: path of certificate and key; empty: plain HTTP.
        hsts: seconds for which browsers are told to use TLS only.
        proxies: networks of proxies that may say where a request comes from.
        forwarded: header in which they say it.
        secret: by which the server's processes know HAProxy; an empty one is not sent.
        node: address of this machine; Ray calls the processes on it by loopback, and on a cluster they are not there.
    """

    instance: str = ""
    host: str = ""
    tls: str = ""
    hsts: str = ""
    proxies: str = ""
    forwarded: str = ""
    secret: str = ""
    node: str = ""


def rewritten(config: str, front: Front) -> str:
    """Return a safe configuration. A configuration that is safe already is not changed.

    Args:
        config: Ray's.
        front: how the server is reached.
    """
    if _problems()[0] in config:
        return config
    lines: list[str] = []
    section = ""
    for line in config.splitlines():
        if line[:1].strip():
            section = line.strip()
        if section not in ("frontend prometheus", "listen stats"):
            lines += _line(line, section, front)
    return "\n".join(lines) + "\n"


def _line(line: str, section: str, front: Front) -> Iterator[str]:
    """Yield the lines that replace one line."""
    words = line.strip()
    if _DROPPED.match(words):
        return
    binds = section == _FRONT and words.startswith("bind ")
    if words.startswith("stats socket "):
        line = line.replace(" mode 666 ", " mode 600 ")
    elif binds:
        line = f"    {_bound(words, front)}"
    elif front.node and (server := _LOCAL.match(words)):
        node = f"[{front.node}]" if ":" in front.node else front.node
        line = f"    {server['name']} {node}:{server['rest']}"
    elif plain := _PLAIN.match(words):
        line = f"    http-request deny deny_status 503{plain['condition'] or ''}"
    elif front.instance and (check := _CHECK.match(words)):
        yield "    option httpchk"
        line = (
            f"    http-check send meth GET uri {check['path']} ver HTTP/1.1 hdr host localhost "
            f"hdr {HEADER} {front.instance}"
        ) + (f" hdr {GUARD} {front.secret}" if front.secret else "")
    yield line
    if words == "defaults":
        yield f"    timeout http-request {HEAD_SECONDS}s"
        yield from _problems()
    elif binds:
        yield from (f"    {rule}" for rule in (*_origin(front), *_answers(front)))


def _bound(words: str, front: Front) -> str:
    """Return the line that says where and how HAProxy listens."""
    if front.host:
        words = f"bind {'*' if front.host in _EVERYWHERE else front.host}:{words.rpartition(':')[2]}"
    return f"{words} ssl crt {front.tls} {_SPOKEN}" if front.tls else words


def _origin(front: Front) -> Iterator[str]:
    """Yield the rules by which processes learn where a request comes from.

    serve/api/forwarded.py believes it, since it comes from this machine: it is not the client's to say. Of the two ways to
    say it only one is passed on: a proxy that uses one of them leaves the other to its clients.
    """
    yield "unique-id-format %[uuid]"
    named = f" unless {{ src {front.proxies} }}" if front.proxies else ""
    in_one = front.forwarded == "forwarded"
    for header in ("x-forwarded-for", "x-forwarded-proto", "forwarded"):
        yield f"http-request del-header {header}{named if in_one == (header == 'forwarded') else ''}"
    yield "http-request add-header x-forwarded-for %[src]"
    yield f"http-request add-header x-forwarded-proto {'https' if front.tls else 'http'}"
    if front.instance:
        yield f"http-request set-header {HEADER} {front.instance}"
    if front.secret:
        yield f"http-request set-header {GUARD} {front.secret}"


def _answers(front: Front) -> Iterator[str]:
    """Yield the rules for answers."""
    # Plain text comes from the HTTP library in an ingress, not from the application.
    for status in (400, 500, 503):
        yield (
            f"http-response deny deny_status {status} if {{ status {status} }} "
            "{ res.hdr(content-type) -m beg text/plain }"
        )
    yield 'http-after-response set-status 503 reason "Service Unavailable" if { status 502 504 }'
    yield "http-after-response del-header server"
    for header, value in SECURITY.items():
        yield f'http-after-response set-header {header} "{value}" unless {{ res.hdr({header}) -m found }}'
    if front.tls and front.hsts:
        yield f"http-after-response set-header strict-transport-security max-age={front.hsts}"


def problem(own: int, request_id: str) -> dict[str, object]:
    """Return the problem (RFC 9457) for one of HAProxy's own statuses."""
    status, title, code, detail, _ = ANSWERS[own]
    told = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": detail}
    return {**told, "request_id": request_id}


def _problems() -> list[str]:
    """Return the directives that make HAProxy's own answers problems."""
    lines = []
    for own, (*_, retry_after) in ANSWERS.items():
        text = json.dumps(problem(own, "%[unique-id]")).replace('"', '\\"')
        line = f'    http-error status {own} content-type application/problem+json lf-string "{text}"'
        line += ' hdr x-request-id "%[unique-id]"'
        lines.append(line + (f" hdr retry-after {retry_after}" if retry_after else ""))
    return lines


def main(arguments: list[str], environment: Mapping[str, str]) -> None:
    """Make the configuration safe that the arguments name, and become HAProxy.

    HAProxy ends with its parent: otherwise it would outlive a killed server and keep its port.
    """
    path = Path(arguments[arguments.index("-f") + 1])
    given = (
        environment.get(name, "") for name in ("FACEGROUP_INSTANCE", HOST, TLS, HSTS, PROXIES, FORWARDED, SECRET, NODE)
    )
    safe = rewritten(path.read_text(), Front(*given))
    made = path.with_suffix(f".{os.getpid()}")
    made.touch(0o600)  # it may hold a secret
    made.write_text(safe)
    made.replace(path)
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG; it is kept when HAProxy takes over
        if os.getppid() != parent:
            sys.exit("the process that wants HAProxy has ended")
    os.execv(environment["HAPROXY"], [environment["HAPROXY"], *arguments])


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
