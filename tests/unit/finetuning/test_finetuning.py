"""Learning a projection: who is left out, who is learned from, which triplets, and what is said of it, on made-up people."""

import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from facegroup.errors import MalformedRequest, UnknownGallery
from facegroup.finetuning import triplets
from facegroup.finetuning.group import Counts, Group, of_folder, of_gallery
from facegroup.finetuning.judging import fpir_of, judged
from facegroup.finetuning.learning import EPOCHS, PATIENCE, best, start
from facegroup.finetuning.parts import MOST, PHOTOS, Part, divided
from facegroup.finetuning.run import Finetuned, dimension_of, finetuned
from facegroup.networks.registry import spec
from facegroup.settings import load
from facegroup.store import open_store
from facegroup.types import Floats, Gallery, Sample
from tests.photos import astronaut, encode, hopper, nobody, resized
from tests.unit.finetuning.groups import DIMENSION, People

NETWORK = "dlib-resnet29"


def group(people: int, strangers: int, photos: int = 4, noise: float = 0.6) -> Group:
    made = People(noise=noise)
    rows = [made.person(photos) for _ in range(people)] + [made.person(1) for _ in range(strangers)]
    places = iter(range(people * photos + strangers))
    several = tuple(tuple(next(places) for _ in range(photos)) for _ in range(people))
    counts = Counts(people, strangers, 0, people * photos + strangers)
    return Group(NETWORK, np.concatenate(rows), several, tuple(places), counts)


@pytest.fixture(scope="module")
def helped() -> Finetuned:
    return finetuned(group(100, 120), 64, seed=3)


def test_who_is_in_a_group_that_is_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("dlib", reason="needs the extra dlib")
    own, other = astronaut(), hopper()
    files = {
        "Ada/1.jpg": encode(own),
        "Ada/2.jpg": encode(resized(own, 400)),
        "Ada/again.jpg": encode(own),
        "Grace/1.jpg": encode(other),
        "Grace/wrong.jpg": encode(resized(other, 500)),
        "Mary/wrong.jpg": encode(resized(other, 500)),
        "Nobody/1.jpg": encode(nobody()),
        "Nobody/2.jpg": b"no photo at all",
        "Empty/notes.txt": b"",
        ".hidden/1.jpg": encode(own),
    }
    for name, data in files.items():
        path = tmp_path / "people" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    settings = load(network=NETWORK, cache_dir=tmp_path / "cache")
    found = of_folder(tmp_path / "people", settings)
    assert found.counts == Counts(
        people=1, single=1, empty=3, photos=3, without_a_face=2, unreadable=0, duplicates=1, conflicting=2, skipped=2
    )
    assert (found.people, found.singles) == (((0, 1),), (2,))
    assert found.descriptors.shape == (3, 128)
    with pytest.raises(MalformedRequest, match="projection itself"):
        of_folder(tmp_path / "people", settings.model_copy(update={"network": f"{NETWORK}+choir"}))
    with pytest.raises(MalformedRequest, match="no folder with photos"):
        of_folder(tmp_path / "people" / "Empty", settings)
    with pytest.raises(MalformedRequest, match="1 people with two usable photos or more, and 1 with one"):
        divided(found, 0)


def test_who_is_in_a_group_that_is_a_gallery(tmp_path: Path) -> None:
    made = People()
    store = open_store(f"sqlite:///{tmp_path}/gallery.db")
    try:
        store.create_gallery(Gallery("choir", NETWORK, DIMENSION, 0.9))
        for person, names in {"ada": "abc", "grace": "de", "mary": "ef", "empty": ""}.items():
            store.create_person("choir", person, person_id=person)
            samples = [Sample(name * 64, row) for name, row in zip(names, made.person(3), strict=False)]
            if samples:
                store.add_samples("choir", person, samples, NETWORK)
        found = of_gallery(store, "choir")
        assert found.counts == Counts(people=1, single=2, empty=1, photos=5, conflicting=2)
        assert found.network == NETWORK
        store.create_gallery(Gallery("nobody", NETWORK, DIMENSION, 0.9))
        assert of_gallery(store, "nobody").counts == Counts(0, 0, 0, 0)
        store.create_gallery(Gallery("learned", f"{NETWORK}+choir", 64, 0.9))
        with pytest.raises(MalformedRequest, match="projection itself"):
            of_gallery(store, "learned")
        with pytest.raises(UnknownGallery):
            of_gallery(store, "none")
    finally:
        store.close()


