"""A webhook's receiver: a real server on a real port, which answers as it is told, hangs, dies and comes back."""

import json
import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG, DIE = -1, -2


class Receiver:
    """Answers 204, or what is next in `answers`: a status, with headers, or HANG, or DIE in the middle of it.

    Attributes:
        got: (headers with names in lower case, body) of everything that came.
        came: is set when something does.
        taken: the events among them that were answered with 204.
    """

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.taken: list[dict[str, Any]] = []
        self.answers: list[int | tuple[int, dict[str, str]]] = []
        self.released = threading.Event()
        self.came = threading.Event()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}/in"
        self._server: ThreadingHTTPServer | None = None
        self.start()

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                receiver.came.set()
                answer = receiver.answers.pop(0) if receiver.answers else 204
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                if status == HANG:
                    receiver.released.wait(60)
                if status < 0:
                    self.close_connection = True
                    return
                if status == 204:
                    receiver.taken.append(json.loads(body))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:  # a caller who is killed
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def numbers(self) -> list[int]:
        """Return the numbers of the events that were taken."""
        return [each["seq"] for each in self.taken]


def until(what: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait for something to be so, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
    return found
