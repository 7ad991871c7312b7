"""Read a camera for a while, and print the cost in one line: per cent of a core, PSS and private memory in MB."""

import sys
import time
from pathlib import Path

from facegroup.cameras.sources.reader import CameraReader
from facegroup.cameras.types import Camera
from facegroup.settings import Cameras


def main() -> None:
    """Warm up, then measure."""
    reader = CameraReader(Camera("a", sys.argv[1], "g"), Cameras(networks=("127.0.0.1/32",)))
    _take(reader, 10)
    cpu, start = time.process_time(), time.monotonic()
    _take(reader, 30)
    share = 100 * (time.process_time() - cpu) / (time.monotonic() - start)
    lines = dict(line.split(":") for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    pss, private = (int(lines[name].split()[0]) / 1024 for name in ("Pss", "Private_Dirty"))
    reader.close()
    sys.stdout.write(f"{share:.2f} {pss:.1f} {private:.1f}\n")


def _take(reader: CameraReader, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        reader.next(1)


if __name__ == "__main__":
    main()
