"""Reads pictures over HTTP: many JPEG files in one answer (MJPEG), or one picture in each answer.

Small cameras write MJPEG in many ways: some leave out the boundary before the first picture, the type or length of each
part, or the type of the whole. So none of that is read. A JPEG itself says where it begins and ends.
"""

import re
import threading
import time
from collections.abc import Iterator

import av

from facegroup.cameras.sources.clock import Clock, Schedule
from facegroup.cameras.sources.frames import DecodedFrame, ReadEvent
from facegroup.cameras.sources.http_stream import Download, Downloads
from facegroup.cameras.types import Camera
from facegroup.errors import ImageError, NoVideo, SourceUnreachable
from facegroup.images.decode import decode
from facegroup.settings import Limits

HEAD = 1024
"""Bytes at the start of an answer that are enough to recognise it."""

_PART = 1 << 16
_BEGIN = b"\xff\xd8\xff"
_PARTED = re.compile(rb"\s*(--|[\w-]+:)")
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a segment
_EOI, _SOI, _SOS = 0xD9, 0xD8, 0xDA


def are_in(kind: str, head: bytes) -> bool:
    """Return whether `JpegStream` reads an answer of this content type ("" without one) and these first bytes."""
    if kind.startswith(("multipart/", "image/")) or head.startswith(_BEGIN):
        return True
    return _BEGIN in head and _PARTED.match(head) is not None


class JpegStream:
    """Class that reads an open answer with one picture or many; see `facegroup.cameras.sources.frames.Source`.

    Args:
        camera: to read.
        downloads: opens its source again.
        first: the open answer.
        start: position of the first frame.
    """

    ends = False
    every = False
    note: str | None = None

    def __init__(self, camera: Camera, downloads: Downloads, first: Download, start: float) -> None:
        self._camera = camera
        self._downloads = downloads
        self._answer = first
        # Without a type it may be a single picture, too: its end shows that.
        self._single = first.kind.startswith("image/") or first.size > 0
        self.quiet = False
        self._clock = Clock(1.0, start, float("inf"))
        self._decoder = av.CodecContext.create("mjpeg", "r")
        self._decoder.thread_count = 1

    def read(self, schedule: Schedule, stop: threading.Event) -> Iterator[ReadEvent]:
        """Yield events; frames that are not due are not decoded."""
        hurt: float | None = None  # since when nothing that came could be decoded
        for data in self._one_by_one(stop) if self._single else self._stream(stop):
            if data is None:
                yield "waiting"
                continue
            yield "came"
            now = time.monotonic()
            if not schedule.due(now):
                continue
            frame = self._whole(data) if self._single else self._part(data)
            if frame is not None:
                hurt, self.quiet = None, self._single
                yield DecodedFrame(frame, time.time(), self._clock.position(now), now)
                continue
            yield "damaged"
            hurt = hurt or now
            if now - hurt > 3 * self._camera.stall_seconds or (self._single and self._clock.unused):
                raise NoVideo("The source does not send decodable pictures.")

    def close(self) -> None:
        """Close the connection."""
        self._answer.close()

    def _stream(self, stop: threading.Event) -> Iterator[bytes | None]:
        """Yield pictures; None before the source is silent for long."""
        splitter, count = Splitter(Limits().image_bytes), 0
        while not stop.is_set():
            data = self._answer.read(_PART)
            for picture in splitter.split(data):
                count += 1
                yield picture
            if not data:
                break
        if stop.is_set():
            return
        if count != 1:
            raise SourceUnreachable("The source closed the connection.")
        self._single = self.quiet = True
        yield None
        yield from self._one_by_one(stop, after=True)

    def _one_by_one(self, stop: threading.Event, *, after: bool = False) -> Iterator[bytes]:
        pause = max(self._camera.picture_seconds, 1 / self._camera.fps)
        most = Limits().image_bytes
        while not stop.is_set():
            if after:
                self._answer.close()
                if stop.wait(pause):
                    return
                self._answer = self._downloads.open(self._camera.source)
            after, data = True, bytearray()
            while len(data) <= most and (part := self._answer.read(_PART)):
                data += part
            yield bytes(data)

    def _part(self, data: bytes) -> av.VideoFrame | None:
        try:
            frames = self._decoder.decode(av.Packet(data))
        except (av.FFmpegError, ValueError, MemoryError):
            return None
        return next((each for each in frames if isinstance(each, av.VideoFrame) and not each.is_corrupt), None)

    @staticmethod
    def _whole(data: bytes) -> av.VideoFrame | None:
        try:
            return av.VideoFrame.from_ndarray(decode(data, Limits()).image, "rgb24")
        except ImageError:
            return None


class Splitter:
    """Class that finds JPEG files in a stream of bytes. Some may be damaged. Bytes between them are skipped.

    Args:
        most: bytes of a JPEG file.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._data = bytearray()
        self._at = 0  # bytes of the current JPEG that were scanned; 0 if none has begun
        self._scanning = False  # whether that is within its pixels

    def split(self, more: bytes) -> Iterator[bytes]:
        """Yield the JPEG files that these bytes complete; empty bytes end the last. Raises NoVideo: one is too large."""
        self._data += more
        while self._begun() and (end := self._end()):
            if end > 2:  # else another begins at once
                yield bytes(self._data[:end])
            del self._data[:end]
            self._at, self._scanning = 0, False
        if not more and self._at:
            yield bytes(self._data)
            self._data.clear()
            self._at = 0
        if len(self._data) > self._most:
            raise NoVideo(f"The source sends a picture of more than {self._most:,} bytes.")

    def _begun(self) -> bool:
        if self._at == 0:
            start = self._data.find(_BEGIN)
            del self._data[: start if start >= 0 else max(0, len(self._data) - len(_BEGIN) + 1)]
            self._at = 2 if start >= 0 else 0
        return self._at > 0

    def _end(self) -> int:
        """Return the size of the JPEG in bytes; 0 if it is not known yet."""
        data = self._data
        while True:
            if self._scanning:
                found = _MARKER.search(data, self._at)
                if found is None:
                    self._at = max(self._at, len(data) - 1)
                    return 0
                self._at, self._scanning = found.start(), False
            if len(data) < self._at + 4 and not (len(data) >= self._at + 2 and data[self._at + 1] == _EOI):
                return 0
            marker = data[self._at + 1]
            if data[self._at] != 0xFF or marker == _SOI:  # damaged: it goes to where the next one begins
                return max(0, data.find(_BEGIN, self._at))
            if marker == _EOI:
                return self._at + 2
            if marker == 0xFF:
                self._at += 1
            elif marker in _BARE:
                self._at += 2
            else:
                self._at += 2 + int.from_bytes(data[self._at + 2 : self._at + 4])
                self._scanning = marker == _SOS
