"""The list of parts and licences has what the lock file pins, and nothing else."""

import re
from pathlib import Path

import pytest

from facegroup.networks.registry import SPECS
from release.pins import pins
from release.sbom import Bom, licence, licences, shipped

ROOT = Path(__file__).parents[3]


def part(name: str, *licences: dict[str, object]) -> dict[str, object]:
    return {"name": name, "version": "1.0", "bom-ref": f"{name}==1.0", "licenses": list(licences)}


@pytest.fixture
def bom() -> Bom:
    return {
        "metadata": {"component": {"bom-ref": "root"}},
        "components": [part("NumPy", {"expression": "BSD-3-Clause"}), part("pytest", {"license": {"id": "MIT"}})],
        "dependencies": [
            {"ref": "root", "dependsOn": ["NumPy==1.0", "pytest==1.0"]},
            {"ref": "pytest==1.0"},
            {"ref": "NumPy==1.0"},
        ],
    }


def test_only_what_is_pinned_is_kept(bom: Bom) -> None:
    kept = shipped(bom, ["numpy"])
    assert [each["name"] for each in kept["components"]] == ["NumPy"]
    assert kept["dependencies"] == [{"ref": "root", "dependsOn": ["NumPy==1.0"]}, {"ref": "NumPy==1.0"}]


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ([{"expression": "MIT AND Apache-2.0"}], "MIT AND Apache-2.0"),
        ([{"license": {"id": "MIT"}}, {"license": {"id": "MIT"}}], "MIT"),
        ([{"license": {"name": "a\n  long | text " + "x" * 200}}], "a long | text " + "x" * 83 + "..."),
    ],
)
def test_a_licence_is_one_line(told: list[dict[str, object]], line: str) -> None:
    assert licence(part("numpy", *told)) == line


def test_a_licence_that_is_no_identifier_comes_from_the_package() -> None:
    assert "Apache" in licence(part("ray"))


def test_the_list_has_the_licences_of_weights(bom: Bom) -> None:
    table = licences(bom)
    assert "| NumPy | 1.0 | BSD-3-Clause |" in table
    for spec in SPECS.values():
        assert f"| {spec.name} | {spec.licence} |" in table


def test_every_row_of_the_list_has_as_many_cells(bom: Bom) -> None:
    bom["components"].append(part("odd", {"license": {"name": "either | or"}}))
    rows = [line for line in licences(bom).splitlines() if line.startswith(("| NumPy", "| odd"))]
    assert [len(re.findall(r"\|", row)) for row in rows] == [4, 4]


def test_pins_are_read_by_normalised_name() -> None:
    found = {name for name, _ in pins(ROOT / "requirements.lock")}
    assert "opencv-python-headless" in found
    assert all(name == name.lower() for name in found)
