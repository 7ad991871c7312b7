"""Find the file of a detector in the model folder or among the downloads, or download it, and verify it."""

from pathlib import Path

from facegroup.detection.yunet_spec import YunetSpec
from facegroup.errors import WeightsInvalid, WeightsMissing
from facegroup.networks import weights
from facegroup.networks.spec import WeightsFile
from facegroup.settings import Settings


def fetched(spec: YunetSpec, settings: Settings) -> Path:
    """Return the verified file of a detector, downloading it if it is missing.

    Raises:
        WeightsMissing: it is missing and cannot be downloaded.
        WeightsInvalid: it is not the published one.
    """
    file = WeightsFile(spec.file, spec.url, spec.bytes, spec.sha256)
    path = weights.find(file, spec.name, settings)
    if path is None:
        path = weights.downloads(settings) / spec.name / spec.file
        from facegroup.networks.download import Downloader  # and with it httpx and rich, which few processes need

        try:
            Downloader(file).to(path)
        except WeightsMissing as error:
            places = [settings.model_dir, weights.downloads(settings)] if settings.model_dir else [path.parent]
            raise WeightsMissing(
                f"The detector {spec.name} needs {spec.file} ({spec.bytes:,} bytes, sha256 {spec.sha256}), but the download "
                f"failed: {error.detail}. Download it from {spec.url} and put it into {' or '.join(map(str, places))}. "
                "Or set detector.model to mtcnn, which needs no download."
            ) from error
    elif spec.sha256 and (actual := weights.sha256(path)) != spec.sha256:
        raise WeightsInvalid(f"{path} has the sha256 {actual}, expected {spec.sha256}. Remove it or download it again.")
    return path
