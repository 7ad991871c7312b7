"""The built wheel, installed into an empty environment with the pins of the server, serves photos."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import SHARED
from tests.photos import astronaut, encode

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not (SHARED / "models").is_dir(), reason="needs ../shared/models"),
]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return the folder of the commands of the environment."""
    subprocess.run(["make", "-s", "dist", f"DIST={tmp_path / 'dist'}"], cwd=ROOT, check=True)
    uv, python = Path(sys.executable).with_name("uv"), tmp_path / "env" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "env"], check=True)
    install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", python]
    subprocess.run([*install, "--require-hashes", "-r", ROOT / "requirements.lock"], check=True)
    subprocess.run([*install, "--no-deps", next((tmp_path / "dist").glob("*.whl"))], check=True)
    return python.parent


@pytest.fixture
def url(installed: Path, tmp_path: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "FACEGROUP_MODEL_DIR": str(SHARED / "models"),
        "FACEGROUP_NETWORK": "retail-0095",
        "FACEGROUP_STORE": f"sqlite:///{tmp_path}/gallery.db",
        "FACEGROUP_CACHE_DIR": str(tmp_path / "cache"),
    }
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("FACEGROUP_", "PYTHON"))}
    server = subprocess.Popen(
        [installed / "facegroup", "serve", "--port", str(port)], cwd=tmp_path, env=plain | settings
    )
    address = f"http://127.0.0.1:{port}"
    try:
        while not _ready(address):
            assert server.poll() is None, "the server ended"
            time.sleep(1)
        yield address
    finally:
        server.terminate()
        assert server.wait(300) == 0


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def test_it_serves(url: str) -> None:
    photo = encode(astronaut())
    with httpx.Client(base_url=f"{url}/v1/galleries/default", timeout=60) as client:
        client.post("/people", json={"id": "eileen", "name": "Eileen"}).raise_for_status()
        client.post("/people/eileen/photos", files={"image": photo}).raise_for_status()
        found = (
            client.post("/identify", content=photo, headers={"content-type": "image/jpeg"}).raise_for_status().json()
        )
    assert [face["name"] for face in found["images"][0]["faces"]] == ["Eileen"]
