"""Moving pictures for tests: of the photos that come with packages, or the clips of ../shared, by real encoders.

A recording is a file of encoded frames (`tests/rtsp_server.py` plays it); a video is any file that FFmpeg writes.
"""

import json
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from facegroup.types import Image
from tests import photos

GRAIN = 2.0
"""Standard deviation of the noise of a camera, in grey values."""


def walk(frames: int, size: tuple[int, int] = (640, 360), face: int = 160) -> Iterator[Image]:
    """Somebody crosses the picture from left to right, before a wall: (h, w, 3) RGB each."""
    wall = room(size)
    somebody = photos.resized(photos.astronaut(), face)
    for step in range(frames):
        left = round((size[0] - face) * step / max(1, frames - 1))
        picture = wall.copy()
        picture[size[1] - face :, left : left + face] = somebody[: size[1]]
        yield picture


def room(size: tuple[int, int] = (640, 360)) -> Image:
    """A place with nobody in it: grey with steps and stripes."""
    across = np.linspace(60, 180, size[0])[None] + 20 * (np.arange(size[1]) // 30 % 2)[:, None]
    return np.repeat(across.astype(np.uint8)[..., None], 3, 2)


def still(frames: int, picture: Image, seed: int = 0) -> Iterator[Image]:
    """Nothing moves, but for a camera's noise."""
    random = np.random.default_rng(seed)
    for _ in range(frames):
        yield np.clip(picture + random.normal(0, GRAIN, picture.shape[:2])[..., None], 0, 255).astype(np.uint8)


def shots(path: Path, size: tuple[int, int] | None = None, fps: float | None = None) -> Iterator[Image]:
    """The frames of a video, scaled where a size is given; only so many a second where that is."""
    taken = 0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if fps and frame.time < taken / fps:
                continue
            taken += 1
            width, height = size or (frame.width, frame.height)
            yield frame.to_ndarray(format="rgb24", width=width, height=height).astype(np.uint8, copy=False)


def recording(path: Path, frames: Iterable[Image], fps: float = 25, codec: str = "h264", every: int = 25) -> Path:
    """Encode frames into a recording; every so many of them is a key frame."""
    with path.open("wb") as file:
        file.write(json.dumps({"codec": codec, "fps": fps}).encode() + b"\n")
        for packet in _encoded(frames, fps, codec, every):
            file.write(struct.pack(">I", len(packet)) + packet)
    return path


def joined(path: Path, *recordings: Path) -> Path:
    """Recordings one after the other, as of a camera that changes its resolution."""
    lines = [each.read_bytes().partition(b"\n") for each in recordings]
    path.write_bytes(lines[0][0] + b"\n" + b"".join(rest for _, _, rest in lines))
    return path


def garbage(path: Path, frames: int = 25, fps: float = 25) -> Path:
    """A recording that says it is H.264, of which every frame is noise."""
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(json.dumps({"codec": "garbage", "fps": fps}).encode() + b"\n")
        for kind in (b"\x65", *[b"\x41"] * (frames - 1)):  # says it is a key frame, and others
            noise = b"\0\0\0\1" + kind + random.integers(1, 255, 2000, np.uint8).tobytes()
            file.write(struct.pack(">I", len(noise)) + noise)
    return path


def video(path: Path, frames: Iterable[Image], fps: float = 25, codec: str = "libx264", **options: Any) -> Path:
    """Encode frames into a video file, of the kind that its name says.

    Args:
        path: to write.
        frames: RGB, all of one size.
        fps: frames a second.
        codec: FFmpeg's name.
        options: ``pix_fmt``, ``stamps`` (the seconds of each frame), ``aspect`` (of a pixel), and the encoder's own.
    """
    aspect = options.pop("aspect", None)
    pix_fmt = options.pop("pix_fmt", "yuv420p")
    stamps = options.pop("stamps", None)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(
            codec, Fraction(fps).limit_denominator(1000), options=_options(codec) | options
        )
        base = Fraction(1, 90000)
        for number, image in enumerate(frames):
            if not number:
                stream.height, stream.width, stream.pix_fmt = *image.shape[:2], pix_fmt
                stream.codec_context.time_base = base
                if aspect is not None:
                    stream.codec_context.sample_aspect_ratio = Fraction(aspect)
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            seconds = number / fps if stamps is None else stamps[number]
            frame.pts, frame.time_base = round(seconds / base), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def shown(path: Path) -> list[av.VideoFrame]:
    """The frames of a video, as they are stored."""
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def with_picture(path: Path, frames: Iterable[Image], picture: Image, *, first: bool, codec: str = "libx264") -> Path:
    """Write a video of 25 frames a second with one picture as another track, before or behind it."""
    with av.open(str(path), "w") as container:
        tracks: dict[str, Any] = {}
        for name in ("picture", "video") if first else ("video", "picture"):
            tracks[name] = container.add_stream("mjpeg" if name == "picture" else codec, 25)
        still, video = tracks["picture"], tracks["video"]
        video.width, video.height, video.pix_fmt = 320, 180, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        still.height, still.width, still.pix_fmt = *picture.shape[:2], "yuvj420p"
        container.mux(still.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(still.encode(None))
        for image in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(video.encode(None))
    return path


def hurt(path: Path, kind: str, part: float = 0.05) -> Path:
    """Damage a part of a file in its middle: `noise` or `zeros` in the place of its bytes, or they are `gone`."""
    data = bytearray(path.read_bytes())
    start, size = int(len(data) * 0.4), int(len(data) * part)
    fill = {"noise": np.random.default_rng(0).bytes(size), "zeros": bytes(size), "gone": b""}[kind]
    data[start : start + size] = fill
    path.write_bytes(data)
    return path


def turn(path: Path, degrees: int) -> None:
    """Say in an MP4 file that its picture is to be shown turned counter-clockwise, as telephones do."""
    cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees % 360]
    lay(path, cos, -sin, sin, cos)


def lay(path: Path, a: float, b: float, c: float, d: float) -> None:
    """Say in an MP4 file that what is stored at x, y is to be shown at ax + cy, bx + dy."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # the matrix, after version, flags, times, track, duration, layer and volume
    parts = [round(part * 65536) for part in (a, b, 0, c, d, 0, 0, 0)]
    struct.pack_into(">9i", data, at, *parts, 1 << 30)
    path.write_bytes(data)


def woven(pictures: Iterable[Image]) -> Iterator[Image]:
    """Interlaced pictures of twice as many: even rows of one, odd rows of the next."""
    moments = iter(pictures)
    for first, second in zip(moments, moments, strict=False):
        picture = first.copy()
        picture[1::2] = second[1::2]
        yield picture


def first(frames: Iterable[Image], count: int) -> list[Image]:
    """The first so many."""
    return list(islice(frames, count))


def _encoded(frames: Iterable[Image], fps: float, codec: str, every: int) -> Iterator[bytes]:
    context: Any = None
    for number, image in enumerate(frames):
        if context is None:
            context = av.CodecContext.create("libx264" if codec == "h264" else codec, "w")
            context.height, context.width = image.shape[:2]
            context.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            context.time_base = Fraction(1, 1000)
            context.framerate = Fraction(fps).limit_denominator(1000)
            context.gop_size = every
            context.options = _options(codec)
        frame = av.VideoFrame.from_ndarray(image, "rgb24")
        frame.pts, frame.time_base = round(number * 1000 / fps), Fraction(1, 1000)
        yield from map(bytes, context.encode(frame))
    yield from map(bytes, context.encode(None))


def _options(codec: str) -> dict[str, str]:
    # As a camera encodes: at once, without frames that need a later one.
    return {"preset": "veryfast", "tune": "zerolatency", "threads": "1"} if codec in {"h264", "libx264"} else {}