@pytest.mark.parametrize(("people", "strangers"), [(6, 0), (7, 0), (11, 0), (20, 3), (40, 200)])
def test_no_part_knows_anybody_of_another(people: int, strangers: int) -> None:
    made = group(people, strangers, photos=2)
    owner = {row: number for number, rows in enumerate(made.people) for row in rows}
    owner |= {row: -row for row in made.singles}
    parts = divided(made, seed=1)
    seen = []
    for part in (parts.learn, parts.stop, parts.judge):
        rows = [row for each in part.people for row in each] + list(part.strangers)
        seen.append({owner[row] for row in rows})
        assert part.people
    assert all(not one & other for one, other in combinations(seen, 2))
    assert len(set.union(*seen)) == people + strangers
    assert len(parts.learn.people) >= 2
    assert parts.stop.strangers
    assert parts.judge.strangers
    assert divided(made, seed=1) == parts
    assert divided(made, seed=2) != parts


def test_what_is_used_of_a_large_group() -> None:
    several = tuple(tuple(range(number * 30, number * 30 + 30)) for number in range(10))
    large = Group(
        NETWORK, np.empty((0, 1), np.float32), several, tuple(range(1000, 1000 + 2 * MOST)), Counts(10, 0, 0, 0)
    )
    parts = divided(large, 0)
    assert {len(rows) for rows in parts.learn.people} == {PHOTOS}
    assert all(len(set(rows)) == PHOTOS for rows in parts.judge.people)
    assert sum(len(part.strangers) for part in (parts.learn, parts.stop, parts.judge)) == MOST


def test_triplets_violate_the_margin_and_nothing_else_is_drawn() -> None:
    draw = np.random.default_rng(0)
    rows = draw.normal(size=(60, 5)).astype(np.float32)
    owners = np.arange(60) // 3
    chosen = triplets.pairs([np.flatnonzero(owners == each).tolist() for each in range(20)])
    assert len(chosen) == 20 * 3 * 2
    made = triplets.violating(rows, owners, chosen, 0.5, draw)

    def apart(one: int, other: int) -> float:
        return float(np.square(rows[one] - rows[other]).sum())

    every = {
        (int(a), int(p)): {n for n in range(60) if owners[n] != owners[a] and apart(a, n) < apart(a, p) + 0.5}
        for a, p in chosen
    }
    assert {(int(a), int(p)) for a, p, _ in made} == {pair for pair, found in every.items() if found}
    assert all(int(n) in every[int(a), int(p)] for a, p, n in made)
    again = {tuple(row) for _ in range(30) for row in triplets.violating(rows, owners, chosen, 0.5, draw).tolist()}
    assert again == {(a, p, n) for (a, p), found in every.items() for n in found if (a, p, n) in again}
    assert len(again) > 2 * len(made), "the negative is drawn, not always the same"


def test_where_nothing_violates_there_is_no_triplet() -> None:
    rows = np.array([[0, 0], [0, 0], [9, 9]], np.float32)
    made = triplets.violating(rows, np.array([0, 0, 1]), triplets.pairs([[0, 1]]), 0.5, np.random.default_rng(0))
    assert made.shape == (0, 3)
    assert triplets.pairs([]).shape == (0, 2)


def test_the_start_changes_no_similarity_where_the_dimension_stays() -> None:
    rows = People().person(40)
    whole = rows @ start(rows, DIMENSION).T
    np.testing.assert_allclose(whole @ whole.T, rows @ rows.T, atol=1e-5)
    fewer = start(rows, 32)
    np.testing.assert_allclose(fewer @ fewer.T, np.eye(32), atol=1e-5)


class Scripted:
    """Learns nothing; its matrix is the number of its epoch."""

    def __init__(self, ends: int = 1 << 30, diverges: int = 1 << 30) -> None:
        self.done, self._ends, self._diverges = 0, ends, diverges

    def matrix(self) -> Floats:
        return np.full((1, 1), self.done if self.done < self._diverges else np.nan, np.float32)

    def epoch(self) -> tuple[int, float]:
        self.done += 1
        return int(self.done < self._ends), 0.5


@pytest.mark.parametrize(
    ("tpirs", "learner", "taken", "epochs"),
    [
        ([0.5, 0.4, 0.3, 0.2, 0.2, 0.2, 0.9], Scripted(), 0, 1 + PATIENCE),  # the last one is never reached
        ([0.5, *[0.6] * 9], Scripted(), 1, 2 + PATIENCE),
        ([0.01 * each for each in range(40)], Scripted(), EPOCHS, 1 + EPOCHS),
        ([0.5, 0.6, 0.7], Scripted(ends=2), 1, 2),  # nothing violates the margin any more
        ([0.5, 0.6, 0.7], Scripted(diverges=2), 1, 2),
    ],
)
def test_it_stops_by_people_it_does_not_learn_from(
    tpirs: list[float], learner: Scripted, taken: int, epochs: int
) -> None:
    found = best(learner, lambda matrix: tpirs[int(matrix[0, 0])])
    assert (found.best, float(found.matrix[0, 0]), len(found.epochs)) == (taken, taken, epochs)


