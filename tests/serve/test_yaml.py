"""The files for `serve deploy`: Ray reads them, and facegroup takes their arguments."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml

from facegroup.networks import registry
from facegroup.settings import Settings

FOLDER = Path(__file__).parents[2] / "serve"
FILES = ["local.yaml", "gpu.yaml", "cluster.yaml"]


def read(file: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / file).read_text())
    return loaded


def test_all_are_tried() -> None:
    assert sorted(FILES) == sorted(path.name for path in FOLDER.glob("*.yaml"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Ray's own, while it is imported
@pytest.mark.parametrize("file", FILES)
def test_ray_reads_it(file: str) -> None:
    from ray.serve.schema import ServeDeploySchema

    deploy = ServeDeploySchema.model_validate(read(file))
    (application,) = deploy.applications
    module, _, name = application.import_path.partition(":")
    (parameter,) = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
    # Ray makes the arguments into this when it calls the builder.
    assert parameter.annotation is Settings


@pytest.mark.parametrize("file", FILES)
def test_facegroup_takes_its_arguments(file: str) -> None:
    arguments = read(file)["applications"][0]["args"]
    settings = Settings.model_validate(arguments)
    assert settings.network in registry.SPECS
    given = settings.model_dump(mode="json", include=set(arguments), exclude_unset=True)
    assert given == arguments
    # These are Ray's to say.
    assert not {"host", "port"} & set(arguments)


@pytest.mark.parametrize(
    ("file", "host"), [("local.yaml", "127.0.0.1"), ("gpu.yaml", "127.0.0.1"), ("cluster.yaml", "0.0.0.0")]
)
def test_only_a_cluster_is_open(file: str, host: str) -> None:
    assert read(file)["http_options"]["host"] == host


def test_a_wrong_argument_is_refused() -> None:
    with pytest.raises(ValueError, match="replica"):
        Settings.model_validate({"detector": {"replica": 2}})
