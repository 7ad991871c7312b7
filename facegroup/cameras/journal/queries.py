"""Finds the sightings of a `Filter`: the smallest table that holds them, the test of each, and cursors of pages.

The length of the longest sighting is stored, too, in powers of two. No sighting that was last seen after a moment began
earlier than that before it, so a query for the last minutes does not read all sightings.
"""

import json
import math

from facegroup import errors
from facegroup.cameras.sightings.journal import Filter
from facegroup.cameras.sightings.types import Sighting
from facegroup.store.rows.rows import Edge, Put, Step

SHORT = 64.0
"""Seconds that every sighting is assumed to last at least."""

_LONGEST = 1e300


def indices(sighting: Sighting) -> list[str]:
    """Return the tables that index a sighting."""
    found = [camera(sighting.camera), gallery(sighting.gallery), f"by:visit:{sighting.visit_id}"]
    if sighting.person_id is not None:
        found.append(person(sighting.person_id))
    if sighting.unknown is not None:
        found.append(unknown(sighting.unknown))
    return found


def camera(ident: str) -> str:
    """Return the table of a camera's sightings."""
    return f"by:camera:{ident}"


def gallery(name: str) -> str:
    """Return the table of a gallery's sightings."""
    return f"by:gallery:{name}"


def person(ident: str) -> str:
    """Return the table of a member's sightings, which also holds those with the same id in other galleries."""
    return f"by:person:{json.dumps(ident)}"


def unknown(ident: str) -> str:
    """Return the table of a stranger's sightings, which also holds those with the same id in other galleries."""
    return f"by:unknown:{json.dumps(ident)}"


def table_of(wanted: Filter) -> str:
    """Return the smallest table that holds all matches. Its scores are the sightings' `first_seen`."""
    if wanted.visit_id is not None:
        return f"by:visit:{wanted.visit_id}"
    if wanted.person_id is not None:
        return person(wanted.person_id)
    if wanted.unknown is not None:
        return unknown(wanted.unknown)
    if wanted.camera is not None:
        return camera(wanted.camera)
    return "sightings" if wanted.gallery is None else gallery(wanted.gallery)


def tables_of(wanted: Filter) -> list[str]:
    """Return the tables that hold all matches together, none of them in two. Their scores are as in `table_of`."""
    one = table_of(wanted)
    if one != "sightings":
        return [one]
    if wanted.cameras is not None:
        return [camera(each) for each in dict.fromkeys(wanted.cameras)]
    return [one] if wanted.galleries is None else [gallery(each) for each in dict.fromkeys(wanted.galleries)]


def holds(wanted: Filter, sighting: Sighting) -> bool:
    """Return whether a sighting matches."""
    same = ("camera", "gallery", "person_id", "unknown", "visit_id", "open")
    if any(getattr(wanted, name) not in (None, getattr(sighting, name)) for name in same):
        return False
    several = ((wanted.cameras, sighting.camera), (wanted.galleries, sighting.gallery))
    if any(names is not None and name not in names for names, name in several):
        return False
    if wanted.known is not None and wanted.known != (sighting.person_id is not None):
        return False
    if wanted.since is not None and sighting.last_seen < wanted.since:
        return False
    return wanted.until is None or sighting.first_seen < wanted.until


def edge(cursor: str) -> Edge:
    """Return where the page after a cursor begins. Raises MalformedRequest."""
    moment, _, key = cursor.partition("@")
    try:
        key.encode()
        return moments(float(moment)), key
    except ValueError:
        raise errors.MalformedRequest(
            "The cursor is not one of a page of sightings. Use the `next` of a page."
        ) from None


def moments(seconds: float) -> float:
    """Return a moment that can be compared with others. Raises MalformedRequest: it is not a number."""
    if math.isnan(seconds):
        raise errors.MalformedRequest("A time must be a number of seconds.")
    return seconds


def lasted(sighting: Sighting) -> list[Step]:
    """Return the step that stores a sighting's length, if it is long."""
    seconds = min(sighting.last_seen - sighting.first_seen, _LONGEST)
    if not seconds > SHORT:
        return []
    power = math.frexp(seconds)[1]
    return [Put("longest", str(power), math.ldexp(1.0, power))]
