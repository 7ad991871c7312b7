"""Measure memory (PSS) and CPU time of all processes of a server, in total and by kind of process.

Processes are found by a variable in their environment, which every child inherits, and as children of those: a process that
sets its own title may overwrite the variable.
"""

import os
import re
from collections import defaultdict
from pathlib import Path

MARK = "BENCHMARK_RUN"
_TICK = os.sysconf("SC_CLK_TCK")
_KINDS = (
    ("Ingress", "ingress"),
    ("Detector", "detector"),
    ("Embedder", "embedder"),
    ("GalleryActor", "gallery"),
    ("CameraActor", "camera"),
    ("Cameras", "cameras"),
    ("haproxy", "HAProxy"),
    ("HAProxyManager", "HAProxy manager"),
    ("ProxyActor", "Ray's proxy"),
    ("ServeController", "Serve controller"),
    ("gcs_server", "Ray: gcs"),
    ("raylet", "Ray: raylet"),
    ("facegroup", "launcher"),
)


def found(mark: str) -> dict[int, str]:
    """Return the kind of each process with the mark, by its id."""
    wanted = f"{MARK}={mark}".encode()
    lines: dict[int, str] = {}
    parents: dict[int, int] = {}
    ours: set[int] = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        pid = int(folder.name)
        try:
            lines[pid] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                ours.add(pid)
        except OSError:
            continue  # it ended, or is another's
    while children := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= children
    return {pid: _kind(lines[pid]) for pid in ours}


def pss_mb(mark: str) -> dict[str, float]:
    """Return the memory of each kind of process. Shared pages are divided among those who share them."""
    total: dict[str, float] = defaultdict(float)
    for pid, kind in found(mark).items():
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        pss = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
        total[kind] += int(pss[1]) * 1024 / 1e6 if pss else 0
    return dict(total)


def cpu_seconds(mark: str) -> dict[str, float]:
    """Return the CPU time of each kind of process so far."""
    total: dict[str, float] = defaultdict(float)
    for pid, kind in found(mark).items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total[kind] += (int(fields[11]) + int(fields[12])) / _TICK
    return dict(total)


def difference(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    """Return the increase of each kind, the largest first, without those that did not increase."""
    added = {kind: amount - before.get(kind, 0) for kind, amount in after.items()}
    return dict(sorted(((kind, amount) for kind, amount in added.items() if amount > 0), key=lambda row: -row[1]))


def _kind(line: str) -> str:
    if line.startswith("ray::"):
        line = line.partition(" ")[0] if "ServeReplica" in line else line
    best = [kind for word, kind in _KINDS if word in line]
    if "ServeReplica" in line or "HAProxyManager" in line or "ProxyActor" in line:
        return next(
            (kind for word, kind in _KINDS if word in line and word not in {"facegroup", "haproxy"}), "Ray: other"
        )
    return best[0] if best and "ray/" not in line else _ray(line, best)


def _ray(line: str, best: list[str]) -> str:
    return best[0] if best and best[0].startswith("Ray") else "Ray: other"
