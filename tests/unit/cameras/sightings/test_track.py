"""One face over several frames, where a cohort decides."""

import numpy as np

from facegroup.cameras.sightings.track import Track
from facegroup.types import Match


def test_the_best_view_is_the_one_of_the_greatest_score() -> None:
    track = Track(1, 1, 0.0, 0.0, np.zeros(4, np.float32))
    row = np.array([1, 0], np.float32)
    for at, (similarity, score) in enumerate([(0.7, 0.2), (0.6, 0.3), (0.8, 0.1)]):
        track.found(np.zeros(4, np.float32), float(at))
        track.look(Match("ada", "Ada", similarity, 0.15, None, score=score), row, None, 0.9, 1)
    assert track.observation("made-up", 1.0).similarity == 0.6
