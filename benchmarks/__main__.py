"""Run every benchmark, one after the other, each in a process of its own: `python -m benchmarks`, or `make bench`."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = ("pipeline", "detection", "embedding", "serving", "gallery", "scaling", "decoding", "turns", "keys")


def main() -> int:
    """Run the benchmarks, and return how many could not run. A missed bound is a figure, not a failure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)} [default: all]")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and photos: rougher figures, sooner")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows here")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="draw pictures into this folder")
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - set(PARTS))
    if unknown:
        parser.error(f"there is no part {', '.join(unknown)}")
    machine, rows, failed, start = None, [], 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for part in given.parts or PARTS:
            found = Path(folder) / f"{part}.json"
            options = ["--json", str(found), *(["--quick"] if given.quick else [])]
            options += ["--plots", str(given.plots)] if given.plots else []
            failed += (
                subprocess.run([sys.executable, "-m", f"benchmarks.{part}", *options], check=False).returncode != 0
            )
            if found.is_file():
                read = json.loads(found.read_text())
                machine = machine or read["machine"]
                rows += [{**row, "what": f"{part}: {row['what']}"} for row in read["rows"]]
    if given.json:
        given.json.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")
    judged = [row for row in rows if row["met"] is not None]
    missed = [row for row in judged if not row["met"]]
    sys.stdout.write(f"{len(judged) - len(missed)} of {len(judged)} bounds met, {time.monotonic() - start:.0f} s\n")
    for row in missed:
        reached = row["value"] if row["ratio"] is None else row["ratio"]
        sys.stdout.write(f"  missed: {row['what']}: {reached}, not {row['least']}\n")
    return failed


if __name__ == "__main__":
    sys.exit(main())
