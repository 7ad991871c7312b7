"""Nobody and nothing is named like an answer, wherever a name comes in."""

from urllib.parse import quote

import pytest

from facegroup.errors import InvalidName
from facegroup.settings import Settings, load
from tests.local_pipeline import LocalPipeline
from tests.serve.driver import Api


@pytest.mark.parametrize("name", ["poor_quality", "No Face\u2003Found", "not in the dataset", "no_face", "Unknown 17"])
def test_every_entrance_refuses_it(api: Api, gallery: str, name: str) -> None:
    person, new = f"{gallery}/people/ada", {"name": name}
    assert api("PUT", person, json={"name": "Ada"}).status_code == 201
    promotion = {"unknown": "unknown-1", "name": name}
    for method, path, body in (
        ("POST", f"{gallery}/people", new),
        ("PUT", f"{gallery}/people/new", new),
        ("PUT", person, new),
        ("PATCH", person, new),
        ("POST", f"{gallery}/people/from-unknown", promotion),
        ("PUT", f"/v1/galleries/{quote(name)}", {}),
        ("POST", "/v1/cameras", {"id": "door", "source": "rtsp://192.0.2.1/", "gallery": name}),
    ):
        assert api.refused(method, path, json=body) == (422, "invalid_name"), path
    assert api("GET", f"{gallery}/people").json()["people"][0]["name"] == "Ada"


def test_the_librarys_and_the_settings_too(pipeline: LocalPipeline, settings: Settings) -> None:
    recognizer = pipeline.recognizer
    for name in ("POOR_QUALITY", "no face found"):
        with pytest.raises(InvalidName, match="reserved"):
            recognizer.new_gallery(name)
        with pytest.raises(InvalidName, match="reserved"):
            recognizer.store.create_person(settings.gallery, name)
    with pytest.raises(InvalidName, match="reserved"):
        LocalPipeline(load(network=settings.network, store=settings.store, gallery="no_face"))
