"""Look into an ONNX file before any engine does, and say clearly what is wrong with it.

Only the file's structure is read: its opset, inputs, outputs, and which further files hold its weights. No operator runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from facegroup.errors import WeightsInvalid
from facegroup.networks.description import refuse_pickle
from facegroup.networks.spec import NetworkSpec

OPSETS = range(7, 29)
"""Opsets of the standard operators that OpenVINO and ONNX Runtime both read."""

_PICKLE = (
    "a Python pickle, which runs code when it is read. It is never read. Export the network with torch.onnx.export"
)
_FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    *((0, b"\x80" + bytes([protocol]), _PICKLE) for protocol in range(2, 6)),
    (0, b"PK\x03\x04", f"a ZIP archive, as PyTorch's .pth files are: {_PICKLE}"),
    (0, b"\x89HDF", "an HDF5 file of Keras. Convert it to ONNX with tf2onnx"),
    (4, b"TFL3", "a TensorFlow Lite file. Convert it to ONNX with tf2onnx"),
    (0, b"\x1f\x8b", "compressed. Unpack it first"),
    (0, b"GGUF", "a GGUF file. Export the network to ONNX"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself. Run: git lfs pull"),
    (0, b"<", "a web page or XML, not the file itself. Download it again"),
    (8, b'{"', "a safetensors file, which has weights and no graph. Export the network to ONNX"),
)
_KINDS = {1: "float32", 10: "float16"}  # TensorProto.DataType
_QUANTISED = {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger"}
_NUMBERS = {1, 10, 11}  # float32, float16 and float64
_EXTERNAL = 1  # TensorProto.DataLocation

Layout = Literal["NCHW", "NHWC"]
Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """The structure of an ONNX file.

    Attributes:
        path: the file.
        opset: opset of the standard operators.
        inputs: shape of each input by name; None is a dynamic dimension.
        kinds: type of each input by name, as in ONNX's TensorProto.
        outputs: shape of each output by name, of those that are floating-point numbers.
        others: names of the other outputs.
        external: paths of the files with its weights, as it names them, each with the least size that it needs.
    """

    path: Path
    opset: int
    inputs: dict[str, Shape]
    kinds: dict[str, int]
    outputs: dict[str, Shape]
    others: tuple[str, ...]
    external: dict[str, int]


@dataclass(frozen=True, slots=True)
class Fit:
    """How an ONNX file takes crops.

    Attributes:
        input: name of its input.
        half: whether it takes float16.
        layout: order of the input's dimensions.
        batch: crops in one inference, if the file fixes that; None if any number.
        output: name of the output with the descriptors.
    """

    input: str
    half: bool
    layout: Layout
    batch: int | None
    output: str


def refuse_foreign(path: Path) -> None:
    """Refuse a file that is something else than ONNX, by its name and its first bytes.

    Raises:
        WeightsInvalid: it is.
    """
    try:
        refuse_pickle(path.name)
    except ValueError as error:
        raise WeightsInvalid(f"{error}.") from error
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        raise WeightsInvalid(f"{path} is empty.")
    for offset, magic, what in _FOREIGN:
        if head[offset:].startswith(magic):
            raise WeightsInvalid(f"{path} is not ONNX but {what}.")


def inspect(path: Path) -> OnnxFile:
    """Return the structure of an ONNX file.

    Raises:
        WeightsInvalid: it is not ONNX, truncated, quantised, or of an opset that is not supported.
    """
    import onnx
    from google.protobuf.message import DecodeError

    refuse_foreign(path)
    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise WeightsInvalid(f"{path} is not ONNX, or it is truncated. Download or export it again.") from error
    if not model.ir_version or not model.graph.node:
        raise WeightsInvalid(f"{path} is not ONNX: it has no graph. Download or export it again.")
    standard = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if not standard or standard[0] not in OPSETS:
        said = f"of opset {standard[0]}" if standard else "without the standard operators"
        raise WeightsInvalid(
            f"{path} is {said}. Opsets {OPSETS[0]} to {OPSETS[-1]} are supported. Export it with opset_version=17."
        )
    if _QUANTISED & {each.op_type for each in model.graph.node}:
        raise WeightsInvalid(
            f"{path} is quantised already. Use the network's file in fp32, and set embedder.precision to int8."
        )
    constants = {each.name for each in model.graph.initializer}  # older files list them among the inputs
    inputs = [each for each in model.graph.input if each.name not in constants]
    return OnnxFile(
        path,
        standard[0],
        {each.name: _shape(each) for each in inputs},
        {each.name: each.type.tensor_type.elem_type for each in inputs},
        {each.name: _shape(each) for each in model.graph.output if each.type.tensor_type.elem_type in _NUMBERS},
        tuple(each.name for each in model.graph.output if each.type.tensor_type.elem_type not in _NUMBERS),
        _external(model.graph),
    )


def check_external(file: OnnxFile, beside: tuple[Path, ...]) -> None:
    """Refuse a file whose weights are in further files that are missing, too short, or not among those given.

    Args:
        file: the ONNX file.
        beside: the network's other files, whose hashes are known.

    Raises:
        WeightsInvalid: they are.
    """
    for location, least in file.external.items():
        parts = PurePosixPath(location).parts
        if not parts or location.startswith("/") or ".." in parts or "\\" in location:
            raise WeightsInvalid(f"{file.path} has its weights in {location!r}, which is outside its folder.")
        path = file.path.parent / location
        if not path.is_file():
            raise WeightsInvalid(
                f"{file.path} has its weights in {location}, which is missing. Put it beside {file.path.name}."
            )
        if not any(path.samefile(other) for other in beside):
            raise WeightsInvalid(
                f"{file.path} has its weights in {location}, which is not among the network's files. Add it."
            )
        if (size := path.stat().st_size) < least:
            raise WeightsInvalid(f"{path} has {size:,} bytes, and {file.path.name} needs {least:,}. Download it again.")


def checked(spec: NetworkSpec, files: tuple[Path, ...]) -> Fit:
    """Return how the first of a network's files takes its crops, after checking everything that needs no engine.

    Raises:
        WeightsInvalid: it is not ONNX, of another opset, incomplete, or does not fit the network.
    """
    found = inspect(files[0])
    check_external(found, files[1:])
    return fit(found, spec)


def fit(file: OnnxFile, spec: NetworkSpec) -> Fit:
    """Return how an ONNX file takes the crops of a network.

    Raises:
        WeightsInvalid: it has not one input, an input of another shape or type, or no output of the network's dimension.
    """
    if len(file.inputs) != 1:
        names = ", ".join(file.inputs) or "none"
        raise WeightsInvalid(
            f"{file.path} has {len(file.inputs)} inputs ({names}). A network of faces has one, the crop."
        )
    ((name, shape),) = file.inputs.items()
    kind = file.kinds[name]
    if kind not in _KINDS:
        raise WeightsInvalid(
            f"{file.path} takes numbers of type {_kind(kind)}. Export it with float32 or float16 inputs."
        )
    layout = _layout(file, shape, spec)
    batch = shape[0]
    if batch is not None and not 1 <= batch <= 1024:
        raise WeightsInvalid(f"{file.path} takes batches of {batch}. Export it with a dynamic batch, or one of 1.")
    if batch is not None and spec.batch and batch != spec.batch:
        raise WeightsInvalid(f"{file.path} takes batches of {batch}, but batch is {spec.batch}. Set batch to 0.")
    return Fit(name, kind != 1, layout, batch, _output(file, spec))


def numbers(file: OnnxFile) -> list[int | None]:
    """Return how many numbers each output has for a crop; None if the file does not say."""
    return [_numbers(shape) for shape in file.outputs.values()]


def _layout(file: OnnxFile, shape: Shape, spec: NetworkSpec) -> Layout:
    size = spec.size
    layouts: dict[Layout, Shape] = {"NCHW": (None, 3, size, size), "NHWC": (None, size, size, 3)}
    for layout, wanted in layouts.items():
        pairs = zip(shape, wanted, strict=False)
        if len(shape) == len(wanted) and all(None in (have, want) or have == want for have, want in pairs):
            return layout
    hint = ""
    sides = {each for each in shape[1:] if each not in (None, 1, 3)}
    if len(shape) == 4 and 3 in shape[1:] and len(sides) == 1:
        hint = f" Set size to {sides.pop()}, with a template of that size."
    raise WeightsInvalid(
        f"{file.path} takes crops of shape {_written(shape)}, but {spec.name} cuts out (n, 3, {size}, {size}).{hint}"
    )


def _output(file: OnnxFile, spec: NetworkSpec) -> str:
    known = {name: _numbers(shape) for name, shape in file.outputs.items()}
    fitting = [name for name, numbers in known.items() if numbers == spec.dimension]
    unknown = [name for name, numbers in known.items() if numbers is None]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and len(unknown) == 1:
        return unknown[0]  # the engine finds out, and checks it again
    written = [f"{name} {_written(shape)}" for name, shape in file.outputs.items()]
    shapes = ", ".join([*written, *(f"{name}, of another type" for name in file.others)]) or "none"
    if len(fitting) > 1:
        raise WeightsInvalid(
            f"{file.path} has several outputs of {spec.dimension} numbers ({shapes}). Export it with one."
        )
    raise WeightsInvalid(
        f"{file.path} gives no {spec.dimension} numbers a face, as {spec.name} should (its outputs: {shapes}). Set "
        "dimension to what it gives."
    )


def _numbers(shape: Shape) -> int | None:
    total = 1
    for each in shape[1:]:
        if each is None:
            return None
        total *= each
    return total if len(shape) > 1 else None


def _shape(value: Any) -> Shape:
    return tuple(
        each.dim_value if each.HasField("dim_value") and each.dim_value > 0 else None
        for each in value.type.tensor_type.shape.dim
    )


def _written(shape: Shape) -> str:
    return f"({', '.join('?' if each is None else str(each) for each in shape)})"


def _kind(kind: int) -> str:
    import onnx

    names = {number: name.lower() for name, number in onnx.TensorProto.DataType.items()}
    return str(names.get(kind, kind))


def _external(graph: Any) -> dict[str, int]:
    found: dict[str, int] = {}
    for tensor in _tensors(graph):
        if tensor.data_location != _EXTERNAL:
            continue
        says = {each.key: each.value for each in tensor.external_data}
        numbers = [says.get(key, "0") for key in ("offset", "length")]
        least = sum(int(each) for each in numbers if each.isdecimal())
        location = says.get("location", "")
        found[location] = max(found.get(location, 0), least)
    return found


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for each in (*((attribute.g,) if attribute.HasField("g") else ()), *attribute.graphs):
                yield from _tensors(each)
