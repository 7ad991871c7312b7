"""Check the lock files against a copy of a database of advisories, without a network.

    python -m release.advisories all.zip requirements.lock requirements-dev.lock

The database is in the OSV format (https://ossf.github.io/osv-schema/): a .json file with one advisory, or a .zip or a
folder of such files. OSV publishes all advisories of Python packages as one .zip (CONTRIBUTING.md). The status is 0 if no
pin has a known fault, 1 if one has, and 2 if the database cannot be read.
"""

import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

from release.pins import pins

_LEAST = Version("0.dev0")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A pin that an advisory is about.

    Attributes:
        package: normalised name of the package.
        version: the pinned version.
        advisory: id of the advisory.
        fixed: the least version above the pin in which it is fixed, or empty.
        summary: one line about the fault.
    """

    package: str
    version: str
    advisory: str
    fixed: str
    summary: str


def read(database: Path) -> Iterator[Mapping[str, Any]]:
    """Give each advisory of a database.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file is not what its name says.
    """
    if database.is_dir():
        for path in sorted(database.rglob("*.json")):
            yield json.loads(path.read_bytes())
    elif database.suffix == ".zip":
        with zipfile.ZipFile(database) as archive:
            for name in sorted(archive.namelist()):
                if name.endswith(".json"):
                    yield json.loads(archive.read(name))
    else:
        yield json.loads(database.read_bytes())


def findings(
    advisories: Iterator[Mapping[str, Any]], pinned: Iterable[tuple[NormalizedName, Version]]
) -> tuple[list[Finding], int]:
    """Return what is known of the pins, and how many advisories of Python packages were read."""
    versions = defaultdict(list)
    for name, version in pinned:
        versions[name].append(version)
    found: set[Finding] = set()
    count = 0
    for advisory in advisories:
        affected = [each for each in advisory.get("affected", []) if each.get("package", {}).get("ecosystem") == "PyPI"]
        count += bool(affected)
        for each in affected if not advisory.get("withdrawn") else ():
            name = canonicalize_name(each["package"]["name"])
            for version in versions.get(name, ()):
                if _is_affected(version, each):
                    summary = " ".join(str(advisory.get("summary") or advisory.get("details") or "").split())[:160]
                    found.add(Finding(name, str(version), advisory["id"], _fixed(version, each), summary))
    return sorted(found), count


def _is_affected(version: Version, affected: Mapping[str, Any]) -> bool:
    """Return whether a version is listed, or lies in a range (OSV schema, "evaluation")."""
    if any(_parsed(each) == version for each in affected.get("versions", [])):
        return True
    return any(
        _holds(version, each["events"]) for each in affected.get("ranges", []) if each.get("type") == "ECOSYSTEM"
    )


def _holds(version: Version, events: Sequence[Mapping[str, str]]) -> bool:
    inside = False
    for kind, text in sorted((pair for event in events for pair in event.items()), key=_order):
        at = _parsed(text) or _LEAST  # "0" and what is no version stand for the first version
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside


def _order(event: tuple[str, str]) -> tuple[Version, bool]:
    return _parsed(event[1]) or _LEAST, event[0] == "last_affected"


def _fixed(version: Version, affected: Mapping[str, Any]) -> str:
    events = [
        event for each in affected.get("ranges", []) if each.get("type") == "ECOSYSTEM" for event in each["events"]
    ]
    fixes = [at for event in events if (at := _parsed(event.get("fixed", ""))) is not None and at > version]
    return str(min(fixes)) if fixes else ""


def _parsed(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


def main(database: str, *locks: str) -> int:
    """Print what is known of the pins of some lock files, and return the status."""
    pinned = {pin for lock in locks for pin in pins(Path(lock))}
    try:
        found, count = findings(read(Path(database)), pinned)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        print(f"{database} cannot be read as a database of advisories in the OSV format: {error}", file=sys.stderr)
        return 2
    if not count:
        print(f"{database} has no advisory of a Python package. Give the OSV database of PyPI.", file=sys.stderr)
        return 2
    for each in found:
        print(
            f"{each.package} {each.version}: {each.advisory}, fixed in {each.fixed or 'no version yet'}. {each.summary}"
        )
    print(f"{len(pinned)} pins, {count} advisories: {len(found)} known faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
