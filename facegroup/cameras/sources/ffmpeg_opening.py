"""Opens with FFmpeg: cameras over RTSP, videos and playlists over HTTP, video files, webcams.

A server is not trusted. Formats that open other files or hosts are refused, except playlists, whose entries are opened by
`facegroup.cameras.sources.http_stream`.
"""

import time
from pathlib import Path
from typing import Any

import av
import av.error

from facegroup.cameras.sources import address, http_stream, mjpeg, rtsp_login
from facegroup.cameras.sources.ffmpeg_errors import translate
from facegroup.cameras.sources.ffmpeg_stream import FfmpegStream
from facegroup.cameras.sources.frames import Source
from facegroup.cameras.sources.login import Login, ffmpeg_answers, refusal
from facegroup.cameras.types import Camera
from facegroup.errors import FacegroupError, ImageError, NoVideo, SourceRefused, SourceStalled, SourceUnreachable
from facegroup.images.formats import opener
from facegroup.settings import Cameras

OPENING = 5.0
"""Seconds that opening may take at least: it takes several requests, and some cameras send a whole picture only rarely."""

_FILES = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpegtsraw,mpeg,mpegvideo,flv,asf,ogg,h264,hevc,m4v,mjpeg,mpjpeg,nut,"
    "gif,ivf,obu,mxf,dhav,rm,wtv,yuv4mpegpipe"
)
_PLAYLISTS = f"hls,{_FILES},aac,ac3,eac3,mp3,webvtt"
_OPTIONS = {"analyzeduration": "3000000", "probesize": "2000000", "threads": "1"}


def open_rtsp(camera: Camera, ip: str, start: float) -> FfmpegStream:
    """Open a camera over RTSP, at an IP address that was checked.

    A risk remains, since FFmpeg connects by itself: it follows a redirect to another RTSP host, and sends a few empty
    packets to where the answer says that RTP comes from. So a camera can make it connect elsewhere, but nothing except a
    video comes back. Over TLS the certificate is of the host's name, so FFmpeg looks the name up again.
    """
    parts = address.split(camera.source, address.PORTS)
    url = address.at(parts, ip if parts.scheme == "rtsp" else parts.hostname or ip)
    options = {
        "rtsp_transport": camera.transport,
        "allowed_media_types": "video",
        "protocol_whitelist": "rtsp,rtsps,rtp,srtp,udp,tcp,tls",
        "fpsprobesize": "2",  # else a second passes before a frame is given; and no "nobuffer", which throws these away
    }
    failure: FacegroupError
    try:
        return _open(camera, start, url, options)
    except SourceRefused as error:
        failure = error
    pair = address.credentials(parts)
    challenges = rtsp_login.challenges(parts, ip, _patience(camera))
    if not challenges:
        raise failure
    if pair is None or ffmpeg_answers(challenges) or Login(*pair).answer(challenges, "DESCRIBE", "/") is None:
        raise refusal(challenges, logs_in=pair is not None)
    proxy = rtsp_login.RtspProxy(parts, ip, Login(*pair), _patience(camera))
    try:
        return _open(camera, start, proxy.url, options | {"rtsp_transport": "tcp"}, below=proxy)
    except FacegroupError as error:
        proxy.close()
        failure = refusal(challenges, logs_in=True) if isinstance(error, SourceRefused) else error
    raise failure


def open_http(camera: Camera, settings: Cameras, start: float) -> Source:
    """Open a video over HTTP: MJPEG, a picture that is requested again and again, a playlist (HLS), or a file."""
    downloads = http_stream.Downloads(camera.source, settings, _patience(camera))
    first = downloads.open(camera.source)
    path = address.split(first.name, http_stream.SCHEMES).path.lower()
    if "mpegurl" in first.kind or path.endswith((".m3u8", ".m3u")):
        first.close()
        options = {"format_whitelist": _PLAYLISTS, "http_persistent": "0", "http_multiple": "0"}
        try:
            return _open(camera, start, first.name, options, "hls", lambda url, *_: downloads.open(url))
        except NoVideo as error:
            raise downloads.refusal or error from None
    try:
        # A camera without a picture may be silent for long: where the type is enough, nothing is waited for.
        head = b"" if first.kind.startswith(("multipart/", "image/")) else first.peek(mjpeg.HEAD)
        if mjpeg.are_in(first.kind, head):
            return mjpeg.JpegStream(camera, downloads, first, start)
        if first.kind.startswith(("text/", "application/json")):
            raise NoVideo(f"The source sends {first.kind}, which is not video.")
        return _open(camera, start, first, {"format_whitelist": _FILES}, None, _refuse, first)
    except FacegroupError:
        first.close()
        raise


def open_file(camera: Camera, path: Path, start: float) -> FfmpegStream:
    """Open a video file. Files that it refers to are not opened."""
    options = {"protocol_whitelist": "file", "format_whitelist": _FILES}
    failure = NoVideo("The file is a picture, not a video. Use the address of its folder to look at pictures.")
    if _picture(path) != "boxed":
        try:
            return _open(camera, start, f"file:{path}", options, ends=True)
        except NoVideo as error:
            failure = failure if _picture(path) else error
    raise failure


def open_device(camera: Camera, path: str, start: float) -> FfmpegStream:
    """Open a webcam."""
    return _open(camera, start, path, {}, "v4l2")


def _open(
    camera: Camera,
    start: float,
    what: Any,
    options: dict[str, str],
    kind: str | None = None,
    io_open: Any = None,
    below: Any = None,
    *,
    ends: bool = False,
) -> FfmpegStream:
    failure: FacegroupError
    began = time.monotonic()
    try:
        container = av.open(
            what,
            "r",
            kind,
            options=_OPTIONS | options,
            timeout=(_patience(camera), camera.stall_seconds),
            io_open=io_open,
            metadata_errors="replace",
        )
    except (av.FFmpegError, OSError, ValueError, FacegroupError) as error:
        failure = translate(error)
        if ends and isinstance(error, av.error.EOFError):
            failure = NoVideo("The file is empty, or ends before the first picture.")
    else:
        return FfmpegStream(container, camera, start, below, ends=ends)
    late = time.monotonic() - began >= _patience(camera)
    if isinstance(failure, SourceStalled) or (isinstance(failure, NoVideo) and late):
        failure = SourceUnreachable(
            "The source does not answer in time."
        )  # FFmpeg takes a cut answer for a damaged one
    raise failure  # outside of the handler: FFmpeg's error quotes the address


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


def _refuse(url: str, *_: Any) -> Any:
    raise NoVideo("The video refers to other files, which are not opened.")
