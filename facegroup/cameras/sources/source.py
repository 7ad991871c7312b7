"""A camera's address → a `Source`: something that gives frames. Which kind it is, is decided here."""

from facegroup.cameras.sources import address, ffmpeg_stream
from facegroup.cameras.sources.frames import Source
from facegroup.cameras.sources.image_folder import ImageFolder
from facegroup.cameras.types import Camera
from facegroup.errors import InvalidSource, SourceUnreachable
from facegroup.settings import Cameras


def open_source(camera: Camera, settings: Cameras, start: float = 0.0) -> Source:
    """Open a camera's source: its address is checked anew each time, for names may lead elsewhere by now.

    Args:
        camera: whose.
        settings: what may be opened.
        start: position of its first frame.

    Raises:
        SourceError: as of `address.check`, or SourceUnreachable, SourceRefused, NoVideo.
    """
    parts = address.split(camera.source, (*address.PORTS, *address.LOCAL))
    if parts.scheme in {"rtsp", "rtsps"}:
        return ffmpeg_stream.open_rtsp(camera, address.resolve(parts, settings)[0], start)
    if parts.scheme in {"http", "https"}:
        return ffmpeg_stream.open_http(camera, settings, start)
    if parts.scheme == "v4l2":
        return ffmpeg_stream.open_device(camera, address.device(parts, settings), start)
    path = address.path(parts, settings)
    if path.is_dir():
        return ImageFolder(path, camera.realtime)
    if not path.exists():
        raise SourceUnreachable("there is no such file or folder")
    if not path.is_file():
        raise InvalidSource("this is neither a file nor a folder")
    return ffmpeg_stream.open_file(camera, path, start)
