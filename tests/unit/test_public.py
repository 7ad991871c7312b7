"""The public face: what `import facegroup` offers, and what it does not load."""

import inspect
import subprocess
import sys

import pytest

import facegroup
from facegroup import errors


def test_every_public_name_is_there() -> None:
    assert {name: getattr(facegroup, name) for name in facegroup.__all__}
    assert facegroup.__all__ == sorted(set(facegroup.__all__))
    assert dir(facegroup) == facegroup.__all__


def test_every_error_is_public() -> None:
    classes = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind)}
    kinds = {name: kind for name, kind in classes.items() if issubclass(kind, errors.FacegroupError)}
    assert {name: getattr(facegroup, name) for name in kinds} == kinds
    assert kinds.keys() <= set(facegroup.__all__)


def test_a_public_name_is_the_one_of_its_module() -> None:
    from facegroup.client import Client
    from facegroup.recognizer import Recognizer
    from facegroup.settings import Settings, load

    assert facegroup.Client is Client
    assert facegroup.Recognizer is Recognizer
    assert facegroup.Settings is Settings
    assert facegroup.load is load


@pytest.mark.parametrize("name", ["Recogniser", "_MODULES_", "load_settings"])
def test_another_name_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(facegroup, name)


def test_submodules_are_importable_under_their_own_names() -> None:
    done = run("from facegroup import errors, settings; print(errors.NoFace.code, settings.__name__)")
    assert done == "no_face facegroup.settings\n"


def test_the_import_loads_nothing_heavy() -> None:
    done = run("import facegroup, sys; print(sorted(name for name in sys.modules if name.startswith('facegroup')))")
    assert done == "['facegroup']\n"
    heavy = {"tensorflow", "keras", "cv2", "ray", "openvino", "numpy", "pydantic"}
    assert not heavy & set(run("import facegroup, sys; print(*sys.modules)").split())


def test_settings_and_errors_load_no_network_library() -> None:
    heavy = {"tensorflow", "keras", "cv2", "ray", "openvino"}
    loaded = run("from facegroup import Settings, load, NoFace, FacegroupError; import sys; print(*sys.modules)")
    assert not heavy & set(loaded.split())


@pytest.mark.parametrize(
    "module",
    [
        "facegroup.networks.registry",
        "facegroup.networks.fingerprint",
        "facegroup.pipeline.detector_file",
        "facegroup.pipeline.liveness_files",
        "facegroup.wire.recognition",
        "facegroup.client",
        "facegroup.cli.app",
        "deployments.gallery",
        "deployments.embedder",
    ],
)
def test_what_only_names_networks_loads_no_engine_and_no_opencv(module: str) -> None:
    loaded = run(f"import {module}, sys; print(*sys.modules)")
    assert not {"cv2", "openvino", "onnxruntime", "tensorflow"} & set(loaded.split())


def test_the_list_of_networks_loads_no_engine_and_no_opencv() -> None:
    listed = run(
        "import sys\n"
        "from serve.commands import main\n"
        "sys.argv = ['facegroup', 'networks']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('loaded', *sys.modules)"
    )
    assert "retail-0095" in listed
    assert not {"cv2", "openvino", "onnxruntime", "tensorflow", "ray"} & set(listed.rpartition("loaded")[2].split())


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
