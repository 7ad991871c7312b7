"""A sighting's face → photos of it, to be looked at again: as it is kept, then with more around it.

What is kept was cut out as the network wants it, so a detector may need a border to find the face in it.
"""

from collections.abc import Iterator
from contextlib import closing

from facegroup.cameras.journal import may_be_there, open_journal
from facegroup.cli.service import Service
from facegroup.client import Client
from facegroup.enrolment.samples import Enrolment
from facegroup.errors import UnknownSighting
from facegroup.networks.alignment import to_jpeg
from facegroup.settings import Settings
from facegroup.transfer.reembedding import MARGINS, bordered


def correct(service: Service, settings: Settings, sighting: str, person_id: str, strict: bool) -> Enrolment:
    """Make the face of a sighting a counter-example of a person; see `Recognizer.correct`.

    Args:
        service: a server, or the pipeline over the store of the settings.
        settings: with the gallery; where there is no server, the sighting is looked for beside the settings' store.
        sighting: id.
        person_id: who it is not.
        strict: whether a face that may show the person after all is refused, not only doubted.

    Raises:
        UnknownSighting: there is none of this id, or no picture of it is kept.
        UnknownPerson: there is none.
    """
    crop = service.sighting_crop(sighting) if isinstance(service, Client) else _kept(settings, sighting)
    for photo in _photos(crop):
        done = service.correct(settings.gallery, [(f"sighting {sighting}", photo)], person_id, None, strict)
        if not any(each.error.code == "no_face" for each in done.refused):
            break
    return done


def _photos(crop: bytes) -> Iterator[bytes]:
    yield crop
    for margin in MARGINS[1:]:
        wide = bordered(crop, margin)
        if not isinstance(wide, str):
            yield to_jpeg(wide)


def _kept(settings: Settings, sighting: str) -> bytes:
    if not may_be_there(settings.store):
        raise UnknownSighting(
            f"there is no sighting {sighting[:64]!r}: no camera was ever added beside {settings.store}"
        )
    with closing(open_journal(settings.store, settings.cameras.key)) as journal:
        return journal.crop(sighting)
