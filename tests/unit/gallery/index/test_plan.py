"""Settings to the way a gallery is kept, and what the gallery says of it."""

import pytest

from facegroup.gallery.index.plan import Plan
from facegroup.settings import Matcher


@pytest.mark.parametrize(
    ("index", "megabytes", "compact"),
    [("exact", 10**6, False), ("compact", 0, True), ("auto", 850, False), ("auto", 851, True), ("auto", 0, False)],
)
def test_when_a_gallery_is_compact(index: str, megabytes: int, compact: bool) -> None:
    plan = Plan.of(Matcher.model_validate({"index": index}))
    assert plan.compact(megabytes * 1_000_000) is compact


def test_nothing_is_planned_of_no_rows() -> None:
    for dimension in (4, 256, 2048, 10**9):
        plan = Plan()
        assert plan.rows(dimension) >= 1
        assert 0 <= plan.fresh(dimension) <= plan.rows(dimension)
    assert Plan().rows(2048) == 16_384


def test_more_is_compared_in_full_where_more_is_asked_for() -> None:
    each, together = Plan().first_look(256)
    assert each >= 256
    assert together >= 2 * 256
    assert Plan().first_look(3)[1] >= 100
