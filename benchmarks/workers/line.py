"""The protocol of a worker: one JSON object per line in each direction, `{"do": name, …}` as the request.

Output of libraries goes to standard error, so that it is not taken for an answer.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Verbs = dict[str, Callable[..., dict[str, Any]]]


class Clock:
    """Seconds of the wall and of all cores while it runs."""

    seconds = 0.0
    cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what happens within."""
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu

    def answer(self, **more: Any) -> dict[str, Any]:
        """Return what was counted, for an answer."""
        return {"seconds": self.seconds, "cpu": self.cpu, "peak_mb": peak_mb(), **more}


def peak_mb() -> float:
    """Return the most memory that this process has ever held, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def serve(verbs: Verbs) -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = verbs[asked.pop("do")](**asked)
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
