"""The real clips of ../shared against the ground truth: one sighting a visit, and no member's name for a stranger."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.clips import TRUTH, who
from facegroup.cameras.video.reader import analyse
from facegroup.cameras.video.viewing import VideoAnalysis, camera
from facegroup.recognizer import Recognizer
from facegroup.settings import load

CLIPS: dict[str, Any] = json.loads(TRUTH.read_text())["clips"]
COOLDOWN = 2.0
PEOPLE = 30


@pytest.fixture(scope="module")
def recognizer(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    """A gallery of 30 people of LFW, who are in no clip, and of those in the clips of whom there are photos."""
    faces = shared / "faces"
    known = {
        name: [faces / each for each in person["photos"]]
        for clip in CLIPS.values()
        for name, person in clip["people"].items()
        if "photos" in person
    }
    lfw = sorted(each for each in (faces / "lfw_deepfunneled").iterdir() if len(list(each.glob("*.jpg"))) >= 6)
    known |= {each.name: sorted(each.glob("*.jpg"))[:2] for each in lfw[:PEOPLE]}
    url = f"sqlite:///{tmp_path_factory.mktemp('store') / 'g.db'}"
    settings = load(network="retail-0095", model_dir=shared / "models", store=url, detector={"threads": 2})
    with Recognizer(settings) as recognizer:
        recognizer.new_gallery("group")
        for name, photos in known.items():
            recognizer.store.create_person("group", name, person_id=name.lower().replace("_", "-"))
            recognizer.enrol(
                "group", [(each.name, each.read_bytes()) for each in photos], name.lower().replace("_", "-")
            )
        yield recognizer


def visits(person: dict[str, Any]) -> list[list[float]]:
    """From when to when somebody is there: parts less than the cooldown apart are one."""
    found: list[list[float]] = []
    for start, end in person["seen"]:
        if found and start - found[-1][1] < COOLDOWN:
            found[-1][1] = end
        else:
            found.append([start, end])
    return found


@pytest.mark.parametrize("name", CLIPS)
def test_one_sighting_a_visit(recognizer: Recognizer, shared: Path, name: str) -> None:
    clip = CLIPS[name]
    fps = 5 if clip["people"] else 1
    where = camera(shared / "faces" / "videos" / name, "group", fps, COOLDOWN, 2, None)
    with VideoAnalysis(where, "retail-0095", 0.43, recognizer.settings.cameras) as viewing:
        assert analyse(viewing, where, recognizer) is None
        found = viewing.finish()
    whose: dict[str, Counter[str]] = {}
    for look in viewing.frames:
        boxes = np.array([box for _, box in look.faces], np.float32).reshape(-1, 4)
        people = who(clip["people"], look.position, look.width / clip["width"], boxes)
        for (track, _), person in zip(look.faces, people, strict=True):
            if person is not None and track in viewing.names:
                whose.setdefault(viewing.names[track], Counter())[person] += 1
    assert all(len(each) == 1 for each in whose.values()), "two people are taken for one"
    assert {each.name for each in found} == set(whose), "a sighting is nobody's"
    for each in found:
        (person,) = whose[each.name]
        assert each.person_id in (None, person), "a member's name for somebody else"
    for person, truth in clip["people"].items():
        told = [each for each in found if person in whose[each.name]]
        for start, end in visits(truth):
            here = [each for each in told if each.first_seen <= end + 0.1 and each.last_seen >= start - 0.1]
            assert len(here) == 1 or (truth["hard"] and not here), f"{person}, {start} to {end}: {len(here)} sightings"
