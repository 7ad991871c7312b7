"""A camera's login in front of an RTSP server, as GStreamer's has none: Digest with any hash, challenges in any order."""

import hashlib
import re
import socket
import threading
from contextlib import suppress

from facegroup.cameras.sources.rtsp_login import Message, RtspConnection

USER, PASSWORD, REALM, NONCE = "me", "p@ss/hunter2", "camera, indoors", "abc=0123"


def challenge(algorithm: str | None, qop: str = ', qop="auth"') -> str:
    """What is asked for."""
    named = "" if algorithm is None else f", algorithm={algorithm}"
    return f'Digest realm="{REALM}", nonce="{NONCE}"{qop}{named}'


class Guard:
    """Lets requests through that answer one of its challenges; of the hashes it means one.

    Args:
        port: of the server behind it.
        works: hash that it means, as hashlib calls it.
        challenges: values of WWW-Authenticate.
    """

    def __init__(self, port: int, works: str, *challenges: str) -> None:
        self._behind, self._works, self._challenges = port, works, challenges
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.tried: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                link, _ = self._listener.accept()
                threading.Thread(target=self._one, args=(RtspConnection(link),), daemon=True).start()

    def _one(self, client: RtspConnection) -> None:
        server = RtspConnection(socket.create_connection(("127.0.0.1", self._behind)))
        threading.Thread(target=self._back, args=(server, client), daemon=True).start()
        with suppress(OSError, ValueError):
            while (message := client.read()) is not None:
                if message.first and not message.first.startswith("OPTIONS") and not self._right(message):
                    lines = [f"WWW-Authenticate: {each}" for each in self._challenges]
                    client.write(
                        Message("RTSP/1.0 401 Unauthorized", (f"CSeq: {message.values('cseq')[0]}", *lines), b"")
                    )
                else:
                    server.write(message)
        client.close()
        server.close()

    def _back(self, server: RtspConnection, client: RtspConnection) -> None:
        with suppress(OSError, ValueError):
            while (message := server.read()) is not None:
                client.write(message)
        client.close()

    def _right(self, message: Message) -> bool:
        header = "".join(message.values("authorization"))
        if header:
            self.tried.append(header)
        given = {
            name: quoted or plain for name, quoted, plain in re.findall(r'([\w-]+)=(?:"([^"]*)"|([^\s,]*))', header)
        }

        def hashed(*parts: str) -> str:
            return hashlib.new(self._works, ":".join(parts).encode()).hexdigest()

        method, uri, _ = message.first.split(" ")
        first, second = hashed(USER, REALM, PASSWORD), hashed(method, uri)
        middle = (given.get("nc", ""), given.get("cnonce", ""), "auth") if "qop" in given else ()
        return given.get("uri") == uri and given.get("response") == hashed(first, NONCE, *middle, second)
