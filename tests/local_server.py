"""The server's routes without Ray, on a real port of this machine."""

import socket
import threading
import time
from typing import Any, Self

import uvicorn

from facegroup.settings import Settings
from serve.api import build_api
from tests.local_pipeline import LocalPipeline


class LocalServer:
    """The app on a free port of this machine, in a thread."""

    def __init__(self, pipeline: LocalPipeline, port: int = 0, settings: Settings | None = None) -> None:
        self.pipeline = pipeline
        app = build_api(settings or pipeline.recognizer.settings, pipeline)
        self._socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="off"))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    @classmethod
    def of(cls, settings: Settings, pipeline: Any) -> Self:
        """Return a server with settings of its own over any pipeline."""
        return cls(pipeline, settings=settings)

    def stop(self, *, cut: bool = False) -> None:
        """End it, after the answers that are under way, or, with `cut`, in the middle of them."""
        self._server.should_exit = True
        self._server.force_exit = cut
        self._thread.join()
        self._socket.close()
