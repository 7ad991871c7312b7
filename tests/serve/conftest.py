"""Fixtures of the API tests: one real pipeline for all, in this process, and a gallery for each test."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facegroup.settings import Limits, Settings, load
from serve.api import build_api
from tests.local_pipeline import LocalPipeline
from tests.photos import astronaut, encode, hopper
from tests.serve.driver import Api


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load(network="dlib-resnet29", store=f"sqlite:///{tmp_path_factory.mktemp('api') / 'gallery.db'}")


@pytest.fixture(scope="session")
def pipeline(settings: Settings) -> Iterator[LocalPipeline]:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    pipeline = LocalPipeline(settings)
    yield pipeline
    pipeline.close()


@pytest.fixture(scope="session")
def api(settings: Settings, pipeline: LocalPipeline) -> Api:
    return Api(build_api(settings, pipeline))


@pytest.fixture(scope="session")
def limited(settings: Settings, pipeline: LocalPipeline) -> Callable[..., Api]:
    """The same server with other limits of a request."""

    def build(**limits: float) -> Api:
        return Api(build_api(settings.model_copy(update={"limits": Limits.model_validate(limits)}), pipeline))

    return build


@pytest.fixture(scope="session")
def photos() -> dict[str, bytes]:
    """One photo of each of two people."""
    return {"eileen": encode(astronaut(), quality=95), "grace": encode(hopper(), quality=95)}


@pytest.fixture
def gallery(api: Api) -> str:
    """The path of a new gallery with nobody in it."""
    path = f"/v1/galleries/{uuid.uuid4().hex}"
    assert api("PUT", path).status_code == 200
    return path


@pytest.fixture
def group(api: Api, gallery: str, photos: dict[str, bytes]) -> str:
    """The path of a new gallery with Eileen and Grace in it, a photo of each enrolled."""
    return _enrolled(api, gallery, photos)


@pytest.fixture(scope="session")
def session_group(api: Api, photos: dict[str, bytes]) -> str:
    """The same for tests that change nothing."""
    assert api("PUT", "/v1/galleries/everybody").status_code == 200
    return _enrolled(api, "/v1/galleries/everybody", photos)


def _enrolled(api: Api, gallery: str, photos: dict[str, bytes]) -> str:
    for person, photo in photos.items():
        assert api("PUT", f"{gallery}/people/{person}", json={"name": person.title()}).status_code == 201
        assert api("POST", f"{gallery}/people/{person}/photos", content=photo).status_code == 200
    return gallery


@pytest.fixture(scope="session")
def still_right(api: Api, photos: dict[str, bytes]) -> Callable[[], None]:
    """Whether, after whatever was done to it, the server answers a plain question rightly."""

    def ask() -> None:
        answer = api("POST", "/v1/detect", content=photos["eileen"])
        assert answer.status_code == 200
        assert len(answer.json()["images"][0]["faces"]) == 1

    return ask


@pytest.fixture(scope="session")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server of its own on retail-0095, for real photos."""
    store = f"sqlite:///{tmp_path_factory.mktemp('real') / 'gallery.db'}"
    settings = load(network="retail-0095", model_dir=shared / "models", store=store)
    pipeline = LocalPipeline(settings)
    yield Api(build_api(settings, pipeline))
    pipeline.close()


def files(*named: tuple[str, bytes]) -> list[tuple[str, Any]]:
    """Photos for httpx, as a form has them."""
    return [("photos", each) for each in named]
