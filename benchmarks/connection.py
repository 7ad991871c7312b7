"""A minimal keep-alive HTTP/1.1 connection that sends requests and reads only the status of the answers."""

import asyncio
from typing import Self
from urllib.parse import urlsplit


class Connection(asyncio.Protocol):
    """Class for one connection with one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bool]] | None = None
        self._head = self._tail = b""
        self._status, self._hinted = 0, False
        self._missing: int | None = None
        self._chunked = False
        self.reusable = True

    @classmethod
    async def to(cls, url: str) -> Self:
        """Connect to the host of a URL."""
        at = urlsplit(url)
        made = asyncio.get_running_loop().create_connection(cls, at.hostname or "localhost", at.port or 80)
        _, connection = await made
        return connection

    async def ask(self, request: bytes) -> tuple[int, bool]:
        """Send a request, and return the status of the answer and whether it says when to retry.

        Raises:
            OSError: the connection broke.
        """
        if self._transport is None or self._transport.is_closing():
            self.reusable = False
            raise ConnectionError("the connection is closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._head, self._tail, self._missing, self._chunked = b"", b"", None, False
        self._transport.write(request)
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self.reusable = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.reusable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the connection broke"))

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._missing is None:
            self._head += data
            head, end, rest = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._begin(head.lower())
            data = rest
        assert self._missing is not None
        if self._chunked:
            self._tail = (self._tail + data)[-7:]
            if not self._tail.endswith(b"\r\n0\r\n\r\n") and self._tail != b"0\r\n\r\n":
                return
        else:
            self._missing -= len(data)
            if self._missing > 0:
                return
        self._end()

    def _begin(self, head: bytes) -> None:
        self._status = int(head[9:12])
        self._hinted = b"\r\nretry-after:" in head
        if b"\r\nconnection: close" in head:
            self.reusable = False
        _, found, rest = head.partition(b"\r\ncontent-length:")
        self._chunked = not found and b"\r\ntransfer-encoding: chunked" in head
        self._missing = int(rest.split(b"\r\n", 1)[0]) if found else 0

    def _end(self) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((self._status, self._hinted))
