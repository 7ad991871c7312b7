"""List the weights of the liveness detectors, without loading one."""

from facegroup.networks.spec import WeightsFile

_COMMIT = "c175efef505bc275f7835cc9aa2aecab305ac184"
_URL = f"https://raw.githubusercontent.com/yakhyo/face-anti-spoofing/{_COMMIT}/weights/"

FILES: dict[str, tuple[WeightsFile, ...]] = {
    "none": (),
    "minifasnet": (
        WeightsFile(
            "MiniFASNetV2.onnx",
            _URL + "MiniFASNetV2.onnx",
            bytes=1_743_561,
            sha256="4eed38f0bde33c9b805942a5f25e42ce1161e2bda545254be622be957727794e",
        ),
        WeightsFile(
            "MiniFASNetV1SE.onnx",
            _URL + "MiniFASNetV1SE.onnx",
            bytes=1_742_315,
            sha256="d819a69bac6b9ade2a0f4d9b60b618e1260f7bf3ba1fddff6c5d82131cb1083f",
        ),
    ),
}
"""The weights of each model (Apache-2.0), in the order of `facegroup.liveness.minifasnet.SCALES`."""
