"""List the networks that facegroup supports, by name, without loading any.

A gallery keeps its network for life, so a name never changes its meaning: other weights or another crop need another name.
"""

from importlib.util import find_spec

from facegroup.errors import SetupError, UnknownNetwork
from facegroup.networks import projection
from facegroup.networks.spec import NetworkSpec, WeightsFile
from facegroup.settings import Settings

_RELEASE = "https://github.com/rcmalli/keras-vggface/releases/download/v2.0/"
_ZOO = (
    "https://storage.openvinotoolkit.org/repositories/open_model_zoo/2023.0/models_bin/1/"
    "face-reidentification-retail-0095/FP16/"
)

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
    )
}
"""All networks by name, the default first."""


def spec(name: str, settings: Settings | None = None) -> NetworkSpec:
    """Return the network of that name.

    Args:
        name: such as ``retail-0095``, or ``retail-0095+mygroup`` for a learned projection.
        settings: the settings with the folders of projections; None finds no projection.

    Raises:
        UnknownNetwork: no network has this name; the message lists the choices.
        WeightsInvalid: it is a projection, and its files are damaged.
    """
    base = SPECS.get(name.partition(projection.JOINT)[0])
    if base is None or (settings is None and name != base.name):
        raise UnknownNetwork(f"Unknown network {name!r}. Choose one of {', '.join(SPECS)}.")
    if settings is None or name == base.name:
        return base
    return projection.read(name, base, settings).spec


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
