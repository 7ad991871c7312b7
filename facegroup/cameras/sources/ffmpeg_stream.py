"""Reads a video that FFmpeg has opened.

Frames that are not due are decoded only where later ones need them: they wait for one that is due, and are dropped where a
key frame comes first.
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import av
import av.error
from av.container import InputContainer

from facegroup.cameras.sources import video_tracks as tracks
from facegroup.cameras.sources.clock import JUMP, Clock, Schedule
from facegroup.cameras.sources.ffmpeg_errors import translate
from facegroup.cameras.sources.frames import DecodedFrame, ReadEvent
from facegroup.cameras.sources.packet_loss import PacketLossDetector
from facegroup.cameras.types import Camera
from facegroup.errors import FacegroupError, NoKeyFrame, NoVideo, SourceStalled, SourceUnreachable

_TRIES = 20  # damaged parts in a row without a frame between them, before a stream is given up
_KEY_SECONDS = 300.0  # without a key frame, before a camera is given up
_HELD = 1.0  # seconds of frames that may wait, or half of those after which a camera is taken for stalled
_MOST = 120  # frames that may wait
_LENIENT = frozenset(("mjpeg", "hevc"))  # decoders that report damage only when asked to


class FfmpegStream:
    """Class that reads an open video; see `facegroup.cameras.sources.frames.Source`.

    Args:
        container: of FFmpeg.
        camera: whose.
        start: position of the first frame.
        below: connection that the container reads from, closed with it.
        ends: whether it is a file. False goes by whether the container says a length.
    """

    quiet = False
    every = False
    note: str | None = None

    def __init__(
        self, container: InputContainer, camera: Camera, start: float, below: Any = None, *, ends: bool = False
    ) -> None:
        self._container = container
        self._below = below
        video = tracks.moving(container)
        if video is None:
            self.close()
            raise NoVideo(f"The source has {'only a picture' if container.streams.video else 'no video'} in it.")
        name = container.format.name
        self.ends = ends or (name != "rtsp" and bool(container.duration))
        self._realtime = camera.realtime or not self.ends
        # A playlist's frames come by the segment, a file's at once; others come when they are there.
        self._paced = self._realtime and (self.ends or "hls" in name)
        # Of a file that is not played every frame is decoded, so that damage shows, and all its times are its own.
        self._whole = not self._realtime and "hls" not in name
        self._holes = PacketLossDetector(name)
        self._stamped = name not in {"mpjpeg", "mjpeg"}  # MJPEG has no time stamps: FFmpeg makes some up
        self._patience = camera.stall_seconds
        self._video = video
        for each in container.streams:
            if each is not video and not self._whole:
                each.discard = av.stream.Discard.all
        self._codec = self._video.codec_context
        if self._codec is None:
            self.close()
            raise NoVideo("The source's video has a codec that is not supported.")
        self._codec.thread_count = 1
        if self._whole and self._codec.name in _LENIENT:
            self._codec.options = {"err_detect": "explode"}
        self._intra = bool(self._codec.codec.intra_only)
        rate = float(self._video.average_rate or self._video.guessed_rate or 25)
        self._clock = Clock(1 / rate if 0 < rate <= 240 else 0.04, start, start + self._length() if self._whole else 0)
        self._opened = time.monotonic()
        self._keyed = False
        self._began: float | None = None
        self._held: list[av.Packet[Any]] = []  # not decoded yet, in the order in which they are shown
        self._entering = False  # whether the next to be decoded is the first since some were dropped
        # Whether that frame gave a picture: a stream that is refreshed bit by bit gives none, and loses a second.
        self._clean = True
        self._waiting: float | None = None  # since when nothing could be decoded

    def read(self, schedule: Schedule, stop: threading.Event) -> Iterator[ReadEvent]:
        """Yield what comes; see `facegroup.cameras.sources.frames.Source`."""
        for packet, hole in self._packets(stop):
            if hole:
                yield from ("came", "damaged")
            if packet.size:
                yield "came"
            hurt = self._whole and packet.is_corrupt
            if hurt:
                yield "damaged"
            if self._keyless(packet):
                yield NoKeyFrame(f"Video comes, but no key frame for {self._unkeyed():.0f} s. Pictures begin with one.")
                continue
            shown = tracks.stamp(self._container, packet)
            stamp = self._stamp(packet.dts if shown is None else shown)
            if packet.size and self._paced:
                self._wait(self._stamp(shown if packet.dts is None else packet.dts), stop)
            wanted = not packet.size or stamp is None or schedule.due(self._moment(self._clock.guess(stamp)))
            if packet.is_keyframe:
                self._begin_anew(stamp, schedule)
            if self._intra and not wanted and not self._whole:
                self._clock.position(stamp)
                continue
            self._held.append(packet)
            if wanted or self._whole or not self._can_wait():
                yield from (each for each in self._decode(wanted) if not (hurt and each == "damaged"))

    def _keyless(self, packet: "av.Packet[Any]") -> bool:
        """Return whether a camera sent no key frame yet, so that nothing can be decoded. Raises NoVideo: for too long."""
        if self.ends or self._keyed or packet.is_keyframe or not packet.size:
            self._keyed = self._keyed or packet.is_keyframe
            return False
        if self._unkeyed() > _KEY_SECONDS:
            raise NoVideo(f"No key frame came for {_KEY_SECONDS:g} s. Set the camera to send one every 10 s or so.")
        return True

    def _unkeyed(self) -> float:
        return time.monotonic() - self._opened

    def close(self) -> None:
        """Close the connection or file."""
        with suppress(av.FFmpegError):
            self._container.close()
        if self._below is not None:
            self._below.close()

    def _begin_anew(self, stamp: float | None, schedule: Schedule) -> None:
        """Drop the frames that wait at a key frame: no later frame needs them."""
        if not self._held or not self._clean:
            return
        for packet in self._taken():
            self._clock.position(self._stamp(tracks.stamp(self._container, packet)))
        self._codec.flush_buffers()
        self._entering = True
        if self._realtime:
            schedule.favour(self._moment(self._clock.guess(stamp)))

    def _decode(self, wanted: bool) -> Iterator[ReadEvent]:
        """Decode the frames that wait; if the last of them is due, yield only that."""
        held = self._taken()
        for packet in held:
            newest = packet is held[-1]
            # Frames that no other is made from are left out; of the rest each is needed for the next.
            self._codec.skip_frame = "DEFAULT" if self._whole or (wanted and newest) else "NONREF"
            found = list(self._shown(packet))
            shown = any(isinstance(each, DecodedFrame) for each in found)
            if self._entering:
                self._entering, self._clean = False, shown
            yield from (each for each in found if newest or not wanted or not isinstance(each, DecodedFrame))
        if shown:
            self._waiting = None
        elif wanted:
            self._waiting = self._waiting or time.monotonic()
            if time.monotonic() - self._waiting > 3 * self._patience:
                raise NoVideo("The source does not send decodable video.")

    def _can_wait(self) -> bool:
        """Return whether the waiting frames may turn out needless. With another order of display, none is dropped."""
        first, last = (self._stamp(packet.pts) for packet in (self._held[0], self._held[-1]))
        if self._codec.has_b_frames or first is None or last is None:
            return False
        if not self._clock.believes(self._clock.guess(last)):
            return False
        return 0 <= last - first < min(_HELD, self._patience / 2) and len(self._held) < _MOST

    def _taken(self) -> "list[av.Packet[Any]]":
        held, self._held = self._held, []
        return held

    def _packets(self, stop: threading.Event) -> "Iterator[tuple[av.Packet[Any], bool]]":
        """Yield packets, then an empty one, over damage; and whether some before one was lost."""
        damage = 0
        lost = False
        while not stop.is_set():
            failure: FacegroupError | None = None
            try:
                for packet in self._container.demux(*([] if self._whole else [self._video])):
                    if stop.is_set():
                        return
                    damage = 0
                    lost = lost or (self._whole and self._holes.before(packet))
                    if packet.stream is self._video:
                        yield packet, lost
                        lost = False
                if self.ends:
                    return
                failure = SourceUnreachable("The source closed the connection.")
            except av.error.InvalidDataError as error:
                damage, lost = damage + 1, self._whole
                failure = translate(error) if damage >= _TRIES else None
            except av.error.ExitError:
                failure = SourceStalled(f"No frame came for {self._patience:g} s.")
            except (av.FFmpegError, OSError, FacegroupError) as error:
                failure = translate(error)
            if failure is not None:
                raise failure

    def _shown(self, packet: "av.Packet[Any]") -> Iterator[ReadEvent]:
        """Yield the frames that are complete now, or that the packet is damaged."""
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError, MemoryError):
            yield "damaged"
            return
        for frame in frames:
            if frame.is_corrupt:
                yield "damaged"
                continue
            position = self._clock.position(self._stamp(tracks.stamp(self._container, frame)))
            lasts = float(frame.duration * (frame.time_base or 0))
            yield DecodedFrame(frame, time.time(), position, self._moment(position), lasts, self._aspect())

    def _stamp(self, pts: int | None) -> float | None:
        if not self._stamped:
            return time.monotonic()
        return None if pts is None else float(pts * (self._video.time_base or 0))

    def _aspect(self) -> float:
        """Return width / height of a pixel. The container's value counts before the codec's."""
        assert self._codec is not None
        return float(self._video.sample_aspect_ratio or self._codec.sample_aspect_ratio or 1)

    def _length(self) -> float:
        """Return the file's length in seconds; infinity if it does not say."""
        if self._video.duration is not None:
            return float(self._video.duration * (self._video.time_base or 0)) + 1.0
        return math.inf if self._container.duration is None else self._container.duration / av.time_base + 1.0

    def _moment(self, position: float) -> float:
        return time.monotonic() if self._realtime else position

    def _wait(self, stamp: float | None, stop: threading.Event) -> None:
        """Wait until a frame's turn has come by its own clock."""
        now = time.monotonic()
        place = self._clock.guess(stamp)
        if self._began is None:
            self._began = now - place
        ahead = self._began + place - now
        if 0 < ahead < JUMP:  # a clock that jumped is corrected by the frame itself
            stop.wait(ahead)
