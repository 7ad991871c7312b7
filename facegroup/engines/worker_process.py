"""Run heavy work in a child process that reports its progress and errors.

The server's process keeps neither the libraries nor the memory of the work. The child writes one JSON object per line to
standard output. Anything else that libraries print there is ignored.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Timer
from typing import Any, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from facegroup.errors import EngineUnavailable, FacegroupError, SetupError

Report: TypeAlias = Callable[[str, int, int], None]
"""Function that reports the current step, how much of it is done, and the total, 0 if unknown."""

REFUSED = 3
"""Exit status of a child that has reported an error."""

# Such work needs no GPU, and must not use the memory of a GPU that serves.
_QUIET = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def run(script: str, arguments: Sequence[object], text: str, failure: str, timeout: float) -> None:
    """Run Python code in a child process, with a progress bar on standard error if that is a terminal.

    Args:
        script: the code.
        arguments: its `sys.argv[1:]`.
        text: title of the progress bar.
        failure: message for an unexpected end, followed by the child's last line of standard error.
        timeout: seconds after which the child is killed.

    Raises:
        SetupError: the error that the child raised inside `reporting`.
        EngineUnavailable: the child failed in another way, or took too long.
    """
    path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)  # an empty entry is this folder
    surroundings = os.environ | {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": path, **_QUIET}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    refused: dict[str, str] = {}
    late = Event()
    with (
        tempfile.TemporaryFile("w+", errors="replace") as complaints,
        _bar(text) as show,
        subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=complaints, text=True) as child,
    ):

        def end() -> None:
            late.set()
            child.kill()

        watch = Timer(timeout, end)
        watch.start()
        try:
            for line in child.stdout or ():
                said = _parsed(line)
                if "code" in said:
                    refused = said
                elif "doing" in said:
                    show(said["doing"], said["done"], said["total"])
            child.wait()
        finally:
            watch.cancel()
            child.kill()  # after an interrupt; it does nothing to a child that has ended
        complaints.seek(0)
        last = (complaints.read().strip().splitlines() or [f"exit status {child.returncode}"])[-1]
    if late.is_set():
        raise EngineUnavailable(f"{failure} within {timeout:g} seconds.")
    if child.returncode == REFUSED and refused:
        kinds = {kind.code: kind for kind in SetupError.__subclasses__()}
        raise kinds.get(refused["code"], EngineUnavailable)(refused["detail"])
    if child.returncode:
        raise EngineUnavailable(f"{failure}: {last}")


@contextmanager
def reporting() -> Iterator[Report]:
    """Yield the progress function in the child. The parent raises again any facegroup error raised inside."""
    out = sys.stdout
    sys.stdout = sys.stderr  # for the libraries

    def say(**what: object) -> None:
        out.write(json.dumps(what) + "\n")
        out.flush()

    try:
        yield lambda doing, done, total: say(doing=doing, done=done, total=total)
    except FacegroupError as error:
        say(code=error.code, detail=error.detail)
        raise SystemExit(REFUSED) from None


def _parsed(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


@contextmanager
def _bar(text: str) -> Iterator[Report]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    quiet = not sys.stderr.isatty()
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as progress:
        task = progress.add_task(text, total=None)
        yield lambda doing, done, total: progress.update(
            task, description=f"{text}: {doing}", completed=done, total=total or None
        )
