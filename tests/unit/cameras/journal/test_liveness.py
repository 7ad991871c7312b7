"""The journal keeps how live a stranger's views and a sighting were, and reads what was written before it did."""

import json

from facegroup.cameras.delivery import payloads
from facegroup.cameras.journal import documents
from facegroup.cameras.sightings.types import Shot
from facegroup.wire.sightings import Sighting
from tests.unit.cameras.journal.made import descriptor, sighting


def test_scores_come_back() -> None:
    shots = (Shot(descriptor(1), b"JPEG", 0.7, 0.25), Shot(descriptor(2), None, 0.5))
    written = json.loads(json.dumps(documents.encode_shots(shots)))
    assert [each.liveness for each in documents.decode_shots(written)] == [0.25, None]
    for each in written["shots"]:
        del each["liveness"]  # as an older version wrote them
    assert [each.liveness for each in documents.decode_shots(written)] == [None, None]


def test_a_sighting_tells_its_mean() -> None:
    for score, told in ((0.123456, 0.1235), (None, None)):
        found = sighting(liveness=score)
        assert payloads.sighting(found)["liveness"] == told
        assert Sighting.of(found).liveness == told
        shown = {**payloads.sighting(found)}
        del shown["liveness"]  # as an older server answers
        assert Sighting.model_validate(shown).liveness is None
