"""Opens the source of a camera: decides by the address which kind it is."""

from facegroup.cameras.sources import address, ffmpeg_opening
from facegroup.cameras.sources.frames import Source
from facegroup.cameras.sources.image_folder import ImageFolder
from facegroup.cameras.types import Camera
from facegroup.errors import InvalidSource, SourceUnreachable
from facegroup.settings import Cameras


def open_source(camera: Camera, settings: Cameras, start: float = 0.0) -> Source:
    """Open a camera's source. The address is checked each time: a host's name may lead elsewhere by now.

    Args:
        camera: to open.
        settings: what may be opened.
        start: position of its first frame.

    Raises:
        SourceError: as `address.check`, or SourceUnreachable, SourceRefused, NoVideo.
    """
    parts = address.split(camera.source, (*address.PORTS, *address.LOCAL))
    if parts.scheme in {"rtsp", "rtsps"}:
        return ffmpeg_opening.open_rtsp(camera, address.resolve(parts, settings)[0], start)
    if parts.scheme in {"http", "https"}:
        return ffmpeg_opening.open_http(camera, settings, start)
    if parts.scheme == "v4l2":
        return ffmpeg_opening.open_device(camera, address.device(parts, settings), start)
    path = address.path(parts, settings)
    if path.is_dir():
        return ImageFolder(path, camera.realtime)
    if not path.exists():
        raise SourceUnreachable("There is no such file or folder.")
    if not path.is_file():
        raise InvalidSource("The address names neither a file nor a folder.")
    return ffmpeg_opening.open_file(camera, path, start)
