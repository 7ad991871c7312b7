"""Try a network of one's own in a child process before a server starts, so that a bad one starts nothing.

The processes of the server try it again. Those of a cluster have no such child, and refuse by themselves.
"""

import json

from facegroup.engines import worker_process
from facegroup.networks import registry
from facegroup.networks.spec import NetworkSpec
from facegroup.settings import Settings, load

_CHILD = "import sys; from facegroup.networks.trial import main; main(*sys.argv[1:])"
_TIMEOUT = 600


def run(spec: NetworkSpec, settings: Settings) -> None:
    """Try the network of the settings in a child process, if it is one that is tried.

    A GPU stays free for the server: the child uses the same engine on the CPU. int8 is checked when it is made.

    Args:
        spec: the network of the settings.
        settings: settings of the server.

    Raises:
        SetupError: the network cannot be used; the message says why.
    """
    base = registry.spec(spec.base, settings) if spec.base else spec
    if not base.is_tried or settings.embedder.engine == "simulated":
        return
    wanted = settings.embedder
    engine = "onnxruntime" if wanted.num_gpus > 0 and wanted.engine == "auto" else wanted.engine
    embedder = {
        "engine": engine,
        "precision": "bf16" if wanted.precision == "bf16" else "fp32",
        "num_gpus": 0,
        "threads": wanted.threads,
        "batch": wanted.batch,
    }
    folders = {name: str(path) for name in ("model_dir", "cache_dir") if (path := getattr(settings, name)) is not None}
    given = json.dumps({"network": settings.network, **folders, "embedder": embedder})
    worker_process.run(_CHILD, (given,), f"trying {spec.name}", f"{spec.name} could not be tried", _TIMEOUT)


def main(given: str) -> None:
    """Open the network in this process, and report why it cannot be used."""
    from facegroup.networks.embedder import open_embedder

    with worker_process.reporting():
        open_embedder(load(**json.loads(given)))
