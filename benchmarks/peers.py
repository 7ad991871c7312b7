"""Run the packages that facegroup is compared with, each in its own environment and worker process, controlled by pipes.

A peer that cannot be installed or started raises `NotToBeHad`, and the report has a row for it.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import platformdirs

ROOT = Path(__file__).resolve().parents[1]
CACHE = platformdirs.user_cache_path("facegroup") / "benchmarks"
_INSTALL_SECONDS = 900


class NotToBeHad(Exception):
    """A measurement that is not possible on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """The packages of one peer.

    Attributes:
        name: name of the environment.
        packages: pinned packages, installed with their dependencies.
        alone: pinned packages, installed without their dependencies.
        pip: whether pip installs them, because uv finds fewer of this machine's own wheels.
    """

    name: str
    packages: tuple[str, ...]
    alone: tuple[str, ...] = ()
    pip: bool = False

    def python(self) -> Path:
        """Return its interpreter; install it if that has not been done. Raises `NotToBeHad`."""
        key = hashlib.sha256(repr((self, sys.version_info[:2])).encode()).hexdigest()[:12]
        folder = CACHE / "peers" / f"{self.name}-{key}"
        python = folder / "bin" / "python"
        if (folder / "ready").is_file():
            return python
        sys.stderr.write(f"  installing {', '.join(self.packages)} into {folder}, once\n")
        shutil.rmtree(folder, ignore_errors=True)
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        if uv is None:
            raise NotToBeHad("it is installed by uv, which is not here")
        _quietly([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        install = [uv, "pip", "install", "--quiet", "--python", str(python)]
        if self.pip:
            install = [_with_pip(), "-m", "pip", "--python", str(python), "install", "--quiet"]
        _quietly([*install, *self.packages])
        if self.alone:
            _quietly([*install, "--no-deps", *self.alone])
        (folder / "ready").touch()
        return python


TENSORFLOW = Environment(
    "tensorflow",
    (
        "tensorflow==2.21.0",
        "keras==3.15.1",
        "mtcnn==1.0.0",
        "keras-vggface==0.6",
        "h5py==3.14.0",
        "pillow==13.0.0",
        # What our code needs that makes keras-vggface run.
        "platformdirs==4.14.7",
        "pydantic-settings==2.16.3",
        "pyyaml==6.0.3",
    ),
)
FACE_RECOGNITION = Environment(
    "face-recognition",
    (
        *("dlib-bin==20.0.1.post1", "face_recognition_models==0.3.0", "setuptools==80.10.2"),
        *("pillow==13.0.0", "numpy==2.4.6", "click==8.5.1"),
    ),
    alone=("face_recognition==1.3.0",),
)
DEEPFACE = Environment(
    "deepface", ("deepface[api]==0.0.103", "tensorflow==2.21.0", "keras==3.15.1", "tf-keras==2.21.0", "mtcnn==1.0.0")
)
TORCH = Environment(
    "torch",
    ("torch==2.13.0", "pillow==13.0.0", "requests", "tqdm", "numpy==2.4.6", "opencv-python-headless"),
    alone=("facenet-pytorch==2.6.0", "torchvision==0.28.0"),
    pip=True,
)


class Worker:
    """Class for a process that speaks `workers/line.py`.

    Args:
        module: of benchmarks.workers.
        environment: the environment in which it runs; None is our own.

    Raises:
        NotToBeHad: its environment cannot be installed.
    """

    def __init__(self, module: str, environment: Environment | None = None) -> None:
        self.name = module
        python = environment.python() if environment else Path(sys.executable)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by close)
        surroundings = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FACEGROUP_")},
            "PYTHONPATH": str(ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
        }
        self._process = subprocess.Popen(
            [python, "-m", f"benchmarks.workers.{module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env=surroundings,
        )

    def ask(self, verb: str, timeout: float = 300, **arguments: Any) -> dict[str, Any]:
        """Return its answer. Raises `NotToBeHad` if it fails, dies or takes too long."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        timer = threading.Timer(timeout, self._process.kill)
        timer.start()
        try:
            self._process.stdin.write(json.dumps({"do": verb, **arguments}) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if not line:
            raise NotToBeHad(f"its process ended: {self._last_words()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise NotToBeHad(answer["error"])
        return answer

    def close(self) -> None:
        """Stop it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "no reason given"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def opened(module: str, environment: Environment | None = None, **arguments: Any) -> Iterator[Worker]:
    """Start a worker and have it load what it measures. Raises `NotToBeHad`."""
    with Worker(module, environment) as worker:
        worker.ask("open", timeout=600, **arguments)
        yield worker


Asked = tuple[Worker, str, Sequence[dict[str, Any]]]
"""A worker, a verb, and the arguments of each part of its work."""


def interleaved(asked: Mapping[str, Asked], rounds: int, budget: float = 1e9) -> dict[str, dict[str, Any] | NotToBeHad]:
    """Ask several workers in turn, part by part and round after round (ABAB), so that what else the machine does meets all.

    What disturbs them comes and goes within seconds: with parts that take about a second, each of them has its calm moments.

    Args:
        asked: by name: what a worker is asked. Where one has fewer parts than others, they are spread over the round.
        rounds: how often, at most.
        budget: seconds after which a worker is asked no more; each does all its parts once.

    Returns:
        by name what the fastest round of each part says, added up (of `peak_mb` the most), or why there is nothing.
    """
    best: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in asked}
    failed: dict[str, NotToBeHad] = {}
    spent = dict.fromkeys(asked, 0.0)
    most = max((len(parts) for _, _, parts in asked.values()), default=0)
    for round_, step in product(range(rounds), range(most)):
        for name, (worker, verb, parts) in asked.items():
            own = range(len(parts) * step // most, len(parts) * (step + 1) // most)
            for part in own:
                if name in failed or (round_ and spent[name] > budget):
                    continue
                try:
                    answer = worker.ask(verb, **parts[part])
                except NotToBeHad as error:
                    failed[name] = error
                    continue
                spent[name] += answer["seconds"]
                if part not in best[name] or answer["seconds"] < best[name][part]["seconds"]:
                    best[name][part] = answer
    return {name: failed.get(name) or _added(list(best[name].values())) for name in asked}


def _added(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    add = {key: max if key.startswith("peak") else sum for key in answers[0]}
    return {key: together([answer[key] for answer in answers]) for key, together in add.items()}


def _with_pip() -> str:
    """Return the interpreter that our environment was made from: pip is not in environments that uv fills."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")


def _quietly(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise NotToBeHad(f"not installed: {lines[0][:160]}")
