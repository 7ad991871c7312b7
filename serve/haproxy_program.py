"""HAProxy's program → a copy in the server's folder that answers a head which it cannot read with a problem, too.

Until version 3.3 HAProxy heeds no setting for what it says to a head that is none (400) or does not come (408): its issue
3032. Both texts stand in the program; in the copy they are others of the same length.
"""

import json
import re
import subprocess
from pathlib import Path

from serve.haproxy_config import ANSWERS


def prepared(program: Path, folder: Path) -> Path:
    """Return the copy, or the program itself where the copy does not run, as on a volume that nothing may be run from.

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
    """Return the program with other answers; what is not found in it stays.

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
