"""Ray's configuration of HAProxy → the one that HAProxy runs on: haproxy.sh calls it at each start and reload.

Ray writes request lines with people's names to syslog, lets every user of the machine command HAProxy, opens two more ports
to everybody, waits an hour for a request's head, and answers in plain text. Nothing but Python's own library is used here:
each reload waits for it.
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
"""In which a request's head must have come whole."""

SYSLOG = "127.0.0.1:514"
"""Where Ray logs each request line, unless RAY_SERVE_HAPROXY_LOG_TARGET names another place."""

HEADER = "x-facegroup-instance"
"""Tells a process which server a request is for (door.py)."""

ANSWERS = {
    400: (400, "Bad Request", "malformed_request", "this is no HTTP request", None),
    408: (408, "Request Timeout", "timed_out", f"the head did not come within {HEAD_SECONDS} seconds", None),
    500: (500, "Internal Server Error", "internal_error", "the server failed; its log says more", None),
    502: (503, "Service Unavailable", "stage_unavailable", "the process that had the request was lost; try again", 1),
    503: (503, "Service Unavailable", "stage_unavailable", "no process of the server can take a request now", 5),
    504: (503, "Service Unavailable", "stage_unavailable", "the process that had the request does not answer", 5),
}
"""Of HAProxy itself, by its status: the status that is sent, its name, code and detail of the problem, and retry-after."""

_DROPPED = re.compile(rf"log {re.escape(SYSLOG)} |errorfile ")
_PLAIN = re.compile(r"http-request return status (?!200 )\d+ .*?(?P<condition> if [^\"]*)?$")
_CHECK = re.compile(r"option httpchk GET (?P<path>\S+)$")


def rewritten(config: str, instance: str) -> str:
    """Return a configuration that is safe; one that is so already comes back as it was.

    Args:
        config: Ray's.
        instance: name of the server whose HAProxy it is; empty: it has none, and nobody is asked for it.
    """
    if _problems()[0] in config:
        return config
    lines: list[str] = []
    section = ""
    for line in config.splitlines():
        if line[:1].strip():
            section = line.strip()
        if section not in ("frontend prometheus", "listen stats"):
            lines += _line(line, section, instance)
    return "\n".join(lines) + "\n"


def _line(line: str, section: str, instance: str) -> Iterator[str]:
    """Yield what stands in the place of one line."""
    words = line.strip()
    if _DROPPED.match(words):
        return
    if words.startswith("stats socket "):
        line = line.replace(" mode 666 ", " mode 600 ")
    elif plain := _PLAIN.match(words):
        line = f"    http-request deny deny_status 503{plain['condition'] or ''}"
    elif instance and (check := _CHECK.match(words)):
        yield "    option httpchk"
        line = (
            f"    http-check send meth GET uri {check['path']} ver HTTP/1.1 hdr host localhost hdr {HEADER} {instance}"
        )
    yield line
    if words == "defaults":
        yield f"    timeout http-request {HEAD_SECONDS}s"
        yield from _problems()
    elif section == "frontend http_frontend" and words.startswith("bind "):
        yield "    unique-id-format %[uuid]"
        if instance:
            yield f"    http-request set-header {HEADER} {instance}"
        # What is in plain text is of the HTTP library in an ingress, not of the application.
        for status in (400, 500, 503):
            yield (
                f"    http-response deny deny_status {status} if {{ status {status} }} "
                "{ res.hdr(content-type) -m beg text/plain }"
            )
        yield '    http-after-response set-status 503 reason "Service Unavailable" if { status 502 504 }'


def problem(own: int, request_id: str) -> dict[str, object]:
    """Return the problem (RFC 9457) that is told under a status of HAProxy's own."""
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

    It ends with its parent: otherwise it outlives a server that was killed and goes on holding the port.
    """
    path = Path(arguments[arguments.index("-f") + 1])
    safe = rewritten(path.read_text(), environment.get("FACEGROUP_INSTANCE", ""))
    made = path.with_suffix(f".{os.getpid()}")
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
