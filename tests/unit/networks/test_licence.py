from pathlib import Path

from facegroup.networks.licence import tell_once
from facegroup.networks.registry import spec
from facegroup.settings import Settings, load


def test_a_licence_is_told_at_the_first_start_only(settings: Settings) -> None:
    told: list[str] = []
    for name in ("retail-0095", "retail-0095", "sface", "retail-0095"):
        tell_once(spec(name), settings, told.append)
    assert [line.partition(":")[0] for line in told] == ["licence of retail-0095", "licence of sface"]
    assert "Apache-2.0" in told[0]


def test_where_nothing_can_be_noted_it_is_told_each_time(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    settings = load(cache_dir=tmp_path / "cache")
    told: list[str] = []
    tell_once(spec("retail-0095"), settings, told.append)
    tell_once(spec("retail-0095"), settings, told.append)
    assert len(told) == 2
