"""Makes the face of a sighting a counter-example of a person.

The stored crop is aligned for the network, so the detector may need a border around it to find the face.
"""

from collections.abc import Iterator
from contextlib import closing

from facegroup.cameras.journal import may_be_there, open_journal
from facegroup.cli.service import Service
from facegroup.client import Client
from facegroup.enrolment.samples import Enrolment
from facegroup.errors import UnknownSighting
from facegroup.settings import Settings
from facegroup.store.secret_key import secret_keys
from facegroup.transfer.reembedding import MARGINS, bordered


def correct(service: Service, settings: Settings, sighting: str, person_id: str, strict: bool) -> Enrolment:
    """Make the face of a sighting a counter-example of a person; see `Recognizer.correct`.

    Args:
        service: a server, or a recogniser on the store of the settings.
        settings: name the gallery, and without a server the store beside which the sighting is kept.
        sighting: id of the sighting.
        person_id: id of the person.
        strict: refuse a face that may show the person after all, instead of warning.

    Raises:
        UnknownSighting: no sighting has this id, or no crop of it is kept.
        UnknownPerson: no person has this id.
    """
    crop = service.sighting_crop(sighting) if isinstance(service, Client) else _stored_crop(settings, sighting)
    for photo in _photos(crop):
        done = service.correct(settings.gallery, [(f"sighting {sighting}", photo)], person_id, None, strict)
        if not any(each.error.code == "no_face" for each in done.refused):
            break
    return done


def _photos(crop: bytes) -> Iterator[bytes]:
    from facegroup.networks.alignment import to_jpeg  # imports OpenCV, which few commands need

    yield crop
    for margin in MARGINS[1:]:
        wide = bordered(crop, margin)
        if not isinstance(wide, str):
            yield to_jpeg(wide)


def _stored_crop(settings: Settings, sighting: str) -> bytes:
    if not may_be_there(settings.store):
        raise UnknownSighting(
            f"there is no sighting {sighting[:64]!r}: no camera was ever added beside {settings.store}"
        )
    with closing(open_journal(settings.store, settings.cameras.key, secret_keys(settings))) as journal:
        return journal.crop(sighting)
