"""Points in time in requests: RFC 3339 text, or seconds since the epoch."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from facegroup.errors import MalformedRequest
from facegroup.store.validation import YEAR_10000, check_expiry


def seconds(value: Any) -> float | None:
    """Return seconds since the epoch; None for null. Raises `ValueError` for what is no time."""
    if isinstance(value, str):
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a time such as 2030-01-31T12:00:00Z, or seconds since the epoch") from None
        if when.tzinfo is None:
            raise ValueError("must say its time zone, such as Z at the end")
        value = when.timestamp()
    if isinstance(value, bool):
        raise ValueError("must be a time, not true or false")
    try:
        return check_expiry(value)
    except (MalformedRequest, OverflowError) as error:
        raise ValueError(str(error)) from None


Moment = Annotated[
    float | None,
    BeforeValidator(seconds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "exclusiveMaximum": YEAR_10000},
                {"type": "string", "format": "date-time"},
                {"type": "null"},
            ]
        }
    ),
]
"""A time, or null for never."""
