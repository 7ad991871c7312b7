"""Measure the whole pipeline in one process: photos per second, CPU seconds and memory, for facegroup and its peers.

Everything counts: reading the file, decoding, detection, descriptors, comparison with 20 people. Peers work photo by photo,
as they are used; facegroup takes half of the photos at once. Each runs in its own process, in turn, a peer for four photos
at a time. The fastest round of each part counts.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import weights
from benchmarks.peers import DEEPFACE, FACE_RECOGNITION, TENSORFLOW, Asked, NotToBeHad, interleaved, opened
from benchmarks.photos import mix
from benchmarks.plots import pipeline as draw
from benchmarks.report import Options, Report, cores, run

PRECISIONS = ("fp32", "bf16", "int8")
_YUNET = "and yunet,"
_MIXED = "int8, detector in bf16"
COURSE_WORK = "course work"
BY_DLIB = "face_recognition"
BY_DEEPFACE = "deepface"
_DEEPFACE_STEP = 4  # two seconds a photo
_SECONDS = 45
_AT_ONCE = 4  # photos of a peer, which takes them one by one

Answers = dict[str, dict[str, Any] | NotToBeHad]


def measure(options: Options) -> Report:
    """Run ours in every precision and the peers, in turn."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        photos = mix(Path(folder), *((8, 3) if options.quick else (40, 12)))
        file, called = weights.resnet50()
        ours, peers = _ours(file), _peers(file)
        answers: Answers = {}
        asked: dict[str, Asked] = {}
        paths = [str(path) for path in photos.paths]
        halves = [{"paths": paths[start::2], "batch": len(paths)} for start in range(2)]
        for name, (module, environment, arguments) in (ours | peers).items():
            try:
                worker = stack.enter_context(opened(module, environment, **arguments))
            except NotToBeHad as error:
                answers[name] = error
                continue
            theirs = paths[::_DEEPFACE_STEP] if name == BY_DEEPFACE else paths
            few = [{"paths": theirs[start : start + _AT_ONCE]} for start in range(0, len(theirs), _AT_ONCE)]
            asked[name] = (worker, "pipeline", halves if name in ours else few)
        answers |= interleaved(asked, 1 if options.quick else 2, _SECONDS)
    report = Report("pipeline: photos in, names out, in one process", [photos.says])
    figures = {name: _figures(answer) for name, answer in answers.items() if isinstance(answer, dict)}
    _speed(report, answers, {name: rate for name, (rate, _, _) in figures.items()}, called)
    _costs(report, figures)
    if options.plots:
        draw(options.plots, figures)
    found = {name: answer["faces"] for name, answer in answers.items() if isinstance(answer, dict)}
    report.says.append("faces found: " + ", ".join(f"{name} {count}" for name, count in found.items()))
    report.says.append(f"threads: ours {cores()}, each peer's own default; vggface2-resnet50: {called} for all")
    report.says.append("deepface: mtcnn and VGG-Face with random weights; face_recognition: HOG, its own weights")
    return report


def _ours(file: Path) -> dict[str, Any]:
    def arguments(network: str, folder: Path, precision: str, **more: str) -> tuple[str, None, dict[str, Any]]:
        given = {"network": network, "precision": precision, "threads": cores(), "model_dir": str(folder)}
        return "ours", None, given | weights.calibration(precision) | more

    systems = {f"{weights.RESNET50} {each}": arguments(weights.RESNET50, file.parent, each) for each in PRECISIONS}
    systems[f"{weights.RESNET50} {_MIXED}"] = arguments(weights.RESNET50, file.parent, "int8", detector="bf16")
    folder = weights.retail()
    if folder is not None:
        systems |= {f"{weights.RETAIL} {each}": arguments(weights.RETAIL, folder, each) for each in PRECISIONS}
        for precision, detector in (("fp32", "fp32"), ("bf16", "bf16"), ("int8", "bf16")):
            given = arguments(weights.RETAIL, folder, precision, detector=detector, model="yunet")
            given[2]["model_dir"] = weights.model_dir()
            said = precision if precision == detector else f"{precision}, detector in {detector}"
            systems[f"{weights.RETAIL} {_YUNET} {said}"] = given
    return systems


def _peers(file: Path) -> dict[str, Any]:
    return {
        COURSE_WORK: ("course_work", TENSORFLOW, {"weights": str(file)}),
        BY_DLIB: ("dlib_faces", FACE_RECOGNITION, {}),
        BY_DEEPFACE: ("deepface_represent", DEEPFACE, {}),
    }


def _speed(report: Report, answers: Answers, rates: dict[str, float], called: str) -> None:
    without = {name: rate for name, rate in rates.items() if _YUNET not in name}
    judged = {_best(without, network) for network in (weights.RESNET50, weights.RETAIL)}
    judged.add(_best({name: rate for name, rate in rates.items() if _YUNET in name}, weights.RETAIL))
    for name, answer in answers.items():
        if isinstance(answer, NotToBeHad):
            report.absent(name, str(answer))
            continue
        if name in (COURSE_WORK, BY_DLIB, BY_DEEPFACE):
            of = ", every fourth photo" if name == BY_DEEPFACE else ""
            report.add(f"{name}, photo by photo{of}", rates[name], "images/s")
            continue
        network, precision = name.split(maxsplit=1)
        peer, least = (COURSE_WORK, 12) if network == weights.RESNET50 else (BY_DLIB, 20 if _YUNET in name else 8)
        report.add(
            f"{network} ({called if network == weights.RESNET50 else 'released weights'}), {precision}",
            rates[name],
            "images/s",
            against=peer,
            base=rates.get(peer),
            least=least if name in judged else None,
        )
    course = answers.get(COURSE_WORK)
    if isinstance(course, dict):
        report.add(f"{COURSE_WORK}, with one predict a photo", course["images"] / course["by_photo"], "images/s")
    if weights.retail() is None:
        report.absent(weights.RETAIL, "its weights are not here")


def _best(rates: dict[str, float], network: str) -> str:
    """Return the fastest with bf16 or int8, or fp32 if neither is supported."""
    names = [name for name in rates if name.startswith(network)]
    return max([name for name in names if "fp32" not in name] or names, key=rates.__getitem__, default="")


def _figures(answer: dict[str, Any]) -> tuple[float, float, float]:
    """Return images a second, CPU seconds an image, and MB at the most."""
    return answer["images"] / answer["seconds"], answer["cpu"] / answer["images"], answer["peak_mb"]


def _costs(report: Report, figures: dict[str, tuple[float, float, float]]) -> None:
    for name, (_, cpu, _) in figures.items():
        report.add(f"{name}: CPU time", cpu, "s/image")
    for name, (_, _, peak) in figures.items():
        report.add(f"{name}: peak memory of the process", peak, "MB")


if __name__ == "__main__":
    run(measure)
