"""Photo files in, the raw embedding of the central face of each out; what was embedded once is read from the cache.

The cache is one file a network in the user's cache folder, keyed by the photos' sha256. It holds biometric data: delete
`evaluation/` in the cache folder when the measurement is over.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from facegroup.embedding import open_embedder
from facegroup.errors import InvalidSettings
from facegroup.evaluation.lfw import central
from facegroup.finder import open_finder
from facegroup.networks import projection
from facegroup.photos import Found, Photo
from facegroup.settings import Settings
from facegroup.types import Floats

_BATCH = 32
_KEPT_EVERY = 16  # batches: what an interruption costs


def embeddings(photos: Sequence[Path], settings: Settings, told: Callable[[int], None] = lambda _: None) -> Floats:
    """Return the raw embedding, not normalised, of the face nearest to the middle of each photo.

    Args:
        photos: the files.
        settings: which network, on what, and where the cache is.
        told: is called with the number of photos that are done.

    Returns:
        (n, d) float32; a row of zeros where no face was found or the file is no photo (a failure to enrol or acquire).

    Raises:
        SetupError: the network is not to be had, or the cache cannot be written.
    """
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in photos]
    cache = _Cache(settings)
    missing = {key: path for key, path in zip(hashes, photos, strict=True) if key not in cache.rows}
    if missing:
        _embed(missing, settings, cache, lambda done: told(len(photos) - len(missing) + done))
    told(len(photos))
    return np.stack([cache.rows[key] for key in hashes])


def _embed(missing: dict[str, Path], settings: Settings, cache: "_Cache", told: Callable[[int], None]) -> None:
    embedder = open_embedder(settings)
    finder = open_finder(settings, embedder.spec)
    keys = list(missing)
    try:
        for number, start in enumerate(range(0, len(keys), _BATCH), 1):
            part = keys[start : start + _BATCH]
            found = finder.find([Photo(missing[key].read_bytes()) for key in part])
            cache.rows.update(dict.fromkeys(part, np.zeros(embedder.spec.dimension, np.float32)))
            crops = {
                key: each.crops[central(each.faces, each.width, each.height)]
                for key, each in zip(part, found, strict=True)
                if isinstance(each, Found) and len(each.faces)
            }
            if crops:
                cache.rows.update(zip(crops, embedder.engine.run(np.stack(list(crops.values()))), strict=True))
            if number % _KEPT_EVERY == 0:
                cache.keep()
            told(start + len(part))
    finally:
        finder.close()
    cache.keep()


class _Cache:
    """The rows that are known; the file's name says what made them."""

    def __init__(self, settings: Settings) -> None:
        made_by = (settings.network, *projection.tag(settings), *_arithmetic(settings))
        self._path = settings.cache_dir / "evaluation" / f"{'-'.join(made_by)}.npz"
        self.rows = self._read()

    def keep(self) -> None:
        """Write all rows, with those that another process has written meanwhile."""
        rows = {**self._read(), **self.rows}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            made, name = tempfile.mkstemp(suffix=".npz", dir=self._path.parent)
            os.close(made)
            np.savez(name, photos=np.array(list(rows)), embeddings=np.stack(list(rows.values())))
            Path(name).rename(self._path)
        except OSError as error:
            raise InvalidSettings(f"cache_dir: {self._path.parent} cannot be written: {error}") from error

    def _read(self) -> dict[str, Floats]:
        if not self._path.is_file():
            return {}
        with np.load(self._path, allow_pickle=False) as kept:
            return dict(zip(kept["photos"].tolist(), kept["embeddings"], strict=True))


def _arithmetic(settings: Settings) -> tuple[str, str]:
    """Return what else changes an embedding: how faces are found, and the precision of the network."""
    finder, embedder = settings.detector, settings.embedder
    face = f"{finder.engine}-{finder.precision}-{finder.min_face_size}px"
    return face, f"{embedder.engine}-{embedder.precision}"