def test_it_helps_where_there_is_something_to_gain(helped: Finetuned) -> None:
    judgement = helped.judgement
    assert (judgement.people, judgement.strangers, judgement.deciding) == (30, 36, 0.1)
    assert judgement.helps
    assert judgement.row("triplet").gain.value > 0.1
    assert judgement.row("triplet").tpir.value == pytest.approx(
        judgement.row("base").tpir.value + judgement.row("triplet").gain.value
    )
    assert {(row.method, row.fpir) for row in judgement.rows} == {
        (method, fpir) for method in ("base", "triplet", "softmax") for fpir in (0.001, 0.01, 0.1)
    }
    assert helped.learned.best > 0
    assert helped.learned.matrix.shape == (64, DIMENSION)
    assert -1 < judgement.threshold < 1
    used = helped.report["used"]
    assert [used[part]["people"] for part in ("learn", "stop", "judge")] == [50, 20, 30]
    assert helped.report["versions"]["backend"] in ("tensorflow", "jax", "torch")


def test_the_same_seed_gives_the_same_projection(helped: Finetuned) -> None:
    again = finetuned(group(100, 120), 64, seed=3)
    assert again.learned.matrix.tobytes() == helped.learned.matrix.tobytes()
    assert again.judgement == helped.judgement


def test_where_there_is_nothing_to_gain_it_says_so() -> None:
    made = finetuned(group(40, 40, photos=2, noise=0.0), DIMENSION, seed=0)
    assert not made.judgement.helps
    assert made.judgement.row("triplet").gain.low <= 0


@pytest.mark.parametrize("people", [6, 9])
def test_few_people_are_learned_from_and_judged_as_too_few(people: int) -> None:
    made = finetuned(group(people, 0, photos=2), 64, seed=0)
    assert made.judgement.too_few
    assert not made.judgement.helps


def test_duplicate_people_are_no_trouble() -> None:
    """Everybody is there twice: the same descriptors under two names."""
    single = group(12, 12)
    rows = np.concatenate([single.descriptors, single.descriptors])
    twice = tuple(tuple(row + len(single.descriptors) for row in each) for each in single.people)
    both = Group(NETWORK, rows, (*single.people, *twice), single.singles, single.counts)
    assert np.isfinite(finetuned(both, 64, seed=0).learned.matrix).all()


@pytest.mark.parametrize(("strangers", "expected"), [(1, 0.1), (99, 0.1), (100, 0.01)])
def test_which_fpir_decides(strangers: int, expected: float) -> None:
    assert fpir_of(strangers) == expected


def test_a_projection_onto_nothing_is_judged_worse() -> None:
    made = group(20, 30, photos=3, noise=0.2)
    judgement = judged(
        Part(made.people, made.singles), made.descriptors, {"triplet": np.eye(1, DIMENSION, dtype=np.float32)}
    )
    assert judgement.row("triplet").gain.high < 0
    assert not judgement.helps


@pytest.mark.parametrize(
    ("network", "wanted", "expected"),
    [
        ("vggface2-resnet50", None, 512),
        ("vggface2-resnet50", 1024, 1024),
        ("vggface2-resnet50", 128, 128),
        ("vggface-vgg16", None, 256),
        ("retail-0095", None, 256),
        ("retail-0095", 128, 128),
        ("dlib-resnet29", None, 128),
    ],
)
def test_the_dimension(network: str, wanted: int | None, expected: int) -> None:
    assert dimension_of(spec(network), wanted) == expected


@pytest.mark.parametrize(
    ("network", "wanted"),
    [
        ("retail-0095", 257),
        ("dlib-resnet29", 256),
        ("vggface2-resnet50", 1025),
        ("vggface2-resnet50", 31),
        ("dlib-resnet29", 0),
    ],
)
def test_a_dimension_that_cannot_be(network: str, wanted: int) -> None:
    with pytest.raises(MalformedRequest, match="--dimension"):
        dimension_of(spec(network), wanted)


def test_keras_is_imported_only_when_something_is_learned() -> None:
    modules = "facegroup.cli.app, facegroup.finetuning.run, facegroup.finetuning.learning, facegroup.finetuning.group"
    script = f"import sys; import {modules}; sys.exit(bool({{'keras', 'tensorflow'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
