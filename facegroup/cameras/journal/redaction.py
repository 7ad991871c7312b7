"""Removes erased people from events, dead letters and results of videos.

An event is blanked if its sighting is erased, or if it names the person: a sighting may belong to somebody else now, or be
gone before its events. Only records that contain the words are decoded.
"""

import json
from collections.abc import Callable, Iterator, Set
from dataclasses import replace
from typing import Any, TypeVar

from facegroup.cameras.journal import documents
from facegroup.cameras.sightings.journal import Filter
from facegroup.cameras.sightings.types import DeadLetter, Event, Sighting
from facegroup.store.rows.rows import Drop, Put, Row, Step

Read = TypeVar("Read")

_ID = b'"id":"'


def event_step(table: str, row: Row, wanted: Filter, ids: Set[str]) -> Step | None:
    """Return the step that blanks an event; None if it is about somebody else."""
    if not _mentions(row.value, wanted, ids):
        return None

    def blanked(document: Any) -> dict[str, Any] | None:
        event = documents.decode_event(document)
        return documents.encode_event(documents.blank(event)) if _concerns(event, wanted, ids) else None

    return _step(table, row, blanked)


def letter_step(table: str, row: Row, wanted: Filter, ids: Set[str]) -> Step | None:
    """Return the step that blanks a dead letter; None if it is about somebody else."""

    def blanked(document: Any) -> dict[str, Any] | None:
        letter: DeadLetter = documents.decode_dead_letter(document)
        if not _concerns(letter.event, wanted, ids):
            return None
        return documents.encode_dead_letter(replace(letter, event=documents.blank(letter.event)))

    return _step(table, row, blanked)


def video_step(row: Row, wanted: Filter) -> Step | None:
    """Return the step that removes a member from a video's results, or a gallery's video; None if nothing is to be done."""

    def without(document: Any) -> dict[str, Any] | None:
        video = documents.decode_video(document)
        if video.gallery != wanted.gallery:
            return None
        seen = (video.result or {}).get("sightings", [])
        left = [each for each in seen if each["person_id"] is None or each["person_id"] != wanted.person_id]
        if len(left) == len(seen):
            return None
        return {**document, "result": {**(video.result or {}), "sightings": left}}

    whole = wanted.person_id is None and wanted.unknown is None
    if whole and _word(wanted.gallery) in row.value:
        try:
            same = documents.decode(documents.decode_video, row.value).gallery == wanted.gallery
        except documents.Damaged:
            same = True
        return Drop("videos", row.key) if same else None
    # Strangers of a video are numbered for it alone.
    return (
        _step("videos", row, without) if wanted.person_id is not None and _mentions(row.value, wanted, set()) else None
    )


def in_pages(steps: Iterator[Step | None], size: int) -> Iterator[list[Step]]:
    """Return the steps in pages of `size`."""
    page: list[Step] = []
    for step in steps:
        if step is not None:
            page.append(step)
        if len(page) >= size:
            yield page
            page = []
    if page:
        yield page


def _step(table: str, row: Row, change: Callable[[Any], dict[str, Any] | None]) -> Step | None:
    try:
        document = documents.decode(change, row.value)
    except documents.Damaged:
        return Drop(table, row.key)  # it cannot be read, so it may hold the name
    return None if document is None else Put(table, row.key, row.score, documents.encode(document))


def _mentions(value: bytes, wanted: Filter, ids: Set[str]) -> bool:
    at = value.find(_ID)
    if at >= 0 and value[at + len(_ID) : at + len(_ID) + 32].decode("utf-8", "replace") in ids:
        return True
    return _word(wanted.person_id or wanted.unknown or wanted.gallery) in value


def _word(text: str | None) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "replace")


def _concerns(event: Event, wanted: Filter, ids: Set[str]) -> bool:
    seen: Sighting = event.sighting
    if seen.id in ids:
        return True
    same = seen.person_id == wanted.person_id if wanted.person_id is not None else seen.unknown == wanted.unknown
    return seen.gallery == wanted.gallery and (same or (wanted.person_id is None and wanted.unknown is None))
