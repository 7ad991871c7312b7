"""Read a YAML file that describes a network of one's own, and return it as a `NetworkSpec`.

Only the YAML file is read here, not the network's files. `networks/weights.py` finds those, and `networks/onnx_file.py`
looks into them.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    field_validator,
    model_validator,
)

from facegroup.errors import InvalidSettings
from facegroup.networks.crop_templates import CROP_TEMPLATES, Template
from facegroup.networks.spec import NetworkSpec, WeightsFile

SUFFIXES = (".yaml", ".yml")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
PICKLES = (".pth", ".pt", ".pkl", ".pickle", ".ckpt", ".pth.tar", ".joblib")
"""Files of Python objects. Reading one runs whatever code it holds, so none is ever read."""

_MOST_BYTES = 64 << 10
_PLAIN = re.compile(r"[\w.-]+")

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


def _three(given: Any) -> Any:
    return [given] * 3 if isinstance(given, int | float) and not isinstance(given, bool) else given


def _lower(given: Any) -> Any:
    return given.lower() if isinstance(given, str) else given


Three = Annotated[tuple[Number, Number, Number], BeforeValidator(_three)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class DescribedFile(_Part):
    """One file of the network: on this machine, or at a URL with its hash."""

    file: str = Field(min_length=1, description="path from the YAML file's folder; with a URL, a plain file name")
    url: str = Field("", description="https:// address of the file; needs sha256")
    sha256: Annotated[str, BeforeValidator(_lower)] = Field("", pattern=r"^([0-9a-f]{64})?$")
    bytes: StrictInt = Field(0, ge=0, description="its size; 0 checks none")

    @field_validator("file")
    @classmethod
    def _is_no_pickle(cls, given: str) -> str:
        refuse_pickle(given)
        if "\x00" in given:
            raise ValueError("should be a path")
        return given

    @model_validator(mode="after")
    def _is_whole(self) -> "DescribedFile":
        if not self.url:
            return self
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url should be an https:// address")
        if not self.sha256:
            raise ValueError("a file with a url needs its sha256")
        if not _PLAIN.fullmatch(self.file) or self.file in (".", ".."):
            raise ValueError("file should be a plain file name if there is a url")
        return self


class Description(_Part):
    """What a YAML file says about a network. Everything that is left out comes from the template."""

    name: str = Field("", description="name in galleries and answers; if empty, that of the YAML file")
    title: str = Field("", description="one line about it")
    files: tuple[DescribedFile, ...] = Field(
        min_length=1,
        max_length=64,
        description="the ONNX file first, or an OpenVINO .xml, then all files that it needs",
    )
    template: Literal[tuple(CROP_TEMPLATES)] = Field(description="how faces are cut out")  # type: ignore[valid-type]
    size: StrictInt | None = Field(None, ge=16, le=1024, description="side of the crop in pixels")
    points: tuple[tuple[Number, Number], ...] | None = Field(
        None, description="left eye, right eye, nose tip, left and right mouth corner, in pixels of the crop"
    )
    margin: Number | None = Field(None, ge=0, le=4, description="share of its sides by which a box is extended")
    keep_aspect: StrictBool | None = Field(None, description="whether a box keeps its aspect")
    channels: Literal["RGB", "BGR"] | None = None
    mean: Three | None = Field(None, description="subtracted from each pixel: one number or three")
    scale: Three | None = Field(None, description="divides each pixel after that: one number or three")
    dimension: StrictInt = Field(ge=2, le=8192, description="dimension of its descriptors")
    threshold: Number | None = Field(None, ge=-1, le=1, description="default threshold of the cosine similarity")
    threshold_source: str = Field("", description="where that number comes from")
    batch: StrictInt = Field(0, ge=0, le=1024, description="most crops in one inference; 0 lets the file decide")
    licence: str = Field(
        min_length=1, max_length=4000, description="licence of the weights, as their publisher states it"
    )

    @field_validator("scale")
    @classmethod
    def _divides(cls, given: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
        if given is not None and min(given) < 1e-6:
            raise ValueError("should be above 0")
        return given

    @model_validator(mode="after")
    def _fits(self) -> "Description":
        template = CROP_TEMPLATES[self.template]
        size = self.size or template.size
        if template.points and (self.margin is not None or self.keep_aspect is not None):
            raise ValueError(f"margin and keep_aspect are for boxes, and {self.template} aligns by five points")
        if self.points is not None:
            _check_points(self.points, self.template, size)
        elif template.points and size % template.size:
            raise ValueError(
                f"size {size} is no multiple of the {template.size} of {self.template}. Choose another template, or give "
                "the five points in pixels of the crop"
            )
        first = self.files[0].file.lower()
        if not first.endswith((".onnx", ".xml")):
            raise ValueError(
                f"the first file should be .onnx, or .xml of OpenVINO with its .bin; it is {first[-40:]!r}"
            )
        if len({PurePath(each.file).name for each in self.files}) < len(self.files):
            raise ValueError("two files have the same name")
        weights = PurePath(self.files[0].file).with_suffix(".bin").name
        if first.endswith(".xml") and weights not in {PurePath(each.file).name for each in self.files}:
            raise ValueError(f"files should also have {weights}, the weights of the .xml")
        return self


def is_path(network: str) -> bool:
    """Return whether the setting `network` is the path of a YAML file, and not a name."""
    return network.lower().endswith(SUFFIXES)


def refuse_pickle(name: str) -> None:
    """Refuse a file that Python would run, by its name.

    Raises:
        ValueError: the name is that of a pickle.
    """
    if name.lower().endswith(PICKLES):
        raise ValueError(
            f"{PurePath(name).name} is a Python pickle, which runs code when it is read. It is never read. Export the "
            "network to ONNX with torch.onnx.export"
        )


def read(path: Path) -> NetworkSpec:
    """Return the network that a YAML file describes.

    Raises:
        InvalidSettings: the file is missing or unreadable, is not YAML, or a value in it is missing, unknown or wrong.
    """
    return parse(read_mapping(path, "network", "docs/networks.md"), path)


def read_mapping(path: Path, setting: str, page: str) -> Mapping[str, Any]:
    """Return the content of a YAML file that describes a network.

    Args:
        path: the file.
        setting: the setting that names it, for messages.
        page: the page that says what should be in it, for messages.

    Raises:
        InvalidSettings: the file is missing or unreadable, is not YAML, or has no keys.
    """
    try:
        if not path.is_file():
            raise InvalidSettings(
                f"{setting}: {path} is not a file. Give the path of a YAML file, or a network's name."
            )
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise InvalidSettings(f"{path} has more than {_MOST_BYTES:,} bytes. It does not describe a network.")
        given = yaml.load(data, _UniqueKeys)  # a SafeLoader
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise InvalidSettings(f"{path} cannot be read: {said[:300]}") from error
    if not isinstance(given, Mapping):
        raise InvalidSettings(f"{path} does not describe a network: it should have keys and values ({page}).")
    return given


def parse(given: Mapping[str, Any], path: Path) -> NetworkSpec:
    """Return the network that the content of the YAML file at `path` describes.

    Raises:
        InvalidSettings: a value is missing, unknown or wrong.
    """
    try:
        return _spec(Description.model_validate(dict(given)), path)
    except ValidationError as error:
        raise InvalidSettings(f"{path}: {problems(error, Description)}") from error
    except ValueError as error:
        raise InvalidSettings(f"{path}: {error}") from error


def _spec(described: Description, path: Path) -> NetworkSpec:
    name = described.name or path.stem
    if not NAME.fullmatch(name):
        raise ValueError(
            f"name: should be 1 to 64 of a-z, 0-9, '.', '_' and '-', and begins with a letter or digit; it is {name[:64]!r}"
        )
    template = CROP_TEMPLATES[described.template]
    size = described.size or template.size
    given = described.points
    points = template.points if given is None else tuple((x / size, y / size) for x, y in given)
    threshold, source = _threshold(described, template)
    return NetworkSpec(
        name=name,
        title=described.title or f"{described.files[0].file}, described by {path.name}",
        dimension=described.dimension,
        crop="five_point" if points else "box",
        size=size,
        channels=described.channels or template.channels,
        mean=template.mean if described.mean is None else described.mean,
        threshold=threshold,
        threshold_source=source,
        engines=("openvino", "onnxruntime") if described.files[0].file.lower().endswith(".onnx") else ("openvino",),
        weights=tuple(WeightsFile(each.file, each.url, each.bytes, each.sha256) for each in described.files),
        licence=described.licence,
        margin=template.margin if described.margin is None else described.margin,
        framed=template.keep_aspect if described.keep_aspect is None else described.keep_aspect,
        scale=template.scale if described.scale is None else described.scale,
        points=points,
        batch=described.batch,
        source=str(path.absolute()),
    )


def _threshold(described: Description, template: Template) -> tuple[float, str]:
    if described.threshold is None:
        return template.threshold, template.threshold_source
    return described.threshold, described.threshold_source or "the YAML file of the network"


def _check_points(points: tuple[tuple[float, float], ...], template: str, size: int) -> None:
    if not CROP_TEMPLATES[template].points:
        raise ValueError(f"points are for templates that align by five points, and {template} cuts the box out")
    if len(points) != len(TEMPLATE_POINTS):
        raise ValueError(f"points should be {len(TEMPLATE_POINTS)} pairs: {', '.join(TEMPLATE_POINTS)}")
    if not all(0 <= part <= size for point in points for part in point):
        raise ValueError(f"points should be in pixels of the crop, 0 to {size}")
    if points[1][0] - points[0][0] < size / 16:
        raise ValueError("points: the right eye should be right of the left eye, as seen in the picture")


TEMPLATE_POINTS = ("left eye", "right eye", "nose tip", "left mouth corner", "right mouth corner")


def problems(error: ValidationError, model: type[BaseModel]) -> str:
    """Return what is wrong with a description of this model, the first five problems in one line."""
    lines = []
    for problem in error.errors(include_url=False, include_input=False):
        where = ".".join(str(part) for part in problem["loc"])
        said = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            said = f"unknown key; known are {', '.join((DescribedFile if len(problem['loc']) > 1 else model).model_fields)}"
        lines.append(f"{where}: {said}" if where else said)
    return "; ".join(lines[:5])


class _UniqueKeys(yaml.SafeLoader):
    """YAML's own loader takes the last of two equal keys and says nothing."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key.value, str):
                raise ValueError("a key should be a word")
            if key.value in seen:
                raise ValueError(f"the key {key.value[:40]!r} is there twice")
            seen.add(key.value)
        return dict(super().construct_mapping(node, deep))
