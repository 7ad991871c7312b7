"""Measure a network alone: faces per second by precision, and the time for a single face.

The ResNet-50 is compared with keras-vggface's own way on TensorFlow, `predict` for one face at a time.
"""

from contextlib import ExitStack
from typing import Any

from benchmarks import weights
from benchmarks.peers import TENSORFLOW, Asked, NotToBeHad, Worker, interleaved, opened
from benchmarks.pipeline import PRECISIONS
from benchmarks.report import Options, Report, cores, run
from facegroup.engines.precision import narrow_weights

PREDICT = "Keras predict, face by face"
_LEAST = {"bf16": 8, "int8": 13}
_BATCH = 32


def measure(options: Options) -> Report:
    """Run each network in each precision, and Keras, in turn."""
    file, called = weights.resnet50()
    folders = {weights.RESNET50: file.parent, weights.RETAIL: weights.retail()}
    report = Report("embedding: crops in, descriptors out")
    report.says.append(f"vggface2-resnet50: {called}; retail-0095: released weights; made-up crops")
    report.says.append(f"threads: ours {cores()}, TensorFlow's own default for Keras; batches of {_BATCH}")
    parts, rounds = (1, 1) if options.quick else (2, 3)
    for network, folder in folders.items():
        if folder is None:
            report.absent(network, "its weights are not here")
            continue
        with ExitStack() as stack:
            workers: dict[str, Worker | NotToBeHad] = {}
            for precision in PRECISIONS:
                given = {"network": network, "precision": precision, "threads": cores(), "model_dir": str(folder)}
                workers[precision] = _start(
                    stack, "ours", None, given | {"kind": "embedder"} | weights.calibration(precision)
                )
            if network == weights.RESNET50:
                workers[PREDICT] = _start(stack, "course_work", TENSORFLOW, {"weights": str(file)})
            _rows(report, network, workers, parts, rounds)
    _yardstick(report, file)
    return report


def _yardstick(report: Report, file: Any) -> None:
    """Return how many faces per second the operations of one large product amount to: a CPU's best possible speed."""
    with Worker("product") as worker:
        try:
            face = worker.ask("network", weights=str(file), name=weights.RESNET50)["operations"]
        except NotToBeHad as error:
            report.absent("the rate of one large product", str(error))
            return
        for precision in ("bf16", "fp32"):
            what = f"{weights.RESNET50}, {precision}: at the rate of one large product"
            try:
                most = max(worker.ask("peak", precision=precision, threads=cores())["operations"] for _ in range(3))
            except NotToBeHad as error:
                report.absent(what, str(error))
                continue
            report.add(what, most / face, "faces/s")
            if precision == "fp32" and not narrow_weights():
                what = f"{weights.RESNET50}, int8: at four times the rate of fp32's product, as VNNI has it"
                report.add(what, 4 * most / face, "faces/s")
    if narrow_weights():
        report.says.append("int8 is AVX2's, with weights of half the range: this CPU has no dot products of 8 bits")
    report.says.append(f"one large product, of 1536 × 1536 twice, by OpenVINO; a face takes {face / 1e9:.2f} GFLOP")


def _start(stack: ExitStack, module: str, environment: Any, given: dict[str, Any]) -> Worker | NotToBeHad:
    try:
        return stack.enter_context(opened(module, environment, **given))
    except NotToBeHad as error:
        return error


def _rows(report: Report, network: str, workers: dict[str, Worker | NotToBeHad], parts: int, rounds: int) -> None:
    asked: dict[str, Asked] = {}
    count = _BATCH if network == weights.RESNET50 else 10 * _BATCH
    for name, worker in workers.items():
        if isinstance(worker, NotToBeHad):
            report.absent(f"{network}, {name}", str(worker))
        elif name == PREDICT:
            asked[name] = (worker, "embed", [{"count": count // 3}] * parts)
        else:
            asked[name] = (worker, "embed", [{"count": count, "batch": _BATCH}] * parts)
            asked[f"{name}, one face at a time"] = (worker, "embed", [{"count": count // 3, "batch": 1}] * parts)
    answers = {name: each for name, each in interleaved(asked, rounds, 40).items() if isinstance(each, dict)}
    base = answers[PREDICT]["faces"] / answers[PREDICT]["seconds"] if PREDICT in answers else None
    for name, answer in answers.items():
        if "one face" in name:
            continue
        mine = name != PREDICT
        report.add(
            f"{network}, {name}",
            answer["faces"] / answer["seconds"],
            "faces/s",
            against=PREDICT if mine and network == weights.RESNET50 else None,
            base=base if mine else None,
            least=_LEAST.get(name) if network == weights.RESNET50 else None,
        )
    for name, answer in answers.items():
        if "one face" in name or name == PREDICT:
            report.add(f"{network}, {name}: latency", answer["seconds"] / answer["faces"] * 1e3, "ms")


if __name__ == "__main__":
    run(measure)
