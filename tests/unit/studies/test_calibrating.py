"""The measurement of calibration: what it tells of people at random, and, slowly, of real ones in ../shared."""

from pathlib import Path

import numpy as np
import pytest

from facegroup.networks import registry
from facegroup.settings import load
from studies import dataset
from studies.calibrating import kept, sized, tables
from studies.dataset import People
from tests.unit.gallery.people_at_random import middles, photos


@pytest.fixture(scope="module")
def crowd() -> People:
    """60 people with five photos each, and 1,200 strangers."""
    rows = np.concatenate([*photos(middles(60, 0), 5, 1), middles(1200, 2)])
    people = tuple(tuple(range(5 * place, 5 * place + 5)) for place in range(60))
    return People(rows, people, tuple(range(300, 1500)), missed=0)


@pytest.mark.parametrize("strangers", [300, 0])
def test_a_promise_is_kept(crowd: People, strangers: int) -> None:
    made = kept(crowd, "network", 0.1, strangers, seeds=20)
    mean, spread, greatest = made.measured
    if strangers:
        assert mean == pytest.approx(0.1, rel=0.25)
    # 30 members, seen from both sides, are worth some 20 searches: where the mean lies among 60 people is chance.
    assert made.width[0] < mean < made.width[1]
    assert 0 < spread < greatest
    assert made.width[0] < 0.1 < made.width[1]
    assert made.inside >= 0.75
    assert (made.people, made.refused) == (30, 0)
    assert made.tpir == pytest.approx(1, abs=0.01)
    assert np.isnan(made.expected) if strangers == 0 else 0.8 < made.expected < 0.96
    assert made.on == ("its members" if strangers == 0 else "300 strangers")


def test_what_cannot_be_promised_is_counted(crowd: People) -> None:
    made = kept(crowd, "network", 0.001, 300, seeds=3)
    assert (made.refused, made.seeds) == (3, 3)
    assert "3 of 3" in tables([made], [], 0.4)


def test_a_larger_gallery_names_more_strangers(crowd: People) -> None:
    small, large = (sized(crowd, "network", 0.25, people, draws=5) for people in (5, 50))
    assert small.fpir[0] < large.fpir[0] / 5
    assert small.at_one_percent[0] < large.at_one_percent[0]
    assert large.fpir[1] <= large.fpir[0] <= large.fpir[2]
    assert large.tpir == 1


@pytest.mark.slow
@pytest.mark.parametrize("network", ["retail-0095", "dlib-resnet29"])
def test_real_people_get_the_rate_that_was_asked_for(shared: Path, network: str) -> None:
    if network == "dlib-resnet29":
        pytest.importorskip("dlib", reason="needs the extra dlib")
    settings = load(network=network, model_dir=shared / "models")
    folder = shared / "faces" / "lfw_deepfunneled"
    real = dataset.read(folder, settings, least=6, people=60, strangers=1200)
    made = kept(real, network, 0.05, 600, seeds=150)
    assert made.refused == 0
    # Both to four standard errors of 150 random halves.
    assert made.measured[0] == pytest.approx(0.05, abs=0.0045)
    assert made.inside == pytest.approx(made.expected, abs=0.12)
    assert made.tpir > 0.95
    # The network's own default names few strangers in a group of thirty.
    assert sized(real, network, registry.spec(network).threshold, 30, draws=5).fpir[0] < 0.015
