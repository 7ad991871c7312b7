"""The videos of a journal."""

from dataclasses import asdict, replace

from facegroup import errors
from facegroup.cameras.journal import documents
from facegroup.cameras.journal.records import ALL, Records
from facegroup.cameras.sightings.types import Video
from facegroup.store.rows.rows import Drop, Put, Span


class VideoRecords(Records):
    """Class that stores videos; see `facegroup.cameras.sightings.journal.Journal`."""

    def videos(self, limit: int = 100) -> list[Video]:
        """See `Journal`."""
        rows = self._rows.page("videos", Span(limit, newest=True))
        return [replace(each, result=None) for each in self._read("videos", rows, documents.decode_video)]

    def video(self, video: str) -> Video:
        """See `Journal`."""
        return self._one(
            "videos", video, documents.decode_video, errors.UnknownVideo(f"There is no video {video[:64]!r}.")
        )

    def write_video(self, video: Video) -> None:
        """See `Journal`."""
        self._apply([Put("videos", video.id, video.created_at, documents.encode(asdict(video)))])

    def delete_video(self, video: str) -> None:
        """See `Journal`."""
        self._delete("videos", video, errors.UnknownVideo(f"There is no video {video[:64]!r}."))
        self._rows.scrub()

    def prune_videos(self, before: float, keep: int) -> int:
        """See `Journal`."""
        rows = self._rows.page("videos", Span(ALL))
        old = [row for number, row in enumerate(rows) if number < len(rows) - keep or row.score < before]
        if old:
            self._apply([Drop("videos", row.key) for row in old])
            self._rows.scrub()
        return len(old)
