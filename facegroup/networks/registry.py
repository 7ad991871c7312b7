"""List the networks that facegroup supports, by name, without loading any.

A gallery keeps its network for life, so a name never changes its meaning: other weights or another crop need another name.
"""

from importlib.util import find_spec
from pathlib import Path

from facegroup.errors import InvalidSettings, SetupError, UnknownNetwork
from facegroup.networks import added, description, projection
from facegroup.networks.crop_templates import CROP_TEMPLATES
from facegroup.networks.spec import NetworkSpec, WeightsFile
from facegroup.settings import Settings

_RELEASE = "https://github.com/rcmalli/keras-vggface/releases/download/v2.0/"
_ZOO = (
    "https://storage.openvinotoolkit.org/repositories/open_model_zoo/2023.0/models_bin/1/"
    "face-reidentification-retail-0095/FP16/"
)
_OPENCV_ZOO = (
    "https://github.com/opencv/opencv_zoo/raw/47534e27c9851bb1128ccc0102f1145e27f23f98/models/face_recognition_sface/"
)
_AURAFACE = "https://huggingface.co/fal/AuraFace-v1/resolve/af6d057c9b0ec4071d4c49c80e3539258798b609/"
_SFACE, _ARCFACE = CROP_TEMPLATES["sface112"], CROP_TEMPLATES["arcface112"]

# keras_vggface.utils.preprocess_input, versions 1 and 2, in the order B, G, R.
_MEAN_1 = (93.5940, 104.7624, 129.1863)
_MEAN_2 = (91.4953, 103.8827, 131.0912)

_COURSE_WORK = (
    "the course work's 0.4 on the cosine similarity, not calibrated on these weights, which were not available"
)
# ox-vgg/vgg_face2: MTCNN's box extended by a factor 0.3, its aspect kept; docs/decisions/0011-crop-and-alignment.md.
_VGGFACE2_MARGIN = 0.3
_VGGFACE2_LICENCE = (
    "keras-vggface states no licence of its own for its converted weights: its code is MIT, and it refers to the "
    "original models' licences. Those are Oxford VGG's VGGFace2 models; the data set is published under CC BY-SA 4.0, "
    "for research. Ask before commercial use."
)
_VGGFACE_LICENCE = (
    "keras-vggface: the original VGGFace models can be used for non-commercial research purposes under a Creative "
    "Commons Attribution licence; its own code is MIT."
)

PACKAGES: dict[str, tuple[str, ...]] = {"dlib": ("dlib", "face_recognition_models")}
"""The modules that each extra of the distribution installs."""

SPECS: dict[str, NetworkSpec] = {
    spec.name: spec
    for spec in (
        NetworkSpec(
            name="vggface2-resnet50",
            title="ResNet-50 of keras-vggface, trained on VGGFace2",
            dimension=2048,
            crop="box",
            size=224,
            channels="BGR",
            mean=_MEAN_2,
            threshold=0.4,
            threshold_source=_COURSE_WORK,
            engines=("openvino", "keras"),
            weights=(
                WeightsFile(
                    "rcmalli_vggface_tf_notop_resnet50.h5",
                    _RELEASE + "rcmalli_vggface_tf_notop_resnet50.h5",
                    bytes=94_694_792,
                ),
            ),
            licence=_VGGFACE2_LICENCE,
            margin=_VGGFACE2_MARGIN,
            framed=True,
        ),
        NetworkSpec(
            name="vggface2-senet50",
            title="SE-ResNet-50 of keras-vggface, trained on VGGFace2",
            dimension=2048,
            crop="box",
            size=224,
            channels="BGR",
            mean=_MEAN_2,
            threshold=0.4,
            threshold_source=_COURSE_WORK,
            engines=("openvino", "keras"),
            weights=(
                WeightsFile("rcmalli_vggface_tf_notop_senet50.h5", _RELEASE + "rcmalli_vggface_tf_notop_senet50.h5"),
            ),
            licence=_VGGFACE2_LICENCE,
            margin=_VGGFACE2_MARGIN,
            framed=True,
        ),
        NetworkSpec(
            name="vggface-vgg16",
            title="VGG16 of keras-vggface, trained on VGGFace (2015), pooled",
            dimension=512,
            crop="box",
            size=224,
            channels="BGR",
            mean=_MEAN_1,
            threshold=0.4,
            threshold_source=_COURSE_WORK,
            engines=("openvino", "keras"),
            weights=(WeightsFile("rcmalli_vggface_tf_notop_vgg16.h5", _RELEASE + "rcmalli_vggface_tf_notop_vgg16.h5"),),
            licence=_VGGFACE_LICENCE,
        ),
        NetworkSpec(
            name="retail-0095",
            title="face-reidentification-retail-0095 of the Open Model Zoo: small, for CPUs",
            dimension=256,
            crop="five_point",
            size=128,
            channels="BGR",
            mean=(0.0, 0.0, 0.0),
            threshold=0.43,
            threshold_source=(
                "LFW, galleries of 10, 30 and 100 people with three photos each: of 2,942 strangers 0.1, 0.4 and 1.3 % are "
                "named, and 99.6, 99.5 and 99.4 % of the members' other photos (docs/decisions/0009-calibration.md)"
            ),
            engines=("openvino",),
            weights=(
                WeightsFile(
                    "face-reidentification-retail-0095.xml",
                    _ZOO + "face-reidentification-retail-0095.xml",
                    bytes=350_427,
                    sha256="ce53d2c9c08c0bd1c1660fb8a5b6d0e3e4ec19eb92f1036d2d83a85e83082dce",
                ),
                WeightsFile(
                    "face-reidentification-retail-0095.bin",
                    _ZOO + "face-reidentification-retail-0095.bin",
                    bytes=2_213_628,
                    sha256="241229ca3d206321868d46ce74a3c0b06c49cea58db7dc70b2e842ff287545d1",
                ),
            ),
            licence="Apache-2.0 (Open Model Zoo)",
            cohort_threshold=0.18,  # docs/decisions/0022-cohort-decision.md
        ),
        NetworkSpec(
            name="dlib-resnet29",
            title="dlib_face_recognition_resnet_model_v1: needs only a package index",
            dimension=128,
            crop="dlib_chip",
            size=150,
            channels="RGB",
            mean=(0.0, 0.0, 0.0),
            threshold=0.943,
            threshold_source=(
                "LFW, galleries of 10, 30 and 100 people with three photos each: of 2,942 strangers 0.2, 0.8 and 2.2 % are "
                "named, and 96.5, 96.3 and 96.9 % of the members' other photos; 0.947 gives 1 % in 100 people "
                "(docs/decisions/0009-calibration.md)"
            ),
            engines=("dlib",),
            weights=(),
            licence="CC0 1.0 (Davis King, dlib-models)",
            extra="dlib",
        ),
        NetworkSpec(
            name="sface",
            title="SFace of OpenCV's model zoo, a MobileFaceNet",
            dimension=128,
            crop="five_point",
            size=112,
            channels="RGB",
            mean=_SFACE.mean,
            threshold=_SFACE.threshold,
            threshold_source=_SFACE.threshold_source,
            engines=("openvino", "onnxruntime"),
            weights=(
                WeightsFile(
                    "face_recognition_sface_2021dec.onnx",
                    _OPENCV_ZOO + "face_recognition_sface_2021dec.onnx",
                    bytes=38_696_353,
                    sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
                ),
            ),
            licence="Apache-2.0 (opencv_zoo, models/face_recognition_sface)",
            points=_SFACE.points,
        ),
        NetworkSpec(
            name="auraface-v1",
            title="AuraFace v1 of fal, a ResNet-100 trained with ArcFace's loss on data for commercial use",
            dimension=512,
            crop="five_point",
            size=112,
            channels="RGB",
            mean=_ARCFACE.mean,
            threshold=_ARCFACE.threshold,
            threshold_source=_ARCFACE.threshold_source,
            engines=("openvino", "onnxruntime"),
            weights=(
                WeightsFile(
                    "glintr100.onnx",
                    _AURAFACE + "glintr100.onnx",
                    bytes=260_694_211,
                    sha256="a7933ea5330113b01c9b60351d8f4c33003f145d8470ac5f0e52ee2effe25c60",
                ),
            ),
            licence="Apache-2.0 (fal/AuraFace-v1; only for glintr100.onnx: other files of that folder are InsightFace's)",
            scale=_ARCFACE.scale,
            points=_ARCFACE.points,
        ),
    )
}
"""All networks by name, the default first."""


