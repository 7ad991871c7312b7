"""Read a YAML file that describes a detector of one's own, of YuNet's form."""

from dataclasses import replace
from pathlib import Path, PurePath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from facegroup.detection.detector import MTCNN, ConfidenceScale
from facegroup.detection.yunet_spec import YUNET, YUNET_N, YunetSpec
from facegroup.errors import InvalidSettings
from facegroup.networks.description import NAME, DescribedFile, Number, Three, problems, read_mapping
from facegroup.networks.spec import ONNX, WeightsFile


class DetectorDescription(BaseModel):
    """What a YAML file says about a detector."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field("", description="name in answers and samples; if empty, that of the YAML file")
    files: tuple[DescribedFile, ...] = Field(
        min_length=1, max_length=64, description="the ONNX file first, then all files that it needs"
    )
    channels: Literal["RGB", "BGR"] = Field("BGR", description="channel order of its input")
    mean: Three = Field((0.0, 0.0, 0.0), description="subtracted from each pixel: one number or three")
    scale: Three = Field((1.0, 1.0, 1.0), description="divides each pixel after that: one number or three")
    min_confidence: Number = Field(ge=0, lt=1, description="least confidence of a face in an answer")
    licence: str = Field(
        min_length=1, max_length=4000, description="licence of the weights, as their publisher states it"
    )

    @field_validator("scale")
    @classmethod
    def _divides(cls, given: tuple[float, float, float]) -> tuple[float, float, float]:
        if min(given) < 1e-6:
            raise ValueError("should be above 0")
        return given

    @field_validator("files")
    @classmethod
    def _are_onnx(cls, given: tuple[DescribedFile, ...]) -> tuple[DescribedFile, ...]:
        if not given[0].file.lower().endswith(ONNX):
            raise ValueError(f"the first file should be {ONNX}; it is {given[0].file[-40:]!r}")
        if len({PurePath(each.file).name for each in given}) < len(given):
            raise ValueError("two files have the same name")
        return given


def read(path: Path) -> tuple[YunetSpec, tuple[WeightsFile, ...]]:
    """Return the detector that a YAML file describes, and its files.

    Raises:
        InvalidSettings: the file is missing or unreadable, is not YAML, or a value in it is missing, unknown or wrong.
    """
    given = read_mapping(path, "detector.model", "docs/detectors.md")
    try:
        described = DetectorDescription.model_validate(dict(given))
    except ValidationError as error:
        raise InvalidSettings(f"{path}: {problems(error, DetectorDescription)}") from error
    name = described.name or path.stem
    if not NAME.fullmatch(name) or name in (MTCNN, YUNET):
        raise InvalidSettings(
            f"{path}: name: should be 1 to 64 of a-z, 0-9, '.', '_' and '-', and begin with a letter or digit, and not be "
            f"{MTCNN} or {YUNET}; it is {name[:64]!r}"
        )
    spec = YunetSpec(
        name=name,
        scale=_scale(described.min_confidence),
        channels=described.channels,
        mean=described.mean,
        divisor=described.scale,
        licence=described.licence,
        source=str(path.absolute()),
    )
    return spec, tuple(WeightsFile(each.file, each.url, each.bytes, each.sha256) for each in described.files)


def _scale(least: float) -> ConfidenceScale:
    """Return YuNet's scale, stretched to another least confidence."""
    first, (most, _) = YUNET_N.scale.least, YUNET_N.scale.points[-1]
    highest = max(most, least + (1 - least) / 2)
    stretched = tuple(
        (least + (own - first) * (highest - least) / (most - first), same) for own, same in YUNET_N.scale.points
    )
    return replace(YUNET_N.scale, least=least, points=stretched)
