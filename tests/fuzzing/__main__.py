"""Look for input that breaks a seam, for as long as you like: `python -m tests.fuzzing images --seconds 600`."""

import argparse
import sys
import time
from itertools import islice
from pathlib import Path

from tests.fuzzing.mutations import drawn
from tests.fuzzing.seams import SEAMS, seam


def main() -> int:
    """Run one seam; the status is 1 if something was found, which is written beside this folder's parent."""
    parser = argparse.ArgumentParser()
    parser.add_argument("seam", choices=SEAMS)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--found", type=Path, default=Path("found"), help="folder for input that breaks it")
    given = parser.parse_args()
    given.found.mkdir(exist_ok=True)
    try:
        import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError:
        return _draw(given)
    corpus = given.found / f"{given.seam}.corpus"
    corpus.mkdir(exist_ok=True)
    with atheris.instrument_imports(include=["facegroup", "serve"]):
        place = seam(given.seam)
    for number, each in enumerate(place.seeds):
        (corpus / f"seed{number}").write_bytes(each)
    options = [f"-max_total_time={int(given.seconds)}", "-timeout=30", "-rss_limit_mb=4096", f"-seed={given.seed}"]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={given.found}/{given.seam}.", str(corpus)], place.send)
    atheris.Fuzz()
    return 0


def _draw(given: argparse.Namespace) -> int:
    place, end, tried, bad = seam(given.seam), time.monotonic() + given.seconds, 0, 0
    for data in islice(drawn(place.seeds, given.seed), 1 << 40):
        if time.monotonic() > end:
            break
        tried += 1
        try:
            place.send(data)
        except Exception as error:
            bad += 1
            (given.found / f"{given.seam}.{tried}").write_bytes(data)
            print(f"{given.seam}.{tried}: {type(error).__name__}: {error}"[:300], flush=True)
    print(f"{given.seam}: {tried} inputs, {bad} faults")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