def spec(name: str, settings: Settings | None = None) -> NetworkSpec:
    """Return the network of that name.

    Args:
        name: such as ``retail-0095``, ``retail-0095+mygroup`` for a learned projection, the name of a network that
            `facegroup networks add` added, or the path of a YAML file (`description`).
        settings: the settings with the folders of projections and of added networks; None finds neither.

    Raises:
        UnknownNetwork: no network has this name; the message lists the choices.
        InvalidSettings: it is a YAML file that cannot be used, or one that takes the name of another network.
        WeightsInvalid: it is a projection, and its files are damaged.
    """
    if description.is_path(name):
        return _described(Path(name))
    base = name.partition(projection.JOINT)[0]
    found = SPECS.get(base) or (settings and _own(base, settings))
    if not found or (settings is None and name != found.name):
        raise UnknownNetwork(
            f"Unknown network {name!r}. Choose one of {', '.join([*SPECS, *(added.names(settings) if settings else ())])}, "
            "or give the path of a YAML file (docs/networks.md)."
        )
    return found if settings is None or name == found.name else projection.read(name, found, settings).spec


def own(settings: Settings) -> tuple[list[NetworkSpec], list[SetupError]]:
    """Return the networks that were added (`added`), sorted by name, and the errors of those that cannot be used."""
    specs: list[NetworkSpec] = []
    damaged: list[SetupError] = []
    for name in added.names(settings):
        try:
            specs.append(spec(name, settings))
        except SetupError as error:
            damaged.append(error)
    return specs, damaged


def _own(name: str, settings: Settings) -> NetworkSpec | None:
    """Return the network of one's own that has this name: the one in use, or an added one."""
    if description.is_path(settings.network) and (used := _described(Path(settings.network))).name == name:
        return used
    path = added.find(name, settings)
    if path is None:
        return None
    if (found := _described(path)).name != name:
        raise InvalidSettings(f"{path} describes {found.name}. Name the file {found.name}.yaml, or set name: {name}.")
    return found


def _described(path: Path) -> NetworkSpec:
    found = description.read(path)
    if found.name in SPECS:
        raise InvalidSettings(
            f"{path}: {found.name} is the name of a network that ships with facegroup. Set another name."
        )
    return found


def learned(settings: Settings) -> tuple[list[NetworkSpec], list[SetupError]]:
    """Return the installed projections sorted by name, and the errors of those that cannot be used."""
    specs: list[NetworkSpec] = []
    damaged: list[SetupError] = []
    for name in projection.names(settings):
        try:
            specs.append(spec(name, settings))
        except SetupError as error:
            damaged.append(error)
    return specs, damaged


def installed(spec: NetworkSpec) -> bool:
    """Return whether the packages of the network's extra are installed, without importing them."""
    return all(find_spec(module) is not None for module in PACKAGES.get(spec.extra, ()))
