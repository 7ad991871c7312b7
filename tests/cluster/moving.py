"""A group that is moved to another network while others write to it: who is in it, who writes, and what was acknowledged.

The networks are simulated, on the server as for the migration: the old one sees the checksum of a photo, its kind, and
the new one that of the kept crop. A writer ends when the server says that the gallery is of another network now.
"""

import json
import os
import subprocess
import sys
import time
import zlib
from collections import defaultdict
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from facegroup.networks.alignment import to_jpeg
from facegroup.networks.embedder import unit
from facegroup.networks.registry import spec
from facegroup.networks.simulated import SimulatedEngine
from facegroup.types import Floats
from tests.cluster.traffic import CODES, SPEC, Caller, photo

NEW = spec("dlib-resnet29")
SIMULATED = {f"FACEGROUP_{stage}__ENGINE": "simulated" for stage in ("DETECTOR", "EMBEDDER")}


def moved_kind(kind: int) -> int:
    """Return the kind that the new network sees in the crop of a kind."""
    return zlib.crc32(to_jpeg(np.full((SPEC.size, SPEC.size, 3), kind, np.uint8))) & 255


def moved_descriptor(kind: int) -> Floats:
    """Return the new network's descriptor of the crop of a kind."""
    crop = np.full((1, NEW.size, NEW.size, 3), moved_kind(kind), np.uint8)
    row: Floats = unit(SimulatedEngine(NEW, 1, 0).run(crop))[0]
    return row


def apart(people: int) -> list[int]:
    """Return the kinds of so many people, no two of whom are one for the new network."""
    taken: dict[int, int] = {}
    for kind in range(256):
        taken.setdefault(moved_kind(kind), kind)
    return list(taken.values())[:people]


class Writer:
    """Enrols photos of people over HTTP, and now and then of a guest, half of whom it erases.

    Args:
        gallery: its name.
        people: who is in it, and their kinds.
        guest: the kind of all guests.
        number: of the writer.

    Attributes:
        acknowledged: the ids of the photos of each person who was not erased.
        asked: how many may be there, those whose answer was lost included.
        gone: the people who were erased.
        refused: whether the gallery is of another network now.
    """

    def __init__(self, gallery: str, people: dict[str, int], guest: int, number: int) -> None:
        self._gallery = gallery
        self._people = people
        self._guest = guest
        self._name = f"guest-{number}"
        self._numbers = count(1_000_000 * number)
        self.acknowledged: dict[str, list[str]] = defaultdict(list)
        self.asked: dict[str, int] = defaultdict(int)
        self.gone: set[str] = set()
        self.refused = False

    @property
    def done(self) -> int:
        """How many photos were acknowledged."""
        return sum(map(len, list(self.acknowledged.values())))

    def write(self, caller: Caller) -> None:
        """Write once; for `Traffic.go`."""
        number = next(self._numbers)
        if self.refused:
            time.sleep(0.05)
            return
        if number % 5:
            person = list(self._people)[number % len(self._people)]
            self._enrol(caller, person, photo(self._people[person], number))
            return
        guest = f"{self._name}-{number}"
        self._ask(caller, "PUT", f"people/{guest}", json={"name": guest})
        self._enrol(caller, guest, photo(self._guest, number))
        if number % 2 and not self.refused:
            self._ask(caller, "DELETE", f"people/{guest}")
            if not self.refused:
                self.gone.add(guest)
                self.acknowledged.pop(guest, None)

    def leave(self) -> None:
        """Write no more; what is under way is still answered, once."""
        self.refused = True

    def _enrol(self, caller: Caller, person: str, data: bytes) -> None:
        self.asked[person] += 1
        files = [("photos", data)]
        answer = self._ask(caller, "POST", f"people/{person}/photos", files=files)
        if answer is not None:
            self.acknowledged[person] += [each["photo_id"] for each in answer["enrolled"]]

    def _ask(self, caller: Caller, method: str, path: str, **request: Any) -> Any:
        """Return what is answered; None when the gallery was switched."""
        while not self.refused:
            answer = caller.once(method, f"{self._gallery}/{path}", **request)
            if answer.is_success:
                return answer.json()
            code = answer.json()["code"]
            if code == "network_mismatch":
                self.refused = True
            elif method == "DELETE" and code == "unknown_person":
                return {}  # erased before, and the answer was lost
            else:
                assert code in CODES, answer.text
                time.sleep(0.2)
        return None


class Move:
    """`facegroup migrate` in a process of its own.

    Args:
        url: of the store.
        gallery: its name.
        milliseconds: that a face takes the network.
    """

    def __init__(self, url: str, gallery: str, milliseconds: int) -> None:
        program = str(Path(sys.executable).with_name("facegroup"))
        words = ["migrate", gallery, "--network", NEW.name, "--store", url, "--json"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("FACEGROUP_")}
        speed = {"FACEGROUP_EMBEDDER__SIMULATED_MS": str(milliseconds), "FACEGROUP_EMBEDDER__BATCH": "1"}
        self._process = subprocess.Popen(
            [program, *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**clean, **SIMULATED, **speed},
        )  # fmt: skip

    def runs(self) -> bool:
        """Return whether it has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.runs(), self._process.communicate()[1]
        self._process.kill()
        self._process.communicate()

    def end(self) -> tuple[int, str]:
        """Wait until it ends by itself; return its status and the last line that it wrote."""
        out, err = self._process.communicate(timeout=60)
        return self._process.returncode, (out if self._process.returncode == 0 else err).strip().splitlines()[-1]

    def result(self) -> dict[str, Any]:
        """Wait until it succeeds; return its answer."""
        status, line = self.end()
        assert status == 0, line
        answer: dict[str, Any] = json.loads(line)
        return answer
