"""Patterns of ids and names for the OpenAPI document. `facegroup.store.names` checks them and says what is wrong."""

from typing import Annotated

from pydantic import BeforeValidator, JsonValue, WithJsonSchema

from facegroup.store.names import ID, MAX_CHARACTERS

_NOT = r"/\\\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069"

IDENT: dict[str, JsonValue] = {"pattern": f"^{ID}$", "minLength": 1, "maxLength": 64}
"""Pattern of ids that callers may choose (people, cameras, webhooks), and of strangers' ids."""

NAME: dict[str, JsonValue] = {
    "pattern": rf"^[^{_NOT}]*[^\s{_NOT}][^{_NOT}]*$",
    "minLength": 1,
    "maxLength": MAX_CHARACTERS,
}
"""Pattern of names of people and galleries: any script, but no slashes, control or bidirectional characters."""

MADE: dict[str, JsonValue] = {"pattern": "^[0-9a-f]{32}$", "minLength": 32, "maxLength": 32}
"""Pattern of ids that the server chooses: sightings, visits, videos."""

SHA256: dict[str, JsonValue] = {"pattern": "^[0-9a-f]{64}$", "minLength": 64, "maxLength": 64}
"""Pattern of ids of photos and counter-examples."""

KEY: dict[str, JsonValue] = {"pattern": "^[!-~]{1,128}$", "minLength": 1, "maxLength": 128}
"""Pattern of an idempotency key."""

BASE64 = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


def _whole(given: object) -> object:
    """Return a number without a fraction as an integer: in JSON, 5.0 is an integer."""
    return int(given) if isinstance(given, float) and given.is_integer() else given


WHOLE = BeforeValidator(_whole)
Ident = Annotated[str, WithJsonSchema({"type": "string", **IDENT})]
Name = Annotated[str, WithJsonSchema({"type": "string", **NAME})]
