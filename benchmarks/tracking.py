"""Measure tracking alone: identity errors by overlap, by overlap and descriptor (facegroup), and by ByteTrack (trackers).

Every clip is analysed from every phase. The figures are means over the phases, for all clips together: tracks beyond the
number of people, tracks with a second person, and changes of a person's track from one frame to the next.
"""

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks import weights
from benchmarks.clips import GALLERY, VIDEOS, Clip, detected, read
from benchmarks.peers import Environment, NotToBeHad, Worker
from benchmarks.report import Options, Report, cores, run
from facegroup.cameras.sightings.tracker import PATIENCE, Tracker
from facegroup.cameras.types import Camera, Frame
from facegroup.detection.boxes import overlap
from facegroup.pipeline.messages import PhotoResult
from facegroup.recognizer import Recognizer
from facegroup.settings import load
from facegroup.types import Floats

TRACKERS = Environment("trackers", ("trackers==2.6.1",))
Looks: TypeAlias = list[tuple[Frame, PhotoResult]]
Tracked: TypeAlias = list[list[tuple[int, Floats]]]
"""The track and the box of each face, for each frame."""


def ours(looks: Looks, fps: float) -> tuple[Tracked, int]:
    """Follow faces as a camera does, and count those that were recognised."""
    tracker = Tracker(Camera("clip", "", GALLERY, fps=fps), weights.RETAIL, played=True)
    tracked, recognised = [], 0
    for frame, seen in looks:
        asked = tracker.photo(frame).embed
        done = tracker.update(frame, seen if asked else detected(seen))
        recognised += len(seen.faces) * (asked or done.again)
        if done.again:
            done = tracker.update(frame, seen)
        tracked.append([(track, np.array(box, np.float32)) for track, box in done.faces])
    return tracked, recognised


def by_overlap(looks: Looks, fps: float, least: float) -> Tracked:
    """Follow faces by overlap alone."""
    known: dict[int, tuple[float, Floats]] = {}
    tracked: Tracked = []
    for frame, seen in looks:
        known = {track: each for track, each in known.items() if frame.position - each[0] <= max(PATIENCE, 4 / fps)}
        numbers, boxes = list(known), seen.faces.boxes
        shared = overlap(boxes, np.array([known[each][1] for each in numbers], np.float32).reshape(-1, 4))
        rows, columns = linear_sum_assignment(np.where(shared >= least, shared, -1), maximize=True)
        pairs = {
            row: numbers[column] for row, column in zip(rows, columns, strict=True) if shared[row, column] >= least
        }
        here: list[tuple[int, Floats]] = []
        for row, box in enumerate(boxes):
            track = pairs.get(row, sum(map(len, tracked)) + len(here) + 1_000_000)
            known[track] = (frame.position, box)
            here.append((track, box))
        tracked.append(here)
    return tracked


def score(clip: Clip, looks: Looks, tracked: Tracked) -> dict[str, float]:
    """Return the counts of identity errors."""
    of_person: dict[str, list[int]] = defaultdict(list)
    of_track: dict[int, set[str]] = defaultdict(set)
    for (frame, _), faces in zip(looks, tracked, strict=True):
        boxes = np.array([box for _, box in faces], np.float32).reshape(-1, 4)
        for (track, _), who in zip(faces, clip.who(frame, boxes), strict=True):
            if who is not None:
                of_person[who].append(track)
                of_track[track].add(who)
    return {
        "tracks more than people": sum(len(set(each)) - 1 for each in of_person.values()),
        "tracks with a second person": sum(len(each) - 1 for each in of_track.values()),
        "changes of track": sum(before != after for each in of_person.values() for before, after in pairwise(each)),
    }


def measure(options: Options) -> Report:
    """Run each tracker over all clips."""
    report = Report("tracking: found faces in, tracks out")
    if not VIDEOS.is_dir():
        report.absent("the clips", f"{VIDEOS} is not there")
        return report
    with tempfile.TemporaryDirectory() as folder:
        settings = load(network=weights.RETAIL, store=f"sqlite:///{folder}/clips.db")
        with Recognizer(settings) as recognizer:
            clips = read(recognizer)
    try:
        worker: Worker | NotToBeHad = Worker("bytetrack", TRACKERS)
    except NotToBeHad as error:
        worker = error
    for fps in (2.0, 5.0, 30.0):
        _at(report, clips, fps, worker, 2 if options.quick else 1)
    if isinstance(worker, Worker):
        worker.close()
    people = sum(len(clip.people) for clip in clips)
    report.says.append(f"{len(clips)} clips, {people} people; {cores()} threads, {weights.RETAIL}")
    return report


def _at(report: Report, clips: list[Clip], fps: float, worker: Worker | NotToBeHad, every: int) -> None:
    recognised = [0, 0]

    def with_ours(looks: Looks, _: Clip) -> Tracked:
        tracked, count = ours(looks, fps)
        recognised[0], recognised[1] = recognised[0] + count, recognised[1] + sum(len(seen.faces) for _, seen in looks)
        return tracked

    def with_bytetrack(looks: Looks, clip: Clip) -> Tracked:
        if isinstance(worker, NotToBeHad):
            raise worker
        return _bytetrack(worker, looks, min(fps, clip.fps))

    ways: dict[str, Callable[[Looks, Clip], Tracked]] = {
        "ours": with_ours,
        "overlap of 0.3": lambda looks, _: by_overlap(looks, fps, 0.3),
        "overlap of 0.1": lambda looks, _: by_overlap(looks, fps, 0.1),
        "ByteTrack": with_bytetrack,
    }
    for name, track in ways.items():
        try:
            means = _sum(_mean(clip, fps, track, every) for clip in clips)
        except NotToBeHad as error:
            report.absent(f"{name} at {fps:g} fps", str(error))
            continue
        for what, value in means.items():
            report.add(f"{fps:g} fps, {name}: {what}", value)
    report.add(f"{fps:g} fps, ours: faces that were recognised", 100 * recognised[0] / recognised[1], "%")


def _mean(clip: Clip, fps: float, track: Callable[[Looks, Clip], Tracked], every: int) -> dict[str, float]:
    scores = [score(clip, looks, track(looks, clip)) for looks in list(clip.looks(fps))[::every]]
    return {what: value / len(scores) for what, value in _sum(scores).items()}


def _sum(scores: Iterable[dict[str, float]]) -> dict[str, float]:
    total: dict[str, float] = defaultdict(float)
    for each in scores:
        for what, value in each.items():
            total[what] += value
    return total


def _bytetrack(worker: Worker, looks: Looks, fps: float) -> Tracked:
    faces = [
        [[*map(float, box), float(sure)] for box, sure in zip(seen.faces.boxes, seen.faces.confidence, strict=True)]
        for _, seen in looks
    ]
    answer = worker.ask("track", frames=faces, fps=fps, patience=PATIENCE)
    return [[(int(each[0]), np.array(each[1:], np.float32)) for each in frame] for frame in answer["frames"]]


if __name__ == "__main__":
    run(measure)
