"""The command `facegroup doctor`: prints what a report of a fault needs, and what is wrong on this machine."""

import json
import logging
import os
import platform
import resource
import shutil
import socket
import time
from collections.abc import Callable
from contextlib import closing
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel

from facegroup.cli.options import AsJson, Network, Store
from facegroup.cli.output import show_log
from facegroup.errors import FacegroupError
from facegroup.settings import Settings, load

_PACKAGES = (
    *("facegroup", "av", "cryptography", "dlib-bin", "faiss-cpu", "keras", "keras-vggface", "mtcnn", "nncf", "numpy"),
    *("onnx", "onnxruntime", "opencv-python-headless", "openvino", "pillow", "pi-heif", "ray", "redis", "simplejpeg"),
    *("tensorflow",),
)
_LEAST_FILES = 512  # serve.startup refuses fewer
_LEAST_BYTES = 1 << 30
_CPU = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16", "i8mm")

Part = Callable[[Settings], dict[str, Any]]


def add_commands(into: typer.Typer) -> None:
    """Add the command to a Typer app."""
    into.command()(doctor)


def doctor(network: Network = None, store: Store = None, as_json: AsJson = False) -> None:
    """Check this installation, and print what a report of a fault needs. It shows no secret and no person."""
    settings = load(network=network, store=store)
    show_log(settings)
    found, problems = examined(settings)
    if as_json:
        typer.echo(json.dumps({**found, "problems": problems}, ensure_ascii=False))
    else:
        for part, about in found.items():
            typer.echo(f"{part}: {json.dumps(about, ensure_ascii=False)}")
        for problem in problems:
            typer.echo(f"problem: {problem}")
    raise typer.Exit(int(bool(problems)))


def examined(settings: Settings) -> tuple[dict[str, Any], list[str]]:
    """Return what was found, part by part, and a line for each problem that says what to do."""
    found: dict[str, Any] = {}
    problems: list[str] = []
    for name, part in _PARTS.items():
        try:
            found[name] = part(settings)
            if problem := found[name].pop("problem", None):
                problems.append(f"{name}: {problem}")
        except (FacegroupError, OSError) as error:
            said = f"{error.detail} ({error.code})" if isinstance(error, FacegroupError) else str(error)
            found[name] = {"error": said}
            problems.append(f"{name}: {said}")
    return found, problems


def _versions(_: Settings) -> dict[str, Any]:
    return {"python": platform.python_version(), "system": platform.platform()} | {n: _release(n) for n in _PACKAGES}


def _release(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _cpu(_: Settings) -> dict[str, Any]:
    path = Path("/proc/cpuinfo")
    words = set(path.read_text().split()) if path.is_file() else set()
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "features": [each for each in _CPU if each in words],
    }


def _settings(settings: Settings) -> dict[str, Any]:
    """Return the values that differ from the defaults. Those that may hold a secret are only named."""
    return {"changed": _changed(settings)}


def _changed(part: BaseModel) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in sorted(part.model_fields_set):
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            shown[name] = _changed(value)
        elif isinstance(value, bool | int | float):
            shown[name] = value
        else:  # an address, a command or a path may hold a secret or a name
            shown[name] = value if name in ("engine", "precision", "log_level", "host", "mode") else "set"
    return shown


def _store(settings: Settings) -> dict[str, Any]:
    from facegroup.store import check_store, open_store
    from facegroup.store.secret_key import secret_keys

    keys, heard = secret_keys(settings), _Warnings()
    logger = logging.getLogger("facegroup.store")
    logger.addHandler(heard)
    try:
        check_store(settings.store, keys)  # a full disk and a Redis that is away are only logged there
        with closing(open_store(settings.store, "cli", keys)) as store:
            store.ping()
            store.check_writes()
    finally:
        logger.removeHandler(heard)
    about: dict[str, Any] = {"kind": settings.store.partition(":")[0], "reachable": True, "writable": True}
    return about | ({"problem": "; ".join(heard.said)} if heard.said else {})


class _Warnings(logging.Handler):
    """Class that keeps warnings, such as that of a Redis that can lose acknowledged writes, once each."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.said[record.getMessage()] = None


def _network(settings: Settings) -> dict[str, Any]:
    from facegroup.networks import registry, weights
    from facegroup.networks.embedder import open_embedder

    spec = registry.spec(settings.network, settings)
    base = registry.spec(spec.base, settings) if spec.base else spec
    embedder = open_embedder(settings)
    about: dict[str, Any] = embedder.about() | {"precision": settings.embedder.precision}
    if settings.embedder.engine != "simulated":
        about["weights"] = {path.name: weights.sha256(path) for path in weights.fetch(base, settings)}
    if (known := embedder.known) is not None:
        about["descriptor"] = {"compared_with": known.source, "distance": known.distance, "most": known.most}
    return about


def _detector(settings: Settings) -> dict[str, Any]:
    wanted = settings.detector
    if wanted.engine == "simulated":
        return {"engine": "simulated"}
    from facegroup.pipeline.open_finder import open_detector

    with closing(open_detector(settings, 1)) as detector:
        about = {"detector": detector.name, "engine": detector.engine, "device": detector.device}
        return about | {"precision": wanted.precision}


def _port(settings: Settings) -> dict[str, Any]:
    about: dict[str, Any] = {"port": settings.port, "free": True}
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            why = (
                f"cannot listen on port {settings.port}: {error.strerror}. If it is not your server, set FACEGROUP_PORT"
            )
            about |= {"free": False, "problem": why}
    return about


def _clock(_: Settings) -> dict[str, Any]:
    return {"utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def _disk(settings: Settings) -> dict[str, Any]:
    folder = settings.cache_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    about: dict[str, Any] = {"cache_free_bytes": free}
    if free < _LEAST_BYTES:
        about["problem"] = "less than 1 GiB is free where the cache is. Free some, or set FACEGROUP_CACHE_DIR"
    return about


def _files(_: Settings) -> dict[str, Any]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    about: dict[str, Any] = {"soft": soft if soft != unlimited else None, "hard": hard if hard != unlimited else None}
    if hard != unlimited and hard < _LEAST_FILES:
        about["problem"] = f"a process may open {hard} files, and the server needs {_LEAST_FILES}: ulimit -n 8192"
    return about


_PARTS: dict[str, Part] = {
    "versions": _versions,
    "cpu": _cpu,
    "settings": _settings,
    "store": _store,
    "network": _network,
    "detector": _detector,
    "port": _port,
    "clock": _clock,
    "disk": _disk,
    "open_files": _files,
}
