"""Read the pins of a lock file."""

import re
from pathlib import Path

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version


def pins(lock: Path) -> set[tuple[NormalizedName, Version]]:
    """Return the normalised name and version of each pin of a lock file. A package may have several, by platform."""
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE)
    return {(canonicalize_name(name), Version(version)) for name, version in found}
