"""Embed the central face of each photo, with a cache on disk.

The cache is one file per network in the user's cache folder, keyed by the photos' sha256. An interrupted run continues from
it. It has biometric data: delete `evaluation/` in the cache folder when the measurement is finished.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from facegroup.detection.detector import MTCNN
from facegroup.detection.yunet_spec import YUNET
from facegroup.errors import InvalidSettings, NoFace
from facegroup.evaluation import small_faces
from facegroup.evaluation.lfw import central
from facegroup.networks import projection, registry
from facegroup.networks.embedder import open_embedder
from facegroup.networks.fingerprint import fingerprint
from facegroup.pipeline import detector_file
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import Settings
from facegroup.types import Floats

ABSENT, UNREADABLE, UNUSABLE = "absent", "unreadable", "no_descriptor"
"""Codes of files without an embedding, in addition to those of `ImageError`: no file, unreadable, unusable embedding."""

_BATCH = 32
_KEPT_EVERY = 16  # batches; a crash loses at most these, an interruption nothing
_MADE_BY = (
    *("images/*.py", "detection/*.py", "pipeline/finder.py", "networks/alignment.py", "networks/*_engine.py"),
    "networks/pixels.py",
    "evaluation/small_faces.py",
)
"""Source files that an embedding depends on. If one has changed, everything is embedded again."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoEmbeddings:
    """The embeddings of some photos.

    Attributes:
        rows: (n, d) float32, raw, not normalised; zeros for a failure to enrol or acquire.
        codes: the code of each failure, such as `no_face`, or empty.
        hashes: sha256 of each file, or empty if it cannot be read.
    """

    rows: Floats
    codes: tuple[str, ...]
    hashes: tuple[str, ...]


def embed(
    photos: Sequence[Path],
    settings: Settings,
    told: Callable[[int], None] = lambda _: None,
    height: int | None = None,
) -> PhotoEmbeddings:
    """Embed the face nearest to the centre of each photo.

    Args:
        photos: the files. One that is missing, unreadable or not a photo counts as a failure and raises no error.
        settings: the settings with the network, its engine and the cache.
        told: called with the number of photos done.
        height: of the face in pixels, to which photos are scaled down (`small_faces`); None does not scale.

    Raises:
        SetupError: the network is not available, or the cache cannot be written.
    """
    hashes, codes = zip(*map(_hashed, photos), strict=True) if photos else ((), ())
    cache = _Cache(settings, height)
    missing = {key: path for key, path in zip(hashes, photos, strict=True) if key and key not in cache.rows}
    if missing:
        _embed(missing, settings, cache, height, lambda done: told(len(photos) - len(missing) + done))
    told(len(photos))
    none = np.zeros(registry.spec(settings.network, settings).dimension, np.float32)
    rows = [cache.rows[key] if key else none for key in hashes]
    why = [cache.codes[key] if key else code for key, code in zip(hashes, codes, strict=True)]
    return PhotoEmbeddings(np.stack([none, *rows])[1:], tuple(why), tuple(hashes))


def embeddings(photos: Sequence[Path], settings: Settings, told: Callable[[int], None] = lambda _: None) -> Floats:
    """Return `PhotoEmbeddings.rows` of `embed`."""
    return embed(photos, settings, told).rows


def _hashed(path: Path) -> tuple[str, str]:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest(), ""
    except FileNotFoundError:
        return "", ABSENT
    except (OSError, ValueError):
        return "", UNREADABLE


def _embed(
    missing: dict[str, Path], settings: Settings, cache: "_Cache", height: int | None, told: Callable[[int], None]
) -> None:
    embedder = open_embedder(settings)
    finder = open_finder(settings, embedder.spec)
    keys = list(missing)
    try:
        for number, start in enumerate(range(0, len(keys), _BATCH), 1):
            part = keys[start : start + _BATCH]
            photos = [missing[key].read_bytes() for key in part]
            photos = photos if height is None else small_faces.scaled(finder, photos, height)
            found = finder.find([Photo(data, liveness=False) for data in photos])
            crops, codes = {}, {}
            for key, each in zip(part, found, strict=True):
                if not isinstance(each, DetectedFaces):
                    codes[key] = each.code
                elif not len(each.faces):
                    codes[key] = NoFace.code
                else:
                    crops[key] = each.crops[central(each.faces, each.width, each.height)]
            cache.add(codes, np.zeros((len(codes), embedder.spec.dimension), np.float32), codes.values())
            if crops:
                rows = embedder.engine.run(np.stack(list(crops.values())))
                good = np.asarray(np.isfinite(rows).all(axis=1) & rows.any(axis=1), bool)
                rows = np.where(good[:, None], rows, np.float32(0))
                cache.add(crops, rows, np.where(good, "", UNUSABLE).tolist())
            if number % _KEPT_EVERY == 0:
                cache.keep()
            told(start + len(part))
    finally:
        finder.close()
        cache.keep()


class _Cache:
    """The cached rows; the file's name depends on everything that changes them."""

    def __init__(self, settings: Settings, height: int | None) -> None:
        spec = registry.spec(settings.network, settings)
        # Other bytes under the name of a network of one's own are another network.
        tag = (fingerprint(spec, settings)[:12],) if spec.source else projection.tag(settings)
        size = () if height is None else (f"faces-of-{height}px",)
        made_by = (spec.name, *tag, *_arithmetic(settings), *size)
        self._path = settings.cache_dir / "evaluation" / f"{'-'.join(made_by)}.npz"
        self.rows: dict[str, Floats] = {}
        self.codes: dict[str, str] = {}
        self._read()

    def add(self, keys: Iterable[str], rows: Floats, codes: Iterable[str]) -> None:
        """Add the rows and codes of some photos."""
        for key, row, code in zip(keys, rows, codes, strict=True):
            self.rows[key], self.codes[key] = row, code

    def keep(self) -> None:
        """Write all rows, including those that another process has written meanwhile."""
        self._read()
        if not self.rows:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            made, name = tempfile.mkstemp(suffix=".npz", dir=self._path.parent)
            os.close(made)
            keys = list(self.rows)
            codes = np.array([self.codes[key] for key in keys])
            np.savez(name, photos=np.array(keys), codes=codes, embeddings=np.stack([*self.rows.values()]))
            Path(name).rename(self._path)
        except OSError as error:
            raise InvalidSettings(f"cache_dir: {self._path.parent} cannot be written: {error}") from error

    def _read(self) -> None:
        """Read the rows on disk. A damaged file is deleted, since its content can be computed again."""
        if not self._path.is_file():
            return
        try:
            with self._path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                self.add(kept["photos"].tolist(), kept["embeddings"], kept["codes"].tolist())
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            self._path.unlink(missing_ok=True)


def _arithmetic(settings: Settings) -> tuple[str, str, str]:
    """Return cache keys for everything else that changes an embedding: detection, precision, and the source files."""
    finder, embedder = settings.detector, settings.embedder
    face = f"{finder.engine}-{finder.precision}-{finder.min_face_size}px"
    program = hashlib.sha256(f"{finder.model} {finder.min_confidence} {settings.limits.side_pixels}".encode())
    if finder.model not in (MTCNN, YUNET):
        spec, path = detector_file.fetched(settings)
        program.update(f"{spec}".encode() + path.read_bytes())
    if embedder.precision == "int8" and embedder.calibration is not None:
        program.update(str(embedder.calibration.absolute()).encode())
    for pattern in _MADE_BY:
        for file in sorted(Path(__file__).parents[1].glob(pattern)):
            program.update(file.read_bytes())
    return face, f"{embedder.engine}-{embedder.precision}", program.hexdigest()[:8]
