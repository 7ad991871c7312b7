"""Measure detection in decoded photos: photos per second at batches of 1 and 8, with MTCNN, YuNet and the mtcnn package.

Ours runs the same three networks with the same weights, in fp32 like the package, in bf16 and in int8. facenet-pytorch's
MTCNN is measured too, if torch can be installed. YuNet's CPU time is compared with that of our MTCNN in the same precision.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import weights
from benchmarks.peers import TENSORFLOW, TORCH, Asked, NotToBeHad, Worker, interleaved, opened
from benchmarks.photos import Photos, lfw, wider
from benchmarks.pipeline import PRECISIONS
from benchmarks.report import Options, Report, cores, run

PACKAGE = "the mtcnn package"
FACENET = "facenet-pytorch's MTCNN"
YUNET = ("fp32", "bf16")
_SECONDS = 40
_SHARE = 0.35
"""Most CPU time of YuNet, as a share of MTCNN's in the same precision, over large photos in batches of 8."""


def measure(options: Options) -> Report:
    """Run ours and the packages in turn, over small and large photos."""
    report = Report("detection: decoded photos in, faces and landmarks out")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        small = lfw(Path(folder) / "lfw", 8 if options.quick else 40)
        large = wider(Path(folder) / "wider", 8 if options.quick else 16)
        ours: dict[str, Worker] = {}
        place = weights.model_dir()
        for model, precision in (*(("mtcnn", each) for each in PRECISIONS), *(("yunet", each) for each in YUNET)):
            given = {"network": weights.RETAIL, "precision": precision, "threads": cores(), "model_dir": place}
            name = precision if model == "mtcnn" else f"{model} {precision}"
            try:
                ours[name] = stack.enter_context(opened("ours", None, **given, kind="finder", model=model))
            except NotToBeHad as error:
                report.absent(f"ours, {name}", str(error))
        peers: dict[str, Worker | NotToBeHad] = {}
        for name, module, environment in (
            (PACKAGE, "course_work", TENSORFLOW),
            (FACENET, "facenet_mtcnn", TORCH),
        ):
            try:
                worker = stack.enter_context(Worker(module, environment))
                said = worker.ask("open", timeout=600)
                peers[name] = worker
            except NotToBeHad as error:
                peers[name] = error
                continue
            if said.get("nms") == "OpenCV":
                report.says.append(f"{FACENET}: this torchvision has no operators for this torch; its NMS is OpenCV's")
        for photos, least in ((small, 12), (large, 8)):
            _over(report, photos, least, ours, peers, 1 if options.quick else 2, large=photos is large)
    report.says.append(f"threads: ours {cores()}, each peer's own default; min_face_size 20 in all")
    return report


def _over(
    report: Report,
    photos: Photos,
    least: float,
    ours: dict[str, Worker],
    peers: dict[str, Worker | NotToBeHad],
    rounds: int,
    *,
    large: bool,
) -> None:
    paths = [str(path) for path in photos.paths]
    parts = [{"paths": paths[start : start + 8]} for start in range(0, len(paths), 8)]
    asked: dict[str, Asked] = {
        f"ours, {precision}, batches of {batch}": (worker, "detect", [part | {"batch": batch} for part in parts])
        for precision, worker in ours.items()
        for batch in (8, 1)
    }
    answers: dict[str, dict[str, Any] | NotToBeHad] = {}
    for name, peer in peers.items():
        if isinstance(peer, NotToBeHad):
            answers[name] = peer
        else:
            asked[name] = (peer, "detect", parts)
    answers = interleaved(asked, rounds, _SECONDS) | answers
    rates = {name: each["images"] / each["seconds"] for name, each in answers.items() if isinstance(each, dict)}
    ours_by_8 = [name for name in rates if name.endswith("batches of 8") and "yunet" not in name]
    judged = max(ours_by_8, key=rates.__getitem__, default="")
    for name, answer in answers.items():
        if isinstance(answer, NotToBeHad):
            report.absent(f"{photos.says}: {name}", str(answer))
            continue
        mine = name.startswith("ours")
        report.add(
            f"{photos.says}: {name}",
            rates[name],
            "images/s",
            against=f"{PACKAGE}, photo by photo" if mine else None,
            base=rates.get(PACKAGE) if mine else None,
            least=least if name == judged else None,
        )
    spent = {name: 1000 * each["cpu"] / each["images"] for name, each in answers.items() if isinstance(each, dict)}
    for name, value in spent.items():
        if not name.startswith("ours") or not name.endswith("batches of 8"):
            continue
        own = name.replace("yunet ", "")
        report.add(
            f"{photos.says}: {name}: CPU time",
            value,
            "ms/image",
            against=own if own != name else None,
            base=spent.get(own) if own != name else None,
            most=_SHARE if own != name and large else None,
        )
    found = ", ".join(f"{name} {answer['faces']}" for name, answer in answers.items() if isinstance(answer, dict))
    report.says.append(f"{photos.says}: faces found: {found}")


if __name__ == "__main__":
    run(measure)
