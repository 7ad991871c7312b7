"""A `Filter` → the table that holds all that is wanted and little else, and whether a sighting is; cursors of pages.

How long the longest sighting lasted is kept, too, in powers of two: nothing that was last seen after a moment began longer
before it than that, so that a question about the last minutes does not read everything there ever was.
"""

import json
import math

from facegroup import errors
from facegroup.cameras.journal.rows import Edge, Put, Step
from facegroup.cameras.sightings.journal import Filter
from facegroup.cameras.sightings.types import Sighting

SHORT = 64.0
"""Seconds: sightings are taken to last as long at least."""

_LONGEST = 1e300


def indices(sighting: Sighting) -> list[str]:
    """Return the tables that a sighting is found in."""
    found = [f"by:camera:{sighting.camera}", gallery(sighting.gallery), f"by:visit:{sighting.visit_id}"]
    if sighting.person_id is not None:
        found.append(person(sighting.person_id))
    if sighting.unknown is not None:
        found.append(unknown(sighting.unknown))
    return found


def gallery(name: str) -> str:
    """Return the table of a gallery's sightings."""
    return f"by:gallery:{name}"


def person(ident: str) -> str:
    """Return the table of a member's sightings, and of those with the same id in other galleries."""
    return f"by:person:{json.dumps(ident)}"


def unknown(ident: str) -> str:
    """Return the table of a stranger's sightings, and of those with the same number in other galleries."""
    return f"by:unknown:{json.dumps(ident)}"


def table_of(wanted: Filter) -> str:
    """Return the smallest table that holds all that is wanted: its scores are the sightings' `first_seen`."""
    if wanted.visit_id is not None:
        return f"by:visit:{wanted.visit_id}"
    if wanted.person_id is not None:
        return person(wanted.person_id)
    if wanted.unknown is not None:
        return unknown(wanted.unknown)
    if wanted.camera is not None:
        return f"by:camera:{wanted.camera}"
    return "sightings" if wanted.gallery is None else gallery(wanted.gallery)


def holds(wanted: Filter, sighting: Sighting) -> bool:
    """Whether a sighting is wanted."""
    same = ("camera", "gallery", "person_id", "unknown", "visit_id", "open")
    if any(getattr(wanted, name) not in (None, getattr(sighting, name)) for name in same):
        return False
    if wanted.known is not None and wanted.known != (sighting.person_id is not None):
        return False
    if wanted.since is not None and sighting.last_seen < wanted.since:
        return False
    return wanted.until is None or sighting.first_seen < wanted.until


def edge(cursor: str) -> Edge:
    """Return where a page begins. Raises MalformedRequest."""
    moment, _, key = cursor.partition("@")
    try:
        key.encode()
        return moments(float(moment)), key
    except ValueError:
        raise errors.MalformedRequest("the cursor is none that a page of sightings ends with") from None


def moments(seconds: float) -> float:
    """Return a moment that can be compared with others. Raises MalformedRequest: it is no number."""
    if math.isnan(seconds):
        raise errors.MalformedRequest("a moment must be a number of seconds")
    return seconds


def lasted(sighting: Sighting) -> list[Step]:
    """Return what notes how long a sighting is."""
    seconds = min(sighting.last_seen - sighting.first_seen, _LONGEST)
    if not seconds > SHORT:
        return []
    power = math.frexp(seconds)[1]
    return [Put("longest", str(power), math.ldexp(1.0, power))]
