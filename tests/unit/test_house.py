"""The house itself: imports run one way, pins match what is asked for, shipped files name things that exist."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from docs.settings_page import page
from facegroup.settings import PREFIX, Settings
from release.pins import pins

ROOT = Path(__file__).parents[2]
LOCKS = [
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-gpu.lock",
    "requirements-build.lock",
    "requirements-uv.lock",
    "requirements-sbom.lock",
]


def tracked() -> list[Path]:
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("needs a git checkout")
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_imports_run_one_way() -> None:
    script = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([script, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("lock", "extras"),
    [
        ("requirements.lock", set()),
        ("requirements-dev.lock", {"dev", "demo", "dlib"}),
        ("requirements-gpu.lock", {"gpu"}),
    ],
)
def test_locks_pin_what_pyproject_asks_for(lock: str, extras: set[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"]]
    for extra in extras:
        asked += project["optional-dependencies"][extra]
    pinned = pins(ROOT / lock)
    for requirement in map(Requirement, asked):
        if requirement.name != project["name"]:
            versions = [version for name, version in pinned if name == canonicalize_name(requirement.name)]
            assert versions, f"{requirement} is not in {lock}: make lock"
            for version in versions:
                assert version in requirement.specifier, f"{requirement} but {lock} has {version}: make lock"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_is_hashed(lock: str) -> None:
    lines = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    entries = [line for line in lines if line.strip() and not line.startswith("#")]
    assert entries
    for entry in entries:
        assert re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry), entry


def test_runtime_and_development_pins_agree() -> None:
    assert pins(ROOT / "requirements.lock") <= pins(ROOT / "requirements-dev.lock")


def test_no_file_names_a_package_index() -> None:
    """Where packages come from is the machine's business, not the repository's."""
    hosts = ["py" + "pi.org", "python" + "hosted.org", "npm" + "js.", "deb." + "debian.org", "conda." + "anaconda.org"]
    named = [
        f"{file.relative_to(ROOT)}: {host}"
        for file in tracked()
        for host in hosts
        if host.encode() in file.read_bytes()
    ]
    assert not named


def test_nothing_large_is_committed() -> None:
    assert not [file.name for file in tracked() if file.stat().st_size > 1 << 20]


def test_settings_page_is_up_to_date() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == page(), "make docs"


def is_setting(name: str) -> bool:
    field, *rest = name.removeprefix(PREFIX).lower().split("__")
    if field not in Settings.model_fields or not rest:
        return field in Settings.model_fields or field == "config"
    part: Any = Settings.model_fields[field].annotation
    return rest[0] in part.model_fields


def compose(*files: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / files[0]).read_text())
    for file in files[1:]:
        for name, service in yaml.safe_load((ROOT / file).read_text())["services"].items():
            for key, value in service.items():
                into = loaded["services"][name]
                into[key] = into.get(key, {}) | value if key == "environment" else value
    return loaded


@pytest.mark.parametrize("files", [("docker-compose.yml",), ("docker-compose.yml", "docker-compose.gpu.yml")])
def test_compose(files: tuple[str, ...]) -> None:
    composed = compose(*files)
    services = composed["services"]
    for service in services.values():
        assert "image" in service
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services
            assert how == {"condition": "service_healthy"}
            assert services[needed]["healthcheck"]["test"]
        for volume in service["volumes"]:
            assert volume.split(":")[0] in composed["volumes"]
    server = services["server"]
    environment = server["environment"]
    assert all(isinstance(value, str) for value in environment.values())
    assert all(is_setting(name) for name in environment if name.startswith(PREFIX))
    host, port = environment["FACEGROUP_STORE"].removeprefix("redis://").split("/")[0].split(":")
    assert host in services
    assert port == "6379"
    assert server["ports"] == ["${FACEGROUP_PUBLISH:-127.0.0.1:8000}:" + environment["FACEGROUP_PORT"]]
    assert server["cap_drop"] == ["ALL"]
    assert server["read_only"] is True
    assert server["security_opt"] == ["no-new-privileges:true"]
    assert environment["FACEGROUP_CACHE_DIR"] in {volume.split(":")[1] for volume in server["volumes"]}
    assert "--appendonly yes --appendfsync always" in " ".join(services["redis"]["command"])


def test_compose_settings_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in compose("docker-compose.yml", "docker-compose.gpu.yml")["services"]["server"][
        "environment"
    ].items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.host == "0.0.0.0"
    assert settings.detector.num_gpus + settings.embedder.num_gpus == 1


def test_dockerfile() -> None:
    text = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().split()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for name in line.split():
            assert list(ROOT.glob(name)), f"COPY {name}"
            assert f"!{name}" in ignored, f"{name} is kept out by .dockerignore"
    assert all(is_setting(name) for name in re.findall(r"\b(FACEGROUP_\w+)=", text))
    assert all((ROOT / name).is_file() for name in re.findall(r"[\w-]+\.lock", text))
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", text, re.MULTILINE)  # Kubernetes does not know names
    assert "/healthz" in text  # a lost Redis is no reason to start the server again
    assert "VOLUME" not in text  # each start would leave a volume without a name behind
    assert "requirements-dev.lock" not in text  # a change for the tests would build everything again
