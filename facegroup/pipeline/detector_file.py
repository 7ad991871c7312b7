"""Find the file of the detector that the settings choose, or download it, and verify it."""

from pathlib import Path

from facegroup.detection.detector import MTCNN
from facegroup.detection.yunet_anchors import OUTPUTS, WIDTHS
from facegroup.detection.yunet_spec import YUNET, YUNET_N, YunetSpec
from facegroup.errors import InvalidSettings, WeightsInvalid
from facegroup.networks import onnx_file, weights
from facegroup.networks.simulated import NAME as SIMULATED
from facegroup.networks.spec import WeightsFile
from facegroup.pipeline import detector_description
from facegroup.settings import Settings

YUNET_FILE = WeightsFile(
    "yunet_n_dynamic.onnx",
    "https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/0047ac24afb1a50a0c6105001c89d1b5b805dbf1/onnx/"
    "yunet_n_dynamic.onnx",
    bytes=322_906,
    sha256="104ee26c71d5c270ce79a6b3dced91c91013260d29a6bf18f9296c5b8c4c2b12",
)


def fetched(settings: Settings) -> tuple[YunetSpec, Path]:
    """Return the detector of the settings, which is not MTCNN, and its verified ONNX file, downloading what is missing.

    Raises:
        InvalidSettings: the YAML file that describes it is missing or wrong.
        WeightsMissing: a file is missing and cannot be downloaded.
        WeightsInvalid: a file is not the published one, or not of YuNet's form.
    """
    model = settings.detector.model
    if model == YUNET:
        return YUNET_N, weights.fetch_files((YUNET_FILE,), YUNET, settings)[0]
    spec, files = detector_description.read(Path(model))
    paths = weights.fetch_files(files, spec.name, settings, spec.source)
    check_form(paths)
    return spec, paths[0]


def name(settings: Settings) -> str:
    """Return the name of the detector of the settings, as in answers, or "" if its YAML file cannot be read here.

    Nothing is opened: the process of the galleries has no detector, and may run on another machine.
    """
    wanted = settings.detector
    if wanted.engine == SIMULATED:
        return SIMULATED
    if wanted.model in (MTCNN, YUNET):
        return wanted.model
    try:
        return detector_description.read(Path(wanted.model))[0].name
    except InvalidSettings:
        return ""


def check_form(paths: tuple[Path, ...]) -> None:
    """Refuse an ONNX file that has not one input for images of any size, and the outputs of YuNet.

    Args:
        paths: the ONNX file, and the further files with its weights.

    Raises:
        WeightsInvalid: it has not.
    """
    file = onnx_file.inspect(paths[0])
    onnx_file.check_external(file, paths[1:])
    if len(file.inputs) != 1:
        names = ", ".join(file.inputs) or "none"
        raise WeightsInvalid(f"{file.path} has {len(file.inputs)} inputs ({names}). A detector has one, the images.")
    (shape,) = file.inputs.values()
    if len(shape) != 4 or shape[1] not in (3, None) or any(side is not None for side in (shape[0], *shape[2:])):
        written = ", ".join("?" if side is None else str(side) for side in shape)
        raise WeightsInvalid(
            f"{file.path} takes images of shape ({written}). It should be (?, 3, ?, ?): any number of images, of any size. "
            "Export it with dynamic axes for batch, height and width."
        )
    missing = [name for name in OUTPUTS if name not in file.outputs]
    if missing:
        raise WeightsInvalid(
            f"{file.path} has no output {', '.join(missing)}; it has {', '.join(list(file.outputs)[:12]) or 'none'}. A "
            f"detector of YuNet's form has {', '.join(f'{part} (n, anchors, {width})' for part, width in WIDTHS.items())}, "
            "each for the strides _8, _16 and _32."
        )
