"""Analysis of a video: finds out who appears in it and when.

A command runs the pipeline in its own process, a server in others. Both send the photos of `photo` through their pipeline
and hand the answers to `take`.
"""

import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from facegroup.cameras.journal import open_journal
from facegroup.cameras.sightings.book import SightingBook
from facegroup.cameras.sightings.journal import Filter
from facegroup.cameras.sightings.tracker import Tracker
from facegroup.cameras.sightings.types import Sighting
from facegroup.cameras.types import Camera, Frame
from facegroup.pipeline.messages import Photo, PhotoMatches, PhotoResult
from facegroup.settings import Cameras
from facegroup.store.encryption import SecretKeys
from facegroup.types import Faces

Box = tuple[float, float, float, float]

CAMERA = "video"
_PAGE = 1000


def camera(file: Path, gallery: str, fps: float, cooldown: float, confirm: int, min_face_size: int | None) -> Camera:
    """Return the camera that reads a video file: as fast as possible, every frame that is due."""
    return Camera(
        CAMERA,
        file.absolute().as_uri(),
        gallery,
        fps=fps,
        min_face_size=min_face_size,
        confirm=confirm,
        cooldown=cooldown,
        motion=False,
        realtime=False,
    )


@dataclass(slots=True)
class AnalysedFrame:
    """Faces of one analysed frame.

    Attributes:
        position: seconds since the video's first frame.
        width: of the frame, in the pixels of the boxes.
        height: of the frame.
        faces: track and box of each face.
    """

    position: float
    width: int
    height: int
    faces: tuple[tuple[int, Box], ...]


@dataclass(slots=True)
class Facts:
    """Facts on the file; `ends` is the time at which the last analysed frame ends."""

    analysed: int = 0
    seconds: float = 0.0
    ends: float = 0.0
    width: int = 0
    height: int = 0
    faces: int = 0


class VideoAnalysis:
    """Analysis of one video. Use it in a `with` statement: it keeps its sightings in a temporary folder.

    Attributes:
        facts: on the file.
        frames: the faces of every analysed frame.
        names: the last name of each track: a member's name, or a stranger's id.

    Args:
        camera: from `camera`.
        network: name of the network that computes the descriptors.
        threshold: of the gallery, until an answer of the pipeline says it.
        settings: of cameras.
    """

    def __init__(self, camera: Camera, network: str, threshold: float, settings: Cameras) -> None:
        self.facts = Facts()
        self.frames: list[AnalysedFrame] = []
        self.names: dict[int, str] = {}
        self._camera = camera
        self._threshold = threshold
        self._tracker = Tracker(camera, network, played=True)
        self._folder = tempfile.TemporaryDirectory(prefix="facegroup-video-")
        # Faces, also where the store is encrypted: nobody has the key of what a crash leaves in the folder.
        keys = SecretKeys([secrets.token_bytes(32)])
        self._journal = open_journal(f"sqlite:///{self._folder.name}/video.db", keys=keys)
        self._book = SightingBook(self._journal, settings, lambda _: self._threshold)

    def photo(self, frame: Frame) -> Photo:
        """See `Tracker.photo`."""
        return self._tracker.photo(frame)

    def recognise(self, frame: Frame, faces: Faces) -> Photo:
        """See `Tracker.recognise`."""
        return self._tracker.recognise(frame, faces)

    def take(self, frame: Frame, seen: PhotoResult) -> bool:
        """Take the recognised faces of a frame; return whether the frame must be sent again, with `recognise`."""
        if isinstance(seen.matched, PhotoMatches):
            self._threshold = seen.matched.between_photos
        done = self._tracker.update(frame, seen)
        if done.again:
            return True
        self._book.observe(self._camera, done.observations)
        self._book.tick(frame.position)
        for each in done.observations:
            who = self._book.whose(CAMERA, each.track)
            if who is not None:
                self.names[each.track] = each.name if who.member else who.id
        self.frames.append(AnalysedFrame(frame.position, frame.width, frame.height, done.faces))
        facts = self.facts
        facts.analysed, facts.seconds, facts.faces = facts.analysed + 1, frame.position, facts.faces + len(done.faces)
        facts.ends = frame.position + frame.lasts
        facts.width, facts.height = round(frame.width / frame.scale), round(frame.height / frame.scale)
        return False

    def finish(self) -> list[Sighting]:
        """Return the sightings by first appearance, in seconds since the video's first frame."""
        self._book.observe(self._camera, self._tracker.close())
        self._book.left(CAMERA)
        found: list[Sighting] = []
        after = ""
        while page := self._journal.sightings(Filter(), after, _PAGE):
            found += page
            after = page[-1].cursor
        return sorted(found, key=lambda each: (each.first_seen, each.name))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()
        self._folder.cleanup()


def report(name: str, analysis: VideoAnalysis, found: list[Sighting], gallery: str, network: str) -> dict[str, Any]:
    """Return the report on a video as JSON values (docs/video.md)."""
    kept = ("person_id", "unknown", "name", "frames")
    facts = analysis.facts
    return {
        "video": {
            "name": name,
            "seconds": round(facts.seconds, 3),
            "width": facts.width,
            "height": facts.height,
            "analysed": facts.analysed,
        },
        "gallery": gallery,
        "network": network,
        "sightings": [
            {
                **{part: getattr(each, part) for part in kept},
                "first_seen": round(each.first_seen, 3),
                "last_seen": round(each.last_seen, 3),
                "similarity": None if each.similarity is None else round(each.similarity, 5),
            }
            for each in found
        ],
    }
