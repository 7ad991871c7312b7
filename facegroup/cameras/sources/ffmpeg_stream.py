"""Whatever FFmpeg reads → frames: cameras over RTSP and HTTP, playlists, video files, webcams.

What a server sends is not trusted: formats that open other files or hosts are left out, but for playlists, whose entries
are opened by `facegroup.cameras.sources.http_stream`. Frames that are not due are decoded only where later ones need
them: they wait for one that is due, and are dropped where a key frame comes first.
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer

from facegroup.cameras.sources import address, http_stream, mjpeg, rtsp_login
from facegroup.cameras.sources import video_tracks as tracks
from facegroup.cameras.sources.clock import JUMP, Clock, Schedule
from facegroup.cameras.sources.ffmpeg_errors import translate
from facegroup.cameras.sources.frames import DecodedFrame, ReadEvent, Source
from facegroup.cameras.sources.login import Login, ffmpeg_answers, refusal
from facegroup.cameras.sources.packet_loss import PacketLossDetector
from facegroup.cameras.types import Camera
from facegroup.errors import (
    FacegroupError,
    ImageError,
    NoKeyFrame,
    NoVideo,
    SourceRefused,
    SourceStalled,
    SourceUnreachable,
)
from facegroup.images.formats import opener
from facegroup.settings import Cameras

OPENING = 5.0
"""Seconds that opening may take at least: a camera is asked several questions, and sends a whole picture only now and
then."""

_FILES = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,mpegvideo,flv,asf,ogg,h264,hevc,m4v,mjpeg,mpjpeg,nut,"
    "gif,ivf,obu,mxf,dhav,rm,wtv,yuv4mpegpipe"
)
_PLAYLISTS = f"hls,{_FILES},aac,ac3,eac3,mp3,webvtt"
_TRIES = 20  # damaged pieces in a row, between which FFmpeg finds no frame, before a stream is given up
_KEY_SECONDS = 300.0  # without a key frame, before a camera is given up
_HELD = 1.0  # seconds of frames that may wait, or half of those after which a camera is taken for stalled
_MOST = 120  # of them
_LENIENT = frozenset(("mjpeg", "hevc"))  # decoders that say of damage only when asked to
_OPTIONS = {"analyzeduration": "3000000", "probesize": "2000000", "threads": "1"}


def open_rtsp(camera: Camera, ip: str, start: float) -> "Stream":
    """Open a camera over RTSP, at an IP address that was checked.

    What remains: FFmpeg connects by itself here, and follows a redirection to another RTSP host, or sends a few empty
    packets where the answer says that RTP comes from. So it could be made to knock somewhere, though nothing but a video
    gets out. Over TLS the name must stand, so it is looked up again.
    """
    parts = address.split(camera.source, address.PORTS)
    url = address.at(parts, ip if parts.scheme == "rtsp" else parts.hostname or ip)
    options = {
        "rtsp_transport": camera.transport,
        "allowed_media_types": "video",
        "protocol_whitelist": "rtsp,rtsps,rtp,srtp,udp,tcp,tls",
        "fpsprobesize": "2",  # else a second passes before a frame is given; and no "nobuffer", which throws these away
    }
    failure: SourceRefused
    try:
        return Stream(_opened(camera, url, None, options), camera, start)
    except SourceRefused as error:
        failure = error
    pair = address.credentials(parts)
    challenges = rtsp_login.asked(parts, ip, _patience(camera))
    if not challenges:
        raise failure
    if pair is None or ffmpeg_answers(challenges) or Login(*pair).answer(challenges, "DESCRIBE", "/") is None:
        raise refusal(challenges, logs_in=pair is not None)
    door = rtsp_login.RtspProxy(parts, ip, Login(*pair), _patience(camera))
    try:
        return Stream(_opened(camera, door.url, None, options | {"rtsp_transport": "tcp"}), camera, start, door)
    except FacegroupError as error:
        door.close()
        failure_inside = refusal(challenges, logs_in=True) if isinstance(error, SourceRefused) else error
    raise failure_inside


def open_http(camera: Camera, settings: Cameras, start: float) -> Source:
    """Open a video over HTTP: MJPEG, a picture that is asked for again and again, a playlist (HLS), or a file."""
    downloads = http_stream.Downloads(camera.source, settings, _patience(camera))
    first = downloads.open(camera.source)
    if "mpegurl" in first.kind or address.split(first.name, http_stream.SCHEMES).path.lower().endswith(
        (".m3u8", ".m3u")
    ):
        first.close()
        options = {"format_whitelist": _PLAYLISTS, "http_persistent": "0", "http_multiple": "0"}
        try:
            return Stream(
                _opened(camera, first.name, "hls", options, lambda url, *_: downloads.open(url)), camera, start
            )
        except NoVideo as error:
            raise downloads.refusal or error from None
    try:
        # A camera that has no picture yet may be silent for long: where the type says it all, nothing is waited for.
        head = b"" if first.kind.startswith(("multipart/", "image/")) else first.peek(mjpeg.HEAD)
        if mjpeg.are_in(first.kind, head):
            return mjpeg.JpegStream(camera, downloads, first, start)
        if first.kind.startswith(("text/", "application/json")):
            raise NoVideo(f"the source sends {first.kind}, no video")
        return Stream(_opened(camera, first, None, {"format_whitelist": _FILES}, _refuse), camera, start, first)
    except FacegroupError:
        first.close()
        raise


def open_file(camera: Camera, path: Path, start: float) -> "Stream":
    """Open a video file. What it refers to (playlists, other files) is not opened."""
    options = {"protocol_whitelist": "file", "format_whitelist": _FILES}
    failure = NoVideo("it is a picture and no video: a folder of pictures can be looked at")
    if _picture(path) != "boxed":
        try:
            return Stream(_opened(camera, f"file:{path}", None, options, ends=True), camera, start, ends=True)
        except NoVideo as error:
            failure = failure if _picture(path) else error
    raise failure


def open_device(camera: Camera, path: str, start: float) -> "Stream":
    """Open a webcam."""
    return Stream(_opened(camera, path, "v4l2", {}), camera, start)


class Stream:
    """An open video; see `facegroup.cameras.sources.frames.Source`.

    Args:
        container: of FFmpeg.
        camera: whose.
        start: position of the first frame.
        below: what it reads from, to be closed with it.
        ends: whether it is a file; else that is judged by whether a length is known.
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
            what = "only a picture" if container.streams.video else "no video"
            self.close()
            raise NoVideo(f"the source has {what} in it")
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
            raise NoVideo("the source's video is of a kind that cannot be decoded")
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
        self._clean = (
            True  # whether such a one gave a picture: what is refreshed bit by bit does not, and loses a second
        )
        self._waiting: float | None = None  # since when nothing that came could be decoded

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
                yield NoKeyFrame(
                    f"video comes, and a picture once a key frame does; none came for {self._unkeyed():.0f} s"
                )
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
        """Whether a camera sent no key frame yet: nothing is made of what comes before. Raises NoVideo: for too long."""
        if self.ends or self._keyed or packet.is_keyframe or not packet.size:
            self._keyed = self._keyed or packet.is_keyframe
            return False
        if self._unkeyed() > _KEY_SECONDS:
            raise NoVideo(f"no key frame came for {_KEY_SECONDS:g} s: let the camera send one every 10 s or so")
        return True

    def _unkeyed(self) -> float:
        return time.monotonic() - self._opened

    def close(self) -> None:
        """Let go of the connection or file."""
        with suppress(av.FFmpegError):
            self._container.close()
        if self._below is not None:
            self._below.close()

    def _begin_anew(self, stamp: float | None, schedule: Schedule) -> None:
        """Drop what waits, at a key frame: nothing that comes is made from it."""
        if not self._held or not self._clean:
            return
        for packet in self._taken():
            self._clock.position(self._stamp(tracks.stamp(self._container, packet)))
        self._codec.flush_buffers()
        self._entering = True
        if self._realtime:
            schedule.favour(self._moment(self._clock.guess(stamp)))

    def _decode(self, wanted: bool) -> Iterator[ReadEvent]:
        """Decode what is held; where the last of it is wanted, give only that."""
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
                raise NoVideo("what the source sends is no video that can be decoded")

    def _can_wait(self) -> bool:
        """Whether what is held may be needless: where frames are shown in another order than stored, none is dropped."""
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
                failure = SourceUnreachable("the source closed the connection")
            except av.error.InvalidDataError as error:
                damage, lost = damage + 1, self._whole
                failure = translate(error) if damage >= _TRIES else None
            except av.error.ExitError:
                failure = SourceStalled(f"no frame came for {self._patience:g} s")
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
        """Return width / height of a pixel: the file's word counts before that of the video in it."""
        assert self._codec is not None
        return float(self._video.sample_aspect_ratio or self._codec.sample_aspect_ratio or 1)

    def _length(self) -> float:
        """Return how many seconds the file says it has; infinity where it does not say."""
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
        if 0 < ahead < JUMP:  # a clock that jumped is put right by the frame itself
            stop.wait(ahead)


