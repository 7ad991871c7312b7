"""Records of older versions: what they do not know of a camera is as it is by default."""

import pytest

from facegroup.cameras.journal import documents
from facegroup.cameras.journal.encryption import Encryption
from facegroup.cameras.types import Camera


@pytest.mark.parametrize("field", ["rotate", "picture_seconds"])
def test_a_field_that_came_later(field: str) -> None:
    seal = Encryption(None)
    camera = Camera("door", "rtsp://8.8.8.8/live", "g")
    document = documents.of_camera(camera, seal)
    del document[field]
    assert documents.to_camera(document, seal) == camera


def test_a_field_of_a_later_version() -> None:
    seal = Encryption(None)
    camera = Camera("door", "rtsp://8.8.8.8/live", "g", rotate=90)
    assert documents.to_camera({**documents.of_camera(camera, seal), "unheard": 1}, seal) == camera
