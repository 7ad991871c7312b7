"""Convert the photos that callers of the library pass (paths, bytes, arrays, PIL images) to the bytes of an image file.

Arrays and PIL images become PNG, which is lossless, so the same pixels are always the same sample. An object of any other
type is refused before anything tries to read an image from it.
"""

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image as pillow
from PIL import ImageOps

from facegroup.errors import MalformedRequest


class Readable(Protocol):
    """A file object that was opened for reading bytes."""

    def read(self) -> bytes:
        """Return all remaining bytes."""


PhotoInput: TypeAlias = (
    bytes | bytearray | memoryview | str | os.PathLike[str] | Readable | pillow.Image | NDArray[np.uint8]
)
"""A photo: a file's bytes, its path, a file object, a PIL image, or an array of (h, w, 3) uint8 RGB, (h, w, 4) RGBA or
(h, w) grey."""

_KEPT = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
"""PIL modes that PNG stores without conversion."""


def encoded(photo: PhotoInput) -> bytes:
    """Return the bytes of an image file.

    Raises:
        MalformedRequest: the object is not a photo, or the file cannot be read. The message names the type.
    """
    if isinstance(photo, bytes):
        return photo
    if isinstance(photo, bytearray | memoryview):
        return bytes(photo)
    if isinstance(photo, str | os.PathLike):
        return _read(photo)
    if isinstance(photo, np.ndarray):
        return _png(_picture(photo))
    if isinstance(photo, pillow.Image):
        upright = ImageOps.exif_transpose(photo)
        return _png(upright if upright.mode in _KEPT else upright.convert("RGB"))
    if callable(getattr(photo, "read", None)):
        data = photo.read()
        if isinstance(data, bytes):
            return data
        raise MalformedRequest(f"The file returns {type(data).__name__} instead of bytes. Open it with mode 'rb'.")
    raise MalformedRequest(
        f"A photo cannot be a {type(photo).__name__}. Pass a file's bytes, its path, a file object, a PIL image, or an RGB "
        "NumPy array."
    )


def several(photos: Iterable[PhotoInput]) -> list[bytes]:
    """Return the bytes of each photo of a list, as `encoded` does. A single photo outside a list is refused."""
    return [encoded(each) for each in _list(photos, "[photo]")]


def pair(photos: Iterable[PhotoInput]) -> tuple[bytes, bytes]:
    """Return the bytes of each of two photos; see `several`."""
    read = several(photos)
    if len(read) != 2:
        raise MalformedRequest(f"Pass exactly two photos to compare, not {len(read)}.")
    return read[0], read[1]


def named(photos: Iterable[PhotoInput | tuple[str, PhotoInput]]) -> list[tuple[str, bytes]]:
    """Return name and bytes of each photo of a list. A photo without a name is named by its path or its position."""
    pairs = []
    for place, each in enumerate(_list(photos, '[("photo.jpg", photo)]')):
        name, photo = each if isinstance(each, tuple) and len(each) == 2 else (_name(each, place), each)
        pairs.append((str(name), encoded(photo)))
    return pairs


def _list(photos: Iterable[Any], form: str) -> Sequence[Any]:
    single = isinstance(photos, bytes | bytearray | memoryview | str | os.PathLike | np.ndarray | pillow.Image)
    if single or hasattr(photos, "read") or not isinstance(photos, Iterable):
        raise MalformedRequest(f"Pass a list of photos, such as {form}, instead of a single {type(photos).__name__}.")
    return list(photos)


def _name(photo: object, place: int) -> str:
    return str(photo) if isinstance(photo, str | os.PathLike) else f"photo {place}"


def _read(path: str | os.PathLike[str]) -> bytes:
    if isinstance(path, str) and path.partition(":")[0].lower() in ("http", "https", "data"):
        raise MalformedRequest("URLs are not fetched. Download the photo first and pass its bytes.")
    try:
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise MalformedRequest(f"{str(path)[:200]!r} cannot be read: {why}") from error


def _picture(array: NDArray[Any]) -> pillow.Image:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or channels not in (1, 3, 4) or not array.size:
        raise MalformedRequest(
            f"An array of {array.dtype} with shape {array.shape} is not a photo. Pass uint8 of shape (h, w, 3) for RGB, "
            "(h, w, 4) for RGBA or (h, w) for grey."
        )
    return pillow.fromarray(np.ascontiguousarray(array[..., 0] if array.ndim == 3 and channels == 1 else array))


def _png(picture: pillow.Image) -> bytes:
    file = io.BytesIO()
    try:
        picture.save(file, "PNG", compress_level=1)
    except (OSError, ValueError, SyntaxError) as error:
        raise MalformedRequest(f"The image cannot be converted to PNG: {error}") from error
    return file.getvalue()
