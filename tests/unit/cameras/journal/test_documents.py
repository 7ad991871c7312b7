"""Records of older versions: what they do not know of a camera is as it is by default."""

import pytest

from facegroup.cameras.journal import documents
from facegroup.cameras.journal.encryption import Encryption
from facegroup.cameras.types import Camera


@pytest.mark.parametrize("field", ["rotate", "picture_seconds"])
def test_a_field_that_came_later(field: str) -> None:
    encryption = Encryption(None)
    camera = Camera("door", "rtsp://8.8.8.8/live", "g")
    document = documents.encode_camera(camera, encryption)
    del document[field]
    assert documents.decode_camera(document, encryption) == camera


def test_a_field_of_a_later_version() -> None:
    encryption = Encryption(None)
    camera = Camera("door", "rtsp://8.8.8.8/live", "g", rotate=90)
    assert documents.decode_camera({**documents.encode_camera(camera, encryption), "unheard": 1}, encryption) == camera
