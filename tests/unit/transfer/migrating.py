"""A process that migrates a gallery, slowly, and says each person; for being killed. Arguments: store, gallery."""

import sys
from typing import cast

from facegroup.networks.registry import spec
from facegroup.settings import load
from facegroup.store import open_store
from facegroup.store.staging import StagingStore
from facegroup.transfer.migration import Migration
from facegroup.transfer.reembedding import Reembedder
from facegroup.types import Gallery

if __name__ == "__main__":
    new = spec("dlib-resnet29")
    slow = {"engine": "simulated", "simulated_ms": 30, "batch": 1}
    settings = load(network=new.name, detector=slow, embedder=slow)
    store = cast(StagingStore, open_store(sys.argv[1]))
    gallery = Gallery(sys.argv[2], new.name, new.dimension, new.threshold)
    Migration(store, sys.argv[2], gallery, lambda: Reembedder(settings), lambda n: print(n, flush=True)).run()
