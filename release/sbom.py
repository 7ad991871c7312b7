"""Write the software bill of materials (SBOM) of what facegroup installs, and the list of its licences.

    cyclonedx-py environment … | python -m release.sbom requirements.lock build/sbom.cdx.json build/licences.md

cyclonedx-py describes everything in the development environment. Only packages that the lock file pins are kept. The list of
licences also has those of the networks' weights, which are downloaded later.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from facegroup.networks.registry import SPECS
from release.pins import pins

Bom = dict[str, Any]

_HEAD = "# Licences of what facegroup installs\n\n| package | version | licence as published |\n|---|---|---|\n"
_WEIGHTS = "\n## Weights\n\n| network | licence as published |\n|---|---|\n"


def shipped(bom: Bom, names: Iterable[str]) -> Bom:
    """Return a CycloneDX document with only the components of some normalised names."""
    wanted = set(names)
    kept = [part for part in bom["components"] if canonicalize_name(part["name"]) in wanted]
    refs = {part["bom-ref"] for part in kept} | {bom["metadata"]["component"]["bom-ref"]}
    tree = [
        each | ({"dependsOn": [ref for ref in each["dependsOn"] if ref in refs]} if "dependsOn" in each else {})
        for each in bom["dependencies"]
        if each["ref"] in refs
    ]
    return bom | {"components": kept, "dependencies": tree}


def licence(part: Mapping[str, Any]) -> str:
    """Return a component's licence in one line, or ``not stated``."""
    told = [
        each.get("expression") or each["license"].get("id") or each["license"]["name"]
        for each in part.get("licenses", [])
    ]
    # cyclonedx-py leaves the field License out if it is no SPDX identifier and the package has a file with the licence.
    told = told or metadata.metadata(part["name"]).get_all("License", [])
    lines = (" ".join(each.split()) for each in dict.fromkeys(told))
    return "; ".join(each if len(each) <= 100 else each[:97] + "..." for each in lines) or "not stated"


def licences(bom: Bom) -> str:
    """Return the list of licences as Markdown tables, in the order of the names."""
    parts = sorted(bom["components"], key=lambda part: canonicalize_name(part["name"]))
    rows = [(part["name"], part["version"], licence(part)) for part in parts]
    weights = [(spec.name, spec.licence) for spec in SPECS.values()]
    return _HEAD + _rows(rows) + _WEIGHTS + _rows(weights)


def _rows(rows: Iterable[Iterable[str]]) -> str:
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |\n" for row in rows)


def main(lock: str, out: str, table: str) -> None:
    """Read a CycloneDX document from standard input, and write both files."""
    bom = shipped(json.load(sys.stdin), (name for name, _ in pins(Path(lock))))
    Path(out).write_text(json.dumps(bom, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    Path(table).write_text(licences(bom), encoding="utf-8")
    print(f"{out}: {len(bom['components'])} packages; {table}: their licences")


if __name__ == "__main__":
    main(*sys.argv[1:])
