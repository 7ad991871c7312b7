"""Read the pins of a lock file."""

import re
from pathlib import Path

from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version


def pins(lock: Path) -> dict[NormalizedName, Version]:
    """Return the version of each package that a lock file pins, by its normalised name."""
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in found}
