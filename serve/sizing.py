"""What a server asks of its machine: threads, CPUs as Ray counts them, and GPUs."""

import math
import os
from contextlib import suppress
from pathlib import Path

from facegroup.errors import EngineUnavailable, InvalidSettings
from facegroup.settings import Detector, Embedder, Ingress, Matcher, Settings

_SERVE_PROCESSES = 4
"""Serve's own: its controller, two proxies, and the one that deploys. Ray has as many ready as it is given CPUs."""


def sized(settings: Settings) -> Settings:
    """Return the settings with threads for one machine: each stage may use all its cores.

    The stages take turns. With one thread each, a stage with little to do would leave its core idle, and a single photo
    would never use more than one.

    Raises:
        InvalidSettings: a stage has more replicas than may be on one machine.
    """
    for name in ("detector", "embedder", "matcher", "ingress"):
        part: Detector | Embedder | Matcher | Ingress = getattr(settings, name)
        if 0 < part.per_machine < part.replicas:
            raise InvalidSettings(
                f"{name}.replicas is {part.replicas}, and {name}.per_machine lets only {part.per_machine} of them run "
                "on one machine. Set it to 0, or use several machines (docs/deployment.md)."
            )
    cores = usable_cores()
    parts: dict[str, Detector | Embedder] = {"detector": settings.detector, "embedder": settings.embedder}
    threads = {
        name: part.model_copy(update={"threads": max(1, cores // part.replicas)})
        for name, part in parts.items()
        if not part.threads and not part.num_gpus
    }
    return settings.model_copy(update=threads)


def usable_cores(groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Return how many cores this process may use: those that it may run on, and what a container's quota allows.

    Args:
        groups: where the kernel shows control groups (version 2).
        own: the file that names the one of this process.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for place in (groups, *_groups(groups, own)):
        with suppress(OSError, ValueError):  # `max` is no number: there is no quota
            quota, period = (place / "cpu.max").read_text().split()
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def _groups(groups: Path, own: Path) -> list[Path]:
    """Return the control groups of this process, each in the one before."""
    try:
        (name,) = (line[3:].strip("/") for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, ValueError):
        return []
    parts = Path(name).parts
    return [groups.joinpath(*parts[: count + 1]) for count in range(len(parts))]


def check_gpus(settings: Settings, there: float) -> None:
    """Refuse GPUs that are not there: Ray would wait for them for ever.

    Args:
        settings: of the server.
        there: how many GPUs the machine has.

    Raises:
        EngineUnavailable: the replicas ask for more GPUs than the machine has.
    """
    parts = (settings.detector, settings.embedder)
    asked = round(sum(part.replicas * part.num_gpus for part in parts), 4)  # as Ray counts: 2 × 0.3 + 6 × 0.4 is 3
    if asked > there:
        raise EngineUnavailable(
            f"num_gpus of all detector and embedder replicas is {asked:g} together, and this machine has {there:g}"
        )


def cpus(settings: Settings) -> int:
    """Return the CPUs that Ray is told of: all that replicas and Serve ask for, since it must place them on this machine."""
    parts = (settings.detector, settings.embedder, settings.matcher, settings.ingress)
    cameras = settings.cameras
    looked_after = cameras.num_cpus + cameras.limit * cameras.camera_cpus if cameras.enabled else 0
    return int(sum(part.replicas * part.num_cpus for part in parts) + looked_after) + 1 + _SERVE_PROCESSES
