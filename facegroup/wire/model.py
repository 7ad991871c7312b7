"""The bases of all requests and answers."""

from dataclasses import fields
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

Struct = TypeVar("Struct")


class Request(BaseModel):
    """A JSON body: no other fields, and each of exactly its type, as `0` is no boolean and `"1"` no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """Class that every answer is a kind of.

    A server makes an answer of the library's struct, by `of`. A client reads it from JSON, and `struct` gives the library's
    struct again. A field that a struct and its answer share has one line in the answer, and none in the two methods.
    """

    model_config = ConfigDict(from_attributes=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def from_struct(cls, found: object, **others: Any) -> Self:
        """Return the answer whose fields are the struct's of the same names, and the others."""
        same = {name: getattr(found, name) for name in cls.model_fields if name not in others and hasattr(found, name)}
        return cls.model_validate({**same, **others})

    def to_struct(self, kind: type[Struct], **others: Any) -> Struct:
        """Return the dataclass whose fields are the answer's of the same names, and the others."""
        names = [each.name for each in fields(kind)]  # type: ignore[arg-type]
        same = {name: getattr(self, name) for name in names if name not in others and hasattr(self, name)}
        return kind(**same, **others)

    def as_json(self) -> dict[str, Any]:
        """Return the answer for a JSON encoder, without the fields that were never set."""
        return self.model_dump(exclude_unset=True)

    def written(self, *, without: str = "") -> bytes:
        """Return the answer as JSON, without the fields that were never set and without one more."""
        return self.__pydantic_serializer__.to_json(self, exclude={without} if without else None, exclude_unset=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema. A field made by `added` is required in it."""
        made = handler(schema)
        always = [name for name, field in cls.model_fields.items() if field.is_required() or field.default_factory]
        if always:
            handler.resolve_ref_schema(made)["required"] = always
        return made


def added(missing: Any, description: str | None = None) -> Any:
    """Return a field that every answer has, but those of older servers: a client reads `missing` then."""
    return Field(default_factory=lambda: missing, description=description)
