"""Makes Ray's configuration of HAProxy safe. haproxy.sh calls it at each start and reload.

Ray's configuration writes request lines with people's names to syslog, lets every user of the machine command HAProxy,
opens two more ports to everybody, believes a client that says where it comes from, waits an hour for a request's head, and
answers in plain text. Only Python's standard library is imported: each reload waits for this module.
"""

import ctypes
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
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

HOST = "HAPROXY_HOST"
"""Variable with the address that the server listens on."""

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
_EVERYWHERE = ("0.0.0.0", "::")
_DROPPED = re.compile(rf"log {re.escape(SYSLOG)} |errorfile ")
_PLAIN = re.compile(r"http-request return status (?!200 )\d+ .*?(?P<condition> if [^\"]*)?$")
_CHECK = re.compile(r"option httpchk GET (?P<path>\S+)$")


def rewritten(config: str, instance: str, host: str = "", secret: str = "") -> str:
    """Return a safe configuration. A configuration that is safe already is not changed.

    Args:
        config: Ray's.
        instance: name of the server; an empty one is not sent to its processes.
        host: address to listen on; an empty one leaves Ray's, at which the server's processes listen, too.
        secret: by which its processes know HAProxy; an empty one is not sent.
    """
    if _problems()[0] in config:
        return config
    lines: list[str] = []
    section = ""
    for line in config.splitlines():
        if line[:1].strip():
            section = line.strip()
        if section not in ("frontend prometheus", "listen stats"):
            lines += _line(line, section, instance, host, secret)
    return "\n".join(lines) + "\n"


def _line(line: str, section: str, instance: str, host: str, secret: str) -> Iterator[str]:
    """Yield the lines that replace one line."""
    words = line.strip()
    if _DROPPED.match(words):
        return
    if words.startswith("stats socket "):
        line = line.replace(" mode 666 ", " mode 600 ")
    elif host and section == _FRONT and words.startswith("bind "):
        line = f"    bind {'*' if host in _EVERYWHERE else host}:{words.rpartition(':')[2]}"
    elif plain := _PLAIN.match(words):
        line = f"    http-request deny deny_status 503{plain['condition'] or ''}"
    elif instance and (check := _CHECK.match(words)):
        yield "    option httpchk"
        line = (
            f"    http-check send meth GET uri {check['path']} ver HTTP/1.1 hdr host localhost hdr {HEADER} {instance}"
        ) + (f" hdr {GUARD} {secret}" if secret else "")
    yield line
    if words == "defaults":
        yield f"    timeout http-request {HEAD_SECONDS}s"
        yield from _problems()
    elif section == _FRONT and words.startswith("bind "):
        yield "    unique-id-format %[uuid]"
        # Processes believe it, since it comes from this machine: it is not the client's to say.
        yield "    http-request set-header x-forwarded-for %[src]"
        yield "    http-request del-header forwarded"
        if instance:
            yield f"    http-request set-header {HEADER} {instance}"
        if secret:
            yield f"    http-request set-header {GUARD} {secret}"
        # Plain text comes from the HTTP library in an ingress, not from the application.
        for status in (400, 500, 503):
            yield (
                f"    http-response deny deny_status {status} if {{ status {status} }} "
                "{ res.hdr(content-type) -m beg text/plain }"
            )
        yield '    http-after-response set-status 503 reason "Service Unavailable" if { status 502 504 }'


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
    given = (environment.get(name, "") for name in ("FACEGROUP_INSTANCE", HOST, SECRET))
    safe = rewritten(path.read_text(), *given)
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
