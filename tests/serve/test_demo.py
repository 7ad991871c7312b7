"""The command `demo`, with its server in this process: where it listens, others may not use it without its key."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from facegroup.access import secrets
from facegroup.settings import Settings
from serve import demo, start_rules
from serve.api import build_api
from tests.local_pipeline import LocalPipeline
from tests.local_server import LocalServer
from tests.serve.driver import Api
from tests.serve.keyed import Nothing, bearer


@pytest.fixture
def first_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of another server, as a container names it."""
    path = tmp_path / "admin.key"
    monkeypatch.setenv("FACEGROUP_ACCESS__FIRST_KEY", str(path))
    monkeypatch.setenv("FACEGROUP_NETWORK", "dlib-resnet29")
    return path


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "faces.invalid"])
def test_it_has_a_key_of_its_own_where_others_reach_it(
    first_key: Path, host: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACEGROUP_HOST", host)
    theirs = secrets.make().text
    if there:
        first_key.write_text(theirs)
    with demo._settings(8000) as (given, key):
        settings = start_rules.checked(given, lambda _: None)
        api = Api(build_api(settings, Nothing()))
        codes = [api.refused("GET", "/v1/keys", headers=bearer(theirs)), api.refused("GET", "/v1/galleries")]
        if host == "127.0.0.1":
            assert key is None
            assert codes[1] == (503, "stage_unavailable")
        else:
            assert key is not None
            assert codes == [(401, "unauthorised")] * 2
            assert api("GET", "/v1/keys", headers=bearer(key)).status_code == 200
    assert [each.name for each in first_key.parent.iterdir()] == ["admin.key"] * there


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_it_enrols_and_names(
    first_key: Path, host: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    monkeypatch.setenv("FACEGROUP_HOST", host)

    @contextmanager
    def running(settings: Settings, **_: Any) -> Iterator[str]:
        pipeline = LocalPipeline(settings)
        server = LocalServer.of(settings, pipeline)
        try:
            yield server.url
        finally:
            server.stop()
            pipeline.close()

    monkeypatch.setattr(demo, "running", running)
    assert demo.show(once=True, photos=None, port=8000) == 0
    assert "all answers are right" in capsys.readouterr().out