def _picture(path: Path) -> str:
    """Return "" for no picture; "boxed" for one that FFmpeg would take for a video of one frame (AVIF, HEIC)."""
    try:
        with path.open("rb") as file:
            opener(head := file.read(256))
    except (OSError, ImageError):
        return ""
    return "boxed" if head[4:8] == b"ftyp" else "picture"


def _patience(camera: Camera) -> float:
    return max(OPENING, camera.stall_seconds)


def _opened(
    camera: Camera,
    what: Any,
    kind: str | None,
    options: dict[str, str],
    io_open: Any = None,
    *,
    ends: bool = False,
) -> InputContainer:
    failure: FacegroupError
    began = time.monotonic()
    try:
        opened: InputContainer = av.open(
            what,
            "r",
            kind,
            options=_OPTIONS | options,
            timeout=(_patience(camera), camera.stall_seconds),
            io_open=io_open,
            metadata_errors="replace",
        )
        return opened
    except (av.FFmpegError, OSError, ValueError, FacegroupError) as error:
        failure = translate(error)
        if ends and isinstance(error, av.error.EOFError):
            failure = NoVideo("the file is empty, or ends before a picture")
    late = time.monotonic() - began >= _patience(camera)
    if isinstance(failure, SourceStalled) or (isinstance(failure, NoVideo) and late):
        failure = SourceUnreachable("the source does not answer in time")  # an answer cut short looks damaged to FFmpeg
    raise failure  # outside of the handler: FFmpeg's error quotes the address


def _refuse(url: str, *_: Any) -> Any:
    raise NoVideo("the source is a video that refers to others, which are not opened")
