"""A request's body → named photos: multipart with any number of files, JSON with base64, or one raw image."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from facegroup.errors import EmptyBody, MalformedRequest, TooManyImages, UnsupportedFormat
from facegroup.settings import Limits
from serve.api import images, parameters, usage

_FIELDS = 32
_FIELD_BYTES = 64 << 10


def _text(name: str) -> str:
    """Return a file name as text that can be answered: some charsets decode to halves of surrogate pairs."""
    return name.encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Upload:
    """What was sent.

    Attributes:
        photos: part name, file name and bytes of each, in the order sent.
    """

    photos: tuple[tuple[str, str, bytes], ...]

    @property
    def named(self) -> list[tuple[str, bytes]]:
        """File name and bytes of each photo."""
        return [(name, data) for _, name, data in self.photos]


def media_type(request: Request) -> str:
    """Return the body's media type, lower-case, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request) -> Any:
    """Return the JSON body. Raises `MalformedRequest` where it is none."""
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise MalformedRequest(f"the body is not valid JSON: {error}") from error


async def read_photos(request: Request, limits: Limits, body: Any = None) -> Upload:
    """Return the photos of a request, and count them for the limits of its caller.

    Args:
        request: whose photos they are.
        limits: of one request.
        body: of the request, if it is JSON and was read already.

    Raises:
        EmptyBody: there are no bytes.
        MalformedRequest: the multipart body or JSON is broken, or has no photo.
        NotAnImage: the body itself, that should be one, is a text.
        TooManyImages: more than `limits.images`.
        RateLimited: the caller may not send so many now.
        UnsupportedFormat: the body is announced as something that is no image.
        UnknownParameter: the form has a field that is no file.
    """
    upload = await _photos(request, limits, body)
    await usage.spend(request, "photos", len(upload.photos))
    return upload


async def _photos(request: Request, limits: Limits, body: Any) -> Upload:
    kind = media_type(request)
    if kind == "multipart/form-data":
        return await _multipart(request, limits)
    if kind == "application/json":
        return Upload(images.read(request, await read_json(request) if body is None else body, limits))
    if kind and not kind.startswith("image/") and kind != "application/octet-stream":
        raise UnsupportedFormat(f"a body of type {kind[:100]} holds no photo; {images.HOW}")
    data = await request.body()
    if not data:
        raise EmptyBody(f"the request has no body; {images.HOW}")
    images.refuse_text(data)
    return Upload((("photo", "photo", data),))


class _Parser(MultiPartParser):
    """Starlette's, which takes a body that ends before its last boundary for one with fewer parts."""

    def __init__(self, request: Request, limits: Limits) -> None:
        super().__init__(
            request.headers,
            self._to_the_end(request.stream()),
            max_files=limits.images,
            max_fields=_FIELDS,
            max_part_size=_FIELD_BYTES,
        )
        self._ended = False
        self._most = limits.image_bytes + 1
        self._left = 0

    def on_part_begin(self) -> None:
        """Begin to count the bytes of a part."""
        super().on_part_begin()
        self._left = self._most

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Take in bytes of a part, of a file no more than tell that it is larger than an image may be."""
        if self._current_part.file is not None:
            end = min(end, start + self._left)
            self._left -= end - start
        super().on_part_data(data, start, end)

    def on_end(self) -> None:
        """Note that the last boundary was there."""
        self._ended = True

    async def _to_the_end(self, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async for chunk in stream:
            yield chunk
        if not self._ended:
            raise MultiPartException("it ends before its last boundary")


async def _multipart(request: Request, limits: Limits) -> Upload:
    parser = _Parser(request, limits)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "files" in error.message:
            raise TooManyImages(
                f"more than {limits.images} images in one request (images); send them in parts"
            ) from error
        hint = f"; {images.HOW}" if "Part exceeded" in error.message else ""  # a photo in a field, without a file name
        raise MalformedRequest(f"the multipart body is broken: {error.message}{hint}") from error
    except (KeyError, ValueError, AssertionError) as error:
        raise MalformedRequest("the multipart body is broken, or its boundary is missing") from error
    photos = []
    try:
        parameters.refuse(request, (_text(part) for part, value in form.multi_items() if isinstance(value, str)))
        for part, value in form.multi_items():
            assert isinstance(value, UploadFile)
            photos.append((part, _text(value.filename or part), await value.read()))
    finally:
        await form.close()
    if not photos:
        raise MalformedRequest("the form has no file; send each photo as a file part, with a file name")
    return Upload(tuple(photos))
