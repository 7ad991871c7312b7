"""Both decisions on made-up people, of whom some resemble many."""

import numpy as np
import pytest

from facegroup.evaluation import decisions, decisions_report
from facegroup.evaluation.descriptors import PhotoEmbeddings
from facegroup.evaluation.openset_data import OpenSetData
from facegroup.networks.embedder import unit
from facegroup.types import Descriptors

_DIMENSION = 48


def _people(count: int, photos: int, pull: float, seed: int) -> Descriptors:
    """Return (count, photos, d) rows; the greater the pull, the more alike all of the people are."""
    random = np.random.default_rng(seed)
    common = np.ones(_DIMENSION) / _DIMENSION**0.5
    faces = random.normal(size=(count, 1, _DIMENSION)) / _DIMENSION**0.5 + pull * common
    rows: Descriptors = unit(
        (faces + 0.35 * random.normal(size=(count, photos, _DIMENSION)) / _DIMENSION**0.5)
        .reshape(-1, _DIMENSION)
        .astype(np.float32)
    )
    return rows


def _data(members: int = 60) -> OpenSetData:
    half = members // 2
    known = np.concatenate([_people(half, 6, 0.0, 1), _people(half, 6, 0.9, 2)])
    strangers = np.concatenate([_people(150, 1, 0.0, 3), _people(150, 1, 0.9, 4)])
    rows = np.concatenate([known, strangers])
    names = [f"m{number}" for number in range(2 * half)]
    return OpenSetData(
        (),
        PhotoEmbeddings(rows, ("",) * len(rows), tuple(map(str, range(len(rows))))),
        {name: tuple(range(6 * place, 6 * place + 6)) for place, name in enumerate(names)},
        {f"s{place:03}": (6 * 2 * half + place,) for place in range(300)},
        {},
    )


def test_the_cohort_evens_out_who_is_named() -> None:
    groups = {
        "rare": frozenset({*(f"s{place:03}" for place in range(150)), "m0"}),
        "common": frozenset(f"s{place:03}" for place in range(150, 300)),
    }
    cosine, cohort = decisions.compare(_data(), 3, 4, groups=groups)
    assert (cosine.cohort, cohort.cohort) == (0, 60)
    assert len(cosine.tenths) == len(cohort.tenths) == 10
    assert np.mean(cosine.tenths) == pytest.approx(0.01)
    assert max(cohort.tenths) < max(cosine.tenths)
    assert cosine.groups["rare"].fpir < cosine.groups["common"].fpir
    assert (cosine.groups["rare"].strangers, cosine.groups["rare"].members) == (150, 1)
    assert np.isnan(cosine.groups["common"].tpir)
    told = decisions_report.as_json((cosine, cohort))
    assert told["cohort"]["groups"]["common"]["tpir"] is None
    assert len(told["cohort"]["fpir_by_tenths"]) == 10
    tables = decisions_report.tables([("made-up fp32", (cosine, cohort))])
    assert [len(row) for row in tables[0].rows] == [3] * 14
    assert [row[0] for row in tables[1].rows] == [
        "rare (150 strangers, 1 members)",
        "common (150 strangers, 0 members)",
    ]


def test_a_cohort_that_is_too_small_is_told() -> None:
    cosine, cohort = decisions.compare(_data(20), 3, 2)
    assert cosine.tpir
    assert cohort.refused is not None
    assert "there are 20" in cohort.refused
    (table,) = decisions_report.tables([("made-up fp32", (cosine, cohort))])
    assert table.columns == ("", "made-up fp32, cosine")
    assert "there are 20" in table.reading


def test_strangers_may_be_the_cohort() -> None:
    _, cohort = decisions.compare(_data(20), 3, 2, given=_people(80, 1, 0.9, 9))
    assert cohort.refused is None
    assert cohort.cohort == 100


def test_few_strangers_have_no_tenths() -> None:
    data = _data()
    few = {name: rows for name, rows in data.strangers.items() if name < "s010"}
    cosine, _ = decisions.compare(OpenSetData((), data.embedded, data.members, few, {}), 3, 1)
    assert cosine.tenths == ()


def test_nothing_compared_has_no_table() -> None:
    assert decisions_report.tables([]) == ()
