"""What the cameras' journal holds on one person, as parts of a file that the person gets: the counterpart of its `erase`."""

from collections.abc import Iterator
from dataclasses import asdict

from facegroup.cameras.delivery import payloads
from facegroup.cameras.sightings.journal import Filter, Journal
from facegroup.errors import UnknownSighting
from facegroup.store.person_copy import Item

_STAGES = ("sightings", "crops", "events", "dead-letters", "videos")
_PAGE, _EVENTS = 100, 1000


def page(journal: Journal, gallery: str, person_id: str, cursor: str = "") -> tuple[list[Item], str]:
    """Return some of the parts, and the cursor of those that follow; "" after the last.

    Args:
        journal: of the cameras.
        gallery: its name.
        person_id: who.
        cursor: "" for the first.
    """
    stage, _, after = cursor.partition(" ")
    stage = stage or _STAGES[0]
    items, following = _stage(journal, Filter(gallery=gallery, person_id=person_id), stage, after)
    if following:
        return items, f"{stage} {following}"
    left = _STAGES[_STAGES.index(stage) + 1 :]
    return items, f"{left[0]} " if left else ""


def _stage(journal: Journal, wanted: Filter, stage: str, after: str) -> tuple[list[Item], str]:
    if stage in ("sightings", "crops"):
        found = journal.sightings(wanted, after, _PAGE)
        following = found[-1].cursor if len(found) == _PAGE else ""
        if stage == "sightings":
            return [Item.line("sightings.jsonl", payloads.sighting(each)) for each in found], following
        crops = ((each.id, _crop(journal, each.id)) for each in found if each.crop)
        return [Item(f"sightings/{name}.jpg", crop) for name, crop in crops if crop is not None], following
    if stage == "events":
        events = journal.events(int(after or 0), _EVENTS)
        about = (each for each in events if _is_about(each.sighting.gallery, each.sighting.person_id, wanted))
        items = [Item.line("events.jsonl", payloads.event(each)) for each in about]
        return items, str(events[-1].seq) if len(events) == _EVENTS else ""
    return list(_letters(journal, wanted) if stage == "dead-letters" else _videos(journal, wanted)), ""


def _crop(journal: Journal, sighting: str) -> bytes | None:
    try:
        return journal.crop(sighting)
    except UnknownSighting:  # erased since
        return None


def _letters(journal: Journal, wanted: Filter) -> Iterator[Item]:
    for webhook in journal.webhooks():
        after = 0
        while letters := journal.dead_letters(f"webhook:{webhook.id}", after, _PAGE):
            for each in letters:
                sighting = each.event.sighting
                if _is_about(sighting.gallery, sighting.person_id, wanted):
                    row = {**asdict(each), "event": payloads.event(each.event)}
                    yield Item.line("dead-letters.jsonl", row)
            after = letters[-1].event.seq


def _videos(journal: Journal, wanted: Filter) -> Iterator[Item]:
    for video in journal.videos(1000):
        seen = (video.result or {}).get("sightings", []) if video.gallery == wanted.gallery else []
        own = [each for each in seen if each["person_id"] == wanted.person_id]
        if own:
            yield Item.line("videos.jsonl", {"id": video.id, "gallery": video.gallery, "sightings": own})


def _is_about(gallery: str, person_id: str | None, wanted: Filter) -> bool:
    return (gallery, person_id) == (wanted.gallery, wanted.person_id)
