"""Who we are compared with: each in an environment of its own, made once, and in a worker of its own, asked over pipes.

A peer that cannot be installed or does not start raises `NotToBeHad`, and the report has a row that says so.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import platformdirs

ROOT = Path(__file__).resolve().parents[1]
CACHE = platformdirs.user_cache_path("facegroup") / "benchmarks"
_INSTALL_SECONDS = 900


class NotToBeHad(Exception):
    """Something cannot be measured on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Packages of one peer.

    Attributes:
        name: of the environment.
        packages: pinned, installed with what they need.
        alone: pinned, installed without what they ask for.
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
        *(
            "tensorflow==2.21.0",
            "keras==3.15.1",
            "mtcnn==1.0.0",
            "keras-vggface==0.6",
            "h5py==3.14.0",
            "pillow==13.0.0",
        ),
        *(
            "platformdirs==4.14.7",
            "pydantic-settings==2.16.3",
            "pyyaml==6.0.3",
        ),  # of our code that makes keras-vggface run
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
    """A process that speaks `workers/line.py`.

    Args:
        module: of benchmarks.workers.
        environment: that it runs in; None: ours.

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
        """Return what it answers. Raises `NotToBeHad` where it fails, dies or takes too long."""
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
        """End it."""
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


def interleaved(
    asked: dict[str, tuple[Worker, str, dict[str, Any]]], rounds: int, budget: float = 1e9
) -> dict[str, dict[str, Any] | NotToBeHad]:
    """Ask several workers in turn, round after round (ABAB), so that what else the machine does meets them alike.

    Args:
        asked: by name: a worker, a verb and its arguments.
        rounds: how often, at most.
        budget: seconds after which a worker is asked no more; each is asked once.

    Returns:
        by name the answer of the fastest round, or why there is none.
    """
    best: dict[str, dict[str, Any] | NotToBeHad] = {}
    spent = dict.fromkeys(asked, 0.0)
    for _ in range(rounds):
        for name, (worker, verb, arguments) in asked.items():
            known = best.get(name)
            if isinstance(known, NotToBeHad) or spent[name] > budget:
                continue
            try:
                answer = worker.ask(verb, **arguments)
            except NotToBeHad as error:
                best[name] = error
                continue
            spent[name] += answer["seconds"]
            if known is None or answer["seconds"] < known["seconds"]:
                best[name] = answer
    return best


def _with_pip() -> str:
    """Return the interpreter that our environment was made from: pip is not in environments that uv fills."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")


def _quietly(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_INSTALL_SECONDS)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise NotToBeHad(f"not installed: {lines[0][:160]}")
