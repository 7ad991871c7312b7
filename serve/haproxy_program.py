"""Copies HAProxy's program into the server's folder, with problems as its answers to heads that it cannot read.

Until version 3.3 no setting changes what HAProxy answers to a malformed head (400) or a late one (408): its issue 3032. Both
texts are in the program. The copy has others of the same length.
"""

import json
import re
import subprocess
from pathlib import Path

from serve.haproxy_config import ANSWERS


def prepared(program: Path, folder: Path) -> Path:
    """Return the copy, or the program itself if the copy does not run, for example on a volume mounted noexec.

    Args:
        program: HAProxy, as it was installed.
        folder: of the server.
    """
    copy = folder / "haproxy"
    copy.write_bytes(reworded(program.read_bytes()))
    copy.chmod(0o700)
    (folder / "lib").symlink_to(program.resolve().parent / "lib")  # it looks for libraries beside itself
    try:
        subprocess.run([copy, "-v"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return program
    return copy


def reworded(program: bytes) -> bytes:
    """Return the program with other answers. An answer that is not found in it stays.

    Args:
        program: the executable file.
    """
    for own in (400, 408):
        status, title, code, detail, _ = ANSWERS[own]
        head = (
            f"HTTP/1.1 {status} {title}\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
            "Content-Length: "
        )
        content = {"title": title, "status": status, "code": code, "detail": detail}
        body = json.dumps(content, separators=(",", ":"))

        def ours(theirs: re.Match[bytes], head: str = head, body: str = body) -> bytes:
            room = len(theirs[0]) - len(head) - len("123\r\n\r\n")
            return f"{head}{room:3}\r\n\r\n{body:{room}}".encode() if len(body) <= room else theirs[0]

        program = re.sub(rb"HTTP/1\.1 %d [^\0]{50,400}</html>\n(?=\0)" % own, ours, program)
    return program
