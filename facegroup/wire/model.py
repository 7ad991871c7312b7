"""The bases of all requests and answers."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

Struct = TypeVar("Struct")
P = ParamSpec("P")


class Request(BaseModel):
    """A JSON body: no other fields, and each of exactly its type, as `0` is no boolean and `"1"` no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """Class that every answer is a kind of.

    The server makes one of the library's structs, by `of`; a field of the same name needs no line there. A client reads
    one from JSON, and `struct` gives the library's own again. Fields that are left out of `of` are left out of the answer.
    """

    model_config = ConfigDict(from_attributes=True, allow_inf_nan=False, defer_build=True)

    def json_bytes(self, *without: str) -> bytes:
        """Return the answer as JSON, without some of its fields."""
        return self.__pydantic_serializer__.to_json(self, exclude=set(without) or None, exclude_unset=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema, in which a field that only servers of before leave out is required."""
        made = handler(schema)
        always = [name for name, field in cls.model_fields.items() if field.is_required() or field.default_factory]
        if always:
            handler.resolve_ref_schema(made)["required"] = always
        return made


def added(missing: Any, description: str | None = None) -> Any:
    """Return a field that servers of before do not answer; a client reads it as `missing` then."""
    return Field(default_factory=lambda: missing, description=description)


def as_struct(kind: type[Struct], answer: Answer, **others: Any) -> Struct:
    """Return a dataclass whose fields are those of an answer, but for the others."""
    same: Mapping[str, Any] = {
        each.name: getattr(answer, each.name)
        for each in fields(kind)  # type: ignore[arg-type]
        if each.name not in others and hasattr(answer, each.name)
    }
    return kind(**same, **others)
