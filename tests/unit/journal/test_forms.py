"""Records of older versions: what they do not know of a camera is as it is by default."""

import pytest

from facegroup.cameras.types import Camera
from facegroup.journal import forms
from facegroup.journal.sealed import Seal


@pytest.mark.parametrize("field", ["rotate", "picture_seconds"])
def test_a_field_that_came_later(field: str) -> None:
    seal = Seal(None)
    camera = Camera("door", "rtsp://8.8.8.8/live", "g")
    document = forms.of_camera(camera, seal)
    del document[field]
    assert forms.to_camera(document, seal) == camera


def test_a_field_of_a_later_version() -> None:
    seal = Seal(None)
    camera = Camera("door", "rtsp://8.8.8.8/live", "g", rotate=90)
    assert forms.to_camera({**forms.of_camera(camera, seal), "unheard": 1}, seal) == camera
