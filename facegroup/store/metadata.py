"""A person's metadata: which JSON objects are accepted over HTTP and by import."""

import json
from typing import Any

from facegroup.errors import MalformedRequest

MOST_BYTES = 64 << 10
MOST_DEPTH = 32


def check(metadata: object) -> dict[str, Any]:
    """Return metadata that every store and every reader of JSON can write, read and answer again.

    Raises:
        MalformedRequest: it is no JSON object, nested more than 32 deep, or larger than 65,536 bytes.
    """
    if not isinstance(metadata, dict):
        raise MalformedRequest("a person's metadata must be a JSON object")
    level: list[Any] = [metadata]
    for _ in range(MOST_DEPTH):
        level = [
            below
            for each in level
            if isinstance(each, dict | list)
            for below in (each.values() if isinstance(each, dict) else each)
        ]
    if level:
        raise MalformedRequest(f"a person's metadata must not be nested more than {MOST_DEPTH} deep")
    try:
        size = len(json.dumps(metadata, ensure_ascii=False, allow_nan=False).encode())
    except (TypeError, ValueError):  # of which UnicodeEncodeError is one
        raise MalformedRequest(
            "a person's metadata must be JSON, without NaN, Infinity and halves of surrogate pairs"
        ) from None
    if size > MOST_BYTES:
        raise MalformedRequest(f"a person's metadata must not be larger than {MOST_BYTES:,} bytes")
    return metadata
