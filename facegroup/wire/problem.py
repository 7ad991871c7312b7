"""An error: as the answer of a request (RFC 9457), and of one photo among many."""

from typing import Self

from pydantic import Field

from facegroup.errors import FacegroupError, error_of
from facegroup.wire.model import Answer


class Problem(Answer):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    code: str = Field(description="stable, for programs")
    detail: str = Field(description="one sentence for a person")
    request_id: str


class ErrorBody(Answer):
    """Why one image, or a request, has no answer."""

    code: str
    status: int
    detail: str

    @classmethod
    def of(cls, error: FacegroupError) -> Self:
        """Return the answer that an error is."""
        return cls.model_validate(error)

    def struct(self) -> FacegroupError:
        """Return the library's error of this code."""
        return error_of(self.model_dump())
