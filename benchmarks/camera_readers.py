"""Measure a camera with a still scene, each reader in a process of its own, and the faces lost by motion detection.

The cameras are GStreamer's, 640 × 360 at 25 frames a second. The faces are those of the clips in ../shared, each followed by
half a minute of its last picture with a camera's noise.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np

from benchmarks.report import Options, Report, run
from facegroup.cameras.sources.frame_crop import FrameCropper, around
from facegroup.cameras.sources.motion import MotionFilter
from facegroup.networks.registry import spec
from facegroup.pipeline.finder import Finder
from facegroup.pipeline.messages import DetectedFaces, Photo
from facegroup.pipeline.open_finder import open_finder
from facegroup.settings import load
from facegroup.types import Floats, Image
from tests import clips
from tests.rtsp_process import RtspProcess

CLIPS = Path(__file__).parents[2] / "shared" / "faces" / "videos"


def measure(options: Options) -> Report:
    """Measure readers on a still and on a moving scene, then motion detection."""
    report = Report("camera readers: RTSP in, JPEG out, 640 × 360 at 25 frames/s, 2 analysed")
    with tempfile.TemporaryDirectory() as folder:
        quiet = clips.recording(Path(folder) / "still", clips.still(250, clips.room()), every=50)
        moves = clips.recording(Path(folder) / "moves", clips.walk(250), every=50)
        server = RtspProcess({"/still": quiet, "/moves": moves})
        for mount, count in (("/still", 1), ("/still", 4), ("/moves", 4)):
            command = [sys.executable, "-m", "benchmarks.workers.camera_reader", server.url(mount)]
            readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
            figures = np.array([[float(word) for word in reader.communicate()[0].split()] for reader in readers])
            cpu, pss, private = figures.mean(0)
            still = mount == "/still"
            report.add(f"{mount[1:]}: core of each of {count}", float(cpu), "%", most=3 if still else None)
            report.add(f"{mount[1:]}: PSS of each of {count}", float(pss), "MB")
            report.add(
                f"{mount[1:]}: private memory of each of {count}", float(private), "MB", most=60 if still else None
            )
        server.kill()
    if CLIPS.is_dir():
        _gate(report, 10 if options.quick else 30)
    return report


def _gate(report: Report, seconds: int) -> None:
    finder = open_finder(load(network="retail-0095"), spec("retail-0095"))
    scissors = FrameCropper(around(()), 1280)
    for fps in (2, 5):
        frames = passed = faces = lost = 0
        for clip in sorted(CLIPS.iterdir()):
            moving = list(clips.shots(clip, (640, 360), fps))
            pictures = [*moving, *clips.still(seconds * fps, moving[-1])]
            gate = MotionFilter()
            opens = [
                gate.opens(scissors.grey(av.VideoFrame.from_ndarray(each, "rgb24")), number / fps)
                for number, each in enumerate(pictures)
            ]
            boxes = [_faces(finder, scissors, each) for each in pictures]
            found = [(number, box) for number, each in enumerate(boxes) for box in each]
            shown = [(number, box) for number, box in found if opens[number]]
            frames, passed, faces = frames + len(opens), passed + sum(opens), faces + len(found)
            lost += sum(
                not any(abs(number - other) <= 5 * fps and _same(box, known) for other, known in shown)
                for number, box in found
            )
        report.add(f"gate, {fps} frames/s: passed of {frames} frames", passed)
        report.add(f"gate, {fps} frames/s: of {faces} faces in none of those of 5 s around", lost)
    finder.close()


def _faces(finder: Finder, scissors: FrameCropper, picture: Image) -> Floats:
    (seen,) = finder.find([Photo(scissors.cut(av.VideoFrame.from_ndarray(picture, "rgb24")).data)])
    assert isinstance(seen, DetectedFaces)
    return seen.faces.boxes


def _same(box: Floats, other: Floats) -> bool:
    low, high = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
    both = float(np.prod(np.maximum(high - low, 0)))
    return both > 0.5 * min(float(np.prod(box[2:] - box[:2])), float(np.prod(other[2:] - other[:2])))


if __name__ == "__main__":
    run(measure)
