"""A JSON body that holds photos as base64, `{"image": "…"}` or `{"images": ["…", "…"]}` → their bytes.

It costs a third more bytes than a form, and is held whole in memory: `limits.json_bytes` is what it may have.
"""

import base64
import re
from typing import Any

from fastapi import Request

from facegroup.errors import MalformedRequest, NotAnImage, TooManyImages
from facegroup.settings import Limits
from serve.api import parameters

HOW = (
    "send a photo as a file part of multipart/form-data, as the body itself (image/jpeg), or as JSON "
    '{"image": "<base64 of its bytes>"}'
)

_FIELDS = ("image", "images")
_ADDRESS = re.compile(r"\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_TEXT = re.compile(rb"\s*(data:|[a-zA-Z]+://|\{|/9j/|iVBORw0KGgo|UklGR|R0lGOD)")
"""How an address, JSON, and the base64 of JPEG, PNG, WebP and GIF begin; no picture does."""


def are_in(body: Any) -> bool:
    """Return whether a JSON body holds photos, or what should be some."""
    return isinstance(body, dict) and any(name in body for name in _FIELDS)


def read(request: Request, body: Any, limits: Limits) -> tuple[tuple[str, str, bytes], ...]:
    """Return the photos of a JSON body: field, name and bytes of each, in the order sent.

    Args:
        request: whose body it is.
        body: as JSON has it.
        limits: of one request.

    Raises:
        MalformedRequest: it holds no photo, or what is no base64.
        TooManyImages: more than `limits.images`.
        UnknownParameter: it has another field.
    """
    if not are_in(body):
        raise MalformedRequest(f"the JSON body has no image; {HOW}")
    parameters.refuse(request, (name for name in body if name not in _FIELDS), "field in JSON with an image")
    if len(body) > 1:
        raise MalformedRequest("the JSON body has both image and images; send one of them")
    if "image" in body:
        return (("image", "image", _decoded(body["image"], "image")),)
    several = body["images"]
    if not isinstance(several, list) or not several:
        raise MalformedRequest("images must be a list of photos, each the base64 of its bytes")
    if len(several) > limits.images:
        raise TooManyImages(f"more than {limits.images} images in one request (images); send them in parts")
    names = [f"images.{number}" for number in range(len(several))]
    return tuple((name, name, _decoded(each, name)) for name, each in zip(names, several, strict=True))


def refuse_text(data: bytes) -> None:
    """Refuse bytes that were to be a photo and are a text about one.

    Raises:
        NotAnImage: they are JSON, an address, or base64.
    """
    if _TEXT.match(data):
        raise NotAnImage(f"the body is text, not a photo; {HOW}")


def _decoded(value: Any, where: str) -> bytes:
    if not isinstance(value, str):
        raise MalformedRequest(f"{where} must be the base64 of a photo's bytes; {HOW}")
    if value[:5].lower() == "data:":
        raise MalformedRequest(
            f"{where} is a data: URL; send only what follows its comma, the base64 of the photo's bytes"
        )
    if _ADDRESS.match(value):
        raise MalformedRequest(f"{where} is an address, and this server fetches nothing from there; {HOW}")
    try:
        return base64.b64decode(value.encode("ascii").translate(None, b" \t\r\n"), validate=True)
    except ValueError:
        raise MalformedRequest(f"{where} is not base64 (RFC 4648, section 4, with its padding); {HOW}") from None
