"""Tell the licence of a network's weights at its first start on a machine."""

import hashlib
import logging
from collections.abc import Callable

from facegroup.networks.spec import NetworkSpec
from facegroup.settings import Settings

FOLDER = "licences"

log = logging.getLogger(__name__)


def tell_once(spec: NetworkSpec, settings: Settings, tell: Callable[[str], None]) -> None:
    """Call `tell` with the licence of a network, unless that was done on this machine before.

    What was told is noted in the cache. If the cache cannot be written, it is told at every start.
    """
    name = hashlib.sha256(f"{spec.name}\n{spec.licence}".encode()).hexdigest()[:32]
    note = settings.cache_dir / FOLDER / name
    if note.is_file():
        return
    tell(f"licence of {spec.name}: {spec.licence}")
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{spec.name}\n{spec.licence}\n")
    except OSError as error:
        log.debug("%s cannot be written: %s", note, error)
