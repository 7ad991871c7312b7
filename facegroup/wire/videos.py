"""Videos that are looked through: what the routes on them answer."""

from typing import Any, Literal, Self

from pydantic import Field

from facegroup.cameras.sightings import types
from facegroup.wire.model import Answer


class VideoJob(Answer):
    """A video that is looked through, or was."""

    id: str
    name: str
    gallery: str
    state: Literal["waiting", "running", "done", "failed"]
    progress: float = Field(description="0..1")
    created_at: float
    detail: str | None = Field(description="why it failed")
    result: dict[str, Any] | None = Field(description="who appears when, as `facegroup video --json` says it")

    @classmethod
    def of(cls, found: types.Video) -> Self:
        """Return a video's job."""
        return cls.from_struct(found)


class VideoJobs(Answer):
    """The latest videos, newest first, without results."""

    videos: list[VideoJob]
