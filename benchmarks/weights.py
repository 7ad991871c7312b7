"""Make random weights for the ResNet-50 if the released ones are missing, in a file of the same layout and size.

They take the same time but recognise nobody. Every row says which weights were used.
"""

import subprocess
import sys
from pathlib import Path

from benchmarks.peers import CACHE, ROOT
from benchmarks.photos import lfw
from facegroup.networks import weights
from facegroup.networks.registry import spec
from facegroup.settings import Settings, load

RESNET50 = "vggface2-resnet50"
RETAIL = "retail-0095"
_CALIBRATION = 120
_SHARED = ROOT.parent / "shared" / "models"


def resnet50() -> tuple[Path, str]:
    """Return the ResNet-50's weights file, generated if there is none, and its name for reports."""
    file = spec(RESNET50).weights[0]
    found = weights.find(file, RESNET50, _settings())
    if found is not None:
        return found, "released weights"
    path = CACHE / "weights" / file.name
    if not (path.is_file() and path.stat().st_size == file.bytes):
        path.parent.mkdir(parents=True, exist_ok=True)
        sys.stderr.write(f"  generating {path.name} with random numbers, once\n")
        made = path.with_suffix(".part")
        code = "import sys; from pathlib import Path; from tests.weights_file import generate"
        subprocess.run(
            [sys.executable, "-c", f"{code}; generate(Path(sys.argv[1]), sys.argv[2])", str(made), RESNET50],
            check=True,
            cwd=ROOT,
            capture_output=True,
        )
        with made.open("ab") as grown:
            grown.truncate(file.bytes)  # HDF5 reads nothing behind its end
        made.rename(path)
    return path, "random weights"


def retail() -> Path | None:
    """Return the folder of retail-0095's files, or None."""
    found = [weights.find(file, RETAIL, _settings()) for file in spec(RETAIL).weights]
    return found[0].parent if found[0] is not None and all(found) else None


def model_dir() -> str | None:
    """Return the settings' folder of weights, which workers do not see by themselves; None: only downloads."""
    folder = _settings().model_dir
    return None if folder is None else str(folder)


def calibration(precision: str, name: str = "calibration") -> dict[str, str]:
    """Return the setting that int8 needs: a folder of photos with faces, the same every time, so that one is made once."""
    if precision != "int8":
        return {}
    folder = CACHE / "calibration"
    if not folder.is_dir():
        making = folder.with_name("calibration-in-the-making")
        lfw(making, _CALIBRATION)
        making.rename(folder)
    return {name: str(folder)}


def _settings() -> Settings:
    given = load()
    return given if given.model_dir or not _SHARED.is_dir() else load(model_dir=_SHARED)
