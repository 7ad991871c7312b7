"""Pictures over HTTP → frames: one JPEG after the other in one answer (MJPEG), or one picture an answer, asked for again.

Small cameras write MJPEG each in their own way: without a boundary before the first picture, without a type or a length of
each part, without a type of the whole. So nothing of that is read: a JPEG says itself where it begins and ends.
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
"""Bytes of an answer by which it is told what it is."""

_PART = 1 << 16
_BEGIN = b"\xff\xd8\xff"
_PARTED = re.compile(rb"\s*(--|[\w-]+:)")
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))  # markers that nothing belongs to
_EOI, _SOI, _SOS = 0xD9, 0xD8, 0xDA


def are_in(kind: str, head: bytes) -> bool:
    """Whether an answer of this content type ("" without one), which begins so, is for `JpegStream`."""
    if kind.startswith(("multipart/", "image/")) or head.startswith(_BEGIN):
        return True
    return _BEGIN in head and _PARTED.match(head) is not None


class JpegStream:
    """An open answer with one picture or many; see `facegroup.cameras.sources.frames.Source`.

    Args:
        camera: whose.
        downloads: of its source.
        first: the answer.
        start: position of the first frame.
    """

    ends = False
    every = False
    note: str | None = None

    def __init__(self, camera: Camera, downloads: Downloads, first: Download, start: float) -> None:
        self._camera = camera
        self._downloads = downloads
        self._answer = first
        # Without a type it may be a single one, too: that shows at its end.
        self._single = first.kind.startswith("image/") or first.size > 0
        self.quiet = False
        self._clock = Clock(1.0, start, float("inf"))
        self._decoder = av.CodecContext.create("mjpeg", "r")
        self._decoder.thread_count = 1

    def read(self, schedule: Schedule, stop: threading.Event) -> Iterator[ReadEvent]:
        """Yield what comes; frames that are not due are not decoded."""
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
                raise NoVideo("what the source sends is no picture that can be decoded")

    def close(self) -> None:
        """Let go of the connection."""
        self._answer.close()

    def _stream(self, stop: threading.Event) -> Iterator[bytes | None]:
        """Yield pictures; None: it will be silent for long."""
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
            raise SourceUnreachable("the source closed the connection")
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
    """Bytes, in any pieces → JPEGs, of which some may be damaged; what is between them is passed over.

    Args:
        most: bytes of one of them.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._data = bytearray()
        self._at = 0  # up to where the JPEG that the data begin with was read; 0: none has begun
        self._scanning = False  # whether that is within its pixels

    def split(self, more: bytes) -> Iterator[bytes]:
        """Yield those that are complete with these bytes; no bytes: the end. Raises NoVideo: one is too large."""
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
            raise NoVideo(f"the source sends a picture of more than {self._most:,} bytes")

    def _begun(self) -> bool:
        if self._at == 0:
            start = self._data.find(_BEGIN)
            del self._data[: start if start >= 0 else max(0, len(self._data) - len(_BEGIN) + 1)]
            self._at = 2 if start >= 0 else 0
        return self._at > 0

    def _end(self) -> int:
        """Return how many bytes the JPEG has; 0: that is not known yet."""
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
