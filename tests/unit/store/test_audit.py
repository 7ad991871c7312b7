"""Who did what: an entry for every write, in order, of ids and counts and nothing else."""

import json
from contextlib import closing

import pytest

from facegroup.errors import MalformedRequest, UnknownGallery, UnknownPerson
from facegroup.store import audit, open_store
from facegroup.store.audit import Event, Origin
from facegroup.store.contract import Store
from facegroup.store.idempotency import IdempotencyKey
from facegroup.types import Gallery
from tests.unit.store.samples import NETWORK, D, sample

CLERK = Origin("http 10.0.0.7", "request-1")


def everything(store: Store, gallery: str) -> None:
    """Do every kind of write once."""
    store.create_person(gallery, "Ann Secret", {"note": "Secret"}, "p1", by=CLERK)
    store.create_person(gallery, "Bo", person_id="p2", once=IdempotencyKey.of("key", "Bo"))
    store.add_samples(gallery, "p1", [sample(1), sample(2)], NETWORK, by=CLERK)
    store.add_samples(gallery, "p1", [sample(1)], NETWORK)  # nothing new: no write
    store.add_samples(gallery, "p2", [sample(2), sample(3)], NETWORK)
    store.update_person(gallery, "p1", name="Secret Ann")
    store.update_person(gallery, "p1", metadata={"a": "Secret"}, expires_at=4e9)
    store.update_gallery(gallery, threshold=0.5)
    store.merge_people(gallery, "p1", "p2")
    store.delete_sample(gallery, "p1", sample(3).id)
    store.note(gallery, Event("exported", None, {"people": 1}), by=Origin("cli"))
    store.delete_person(gallery, "p1")
    store.create_person(gallery, "Cy", person_id="p3", expires_at=1)
    store.erase_expired(gallery, by=Origin("sweep"))
    store.update_gallery(gallery, keep_crops=False)
    store.delete_gallery(gallery)


def test_every_write_leaves_an_entry_without_names_or_biometrics(store: Store, gallery: str) -> None:
    everything(store, gallery)
    told = store.audit(gallery)
    assert [(entry.event.what, entry.event.person_id, entry.origin.actor) for entry in told] == [
        ("created", None, "library"),
        ("created", "p1", "http 10.0.0.7"),
        ("created", "p2", "library"),
        ("enrolled", "p1", "http 10.0.0.7"),
        ("enrolled", "p2", "library"),
        ("renamed", "p1", "library"),
        ("changed", "p1", "library"),
        ("changed", None, "library"),
        ("merged", "p1", "library"),
        ("erased_photo", "p1", "library"),
        ("exported", None, "cli"),
        ("erased", "p1", "library"),
        ("created", "p3", "library"),
        ("expired", "p3", "sweep"),
        ("changed", None, "library"),
        ("erased", None, "library"),
    ]
    assert told[3].event.detail == {"photos": 2, "duplicates": 0}
    assert told[3].origin.request == "request-1"
    assert told[8].event.detail == {"from": "p2", "photos": 1, "duplicates": 1}
    assert told[7].event.detail == {"threshold": 0.5}
    assert all(entry.at > 1.7e9 and entry.gallery == gallery for entry in told)
    text = json.dumps([[entry.event.what, entry.event.detail, entry.origin.actor] for entry in told])
    assert "Secret" not in text
    assert all(sample(number).id not in text for number in (1, 2, 3))


def test_the_log_is_read_in_pages(store: Store, gallery: str) -> None:
    everything(store, gallery)
    whole = store.audit(gallery)
    assert store.audit(gallery, limit=3) == whole[:3]
    assert store.audit(gallery, whole[2].id, 2) == whole[3:5]
    assert store.audit(gallery, whole[-1].id) == []
    assert store.audit(gallery, limit=0) == store.audit("nobody's") == []
    for after in ("x", "1-2-3", "'", "9" * 40):
        with pytest.raises(MalformedRequest):
            store.audit(gallery, after)


def test_a_write_that_is_refused_leaves_none(store: Store, gallery: str) -> None:
    with pytest.raises(UnknownPerson):
        store.delete_person(gallery, "nobody")
    with pytest.raises(UnknownGallery):
        store.note("nobody's", Event("exported"))
    assert len(store.audit(gallery)) == 1


def test_a_gallery_made_anew_goes_on_with_its_log(store: Store, gallery: str) -> None:
    store.delete_gallery(gallery)
    store.create_gallery(Gallery(gallery, NETWORK, D, 0.4))
    store.create_gallery(Gallery(gallery, NETWORK, D, 0.4))
    assert [entry.event.what for entry in store.audit(gallery)] == ["created", "erased", "created"]


def test_the_oldest_entries_go(url: str, gallery: str) -> None:
    with closing(open_store(url, keep=audit.Retention(entries=200))) as store:
        for _ in range(500):
            store.note(gallery, Event("exported"))
        assert len(store.audit(gallery, limit=1000)) == 200
    assert audit.KEPT == 100_000
