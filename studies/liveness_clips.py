"""Measure over which views of a track liveness is best decided: on clips of people, and on simulated attacks with them.

Run `python -m studies.liveness_clips --json FILE`. It needs ../shared. Frames are analysed as by a camera that sees them
four times a second, and each track has the views that a camera's tracker would recognise. The results are in
docs/liveness.md.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import cv2
import numpy as np

from facegroup import Recognizer
from facegroup.cameras.types import Frame
from facegroup.cameras.video import viewing
from facegroup.cameras.video.reader import analyse
from facegroup.cameras.video.viewing import VideoAnalysis
from facegroup.images.decode import decode
from facegroup.pipeline.messages import Photo, PhotoResult
from facegroup.settings import Limits, load
from facegroup.types import Faces
from studies.presentation_attacks import ATTACKS, Attack

SHARED = Path(__file__).resolve().parents[2] / "shared"
CLIPS = ("facenet_pytorch_video.mp4", "short_hamilton_clip.mp4", "intel_again.mkv", "intel_book.mkv")
FPS = 4.0
THRESHOLD = 0.5
LEAST_VIEWS = 2

RULES: Mapping[str, Callable[[list[float]], float]] = {
    "first view": lambda scores: scores[0],
    "mean of all": mean,
    "mean of the last 8": lambda scores: mean(scores[-8:]),
    "median of all": median,
    "least of all": min,
    "greatest of all": max,
}


class _Recording(VideoAnalysis):
    """An analysis that keeps the score of each view, by track; `attack` is made of each frame."""

    attack: Attack | None = None

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.scores: dict[int, list[float]] = {}

    def photo(self, frame: Frame) -> Photo:
        """See `VideoAnalysis`."""
        return super().photo(self._changed(frame))

    def recognise(self, frame: Frame, faces: Faces) -> Photo:
        """See `VideoAnalysis`."""
        return super().recognise(self._changed(frame), faces)

    def take(self, frame: Frame, seen: PhotoResult) -> bool:
        """See `VideoAnalysis`."""
        again = super().take(frame, seen)
        if not again and seen.liveness is not None:
            for track, box in self.frames[-1].faces:
                (places,) = np.nonzero(np.abs(seen.faces.boxes - np.array(box)).max(axis=1, initial=0) < 0.01)
                score = seen.liveness.score(int(places[0])) if len(places) else None
                if score is not None:
                    self.scores.setdefault(track, []).append(score)
        return again

    def _changed(self, frame: Frame) -> Frame:
        if self.attack is None:
            return frame
        picture = self.attack(decode(frame.data, Limits()).image, np.random.default_rng(3))
        return replace(frame, data=bytes(cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]))


def tracks(recognizer: Recognizer, clip: Path, attack: Attack | None) -> list[list[float]]:
    """Return the scores of each track of a clip with at least two views."""
    camera = viewing.camera(clip, "nobody", FPS, 30.0, 2, None)
    with _Recording(camera, recognizer.spec.name, 0.5, recognizer.settings.cameras) as analysis:
        analysis.attack = attack
        analyse(analysis, camera, recognizer)
    return [scores for scores in analysis.scores.values() if len(scores) >= LEAST_VIEWS]


def rates(found: list[list[float]]) -> dict[str, Any]:
    """Return which share of views, and of tracks by each rule, is live."""
    views = [score for scores in found for score in scores]
    live = {name: mean(rule(scores) > THRESHOLD for scores in found) if found else None for name, rule in RULES.items()}
    share = mean(score > THRESHOLD for score in views) if views else None
    return {"tracks": len(found), "views": len(views), "live views": share, "live tracks": live}


def main() -> None:
    """Measure the clips as they are, and each simulated attack with them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    store = given.json.with_suffix(".db")
    settings = load(
        network="retail-0095",
        model_dir=SHARED / "models",
        store=f"sqlite:///{store}",
        liveness={"model": "minifasnet"},
        detector={"threads": 1},
        embedder={"threads": 1},
    )
    told: dict[str, Any] = {}
    kinds: dict[str, Attack | None] = {"as they are": None}
    kinds |= {
        name: ATTACKS[name] for name in ("printed", "printed without border", "on screen", "on screen without bezel")
    }
    with Recognizer(settings) as recognizer:
        recognizer.new_gallery("nobody")
        for name, attack in kinds.items():
            found = {clip: tracks(recognizer, SHARED / "faces" / "videos" / clip, attack) for clip in CLIPS}
            told[name] = {clip: rates(each) for clip, each in found.items()}
            told[name]["all"] = rates([scores for each in found.values() for scores in each])
            given.json.write_text(json.dumps(told, indent=1))
            print(name, json.dumps(told[name]), flush=True)


if __name__ == "__main__":
    main()
