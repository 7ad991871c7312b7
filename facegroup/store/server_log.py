"""Entries of the server's own audit log from where no store is open: a start, and commands."""

from contextlib import closing

from facegroup.errors import FacegroupError
from facegroup.settings import Settings
from facegroup.store import open_store
from facegroup.store.audit import SERVER, Event, Retention
from facegroup.store.encryption import SecretKeys
from facegroup.store.secret_key import secret_keys


def note(settings: Settings, event: Event, actor: str, keys: SecretKeys | None = None) -> str:
    """Write an entry; return what is wrong if that is not possible, else nothing. What it tells of is done all the same.

    Args:
        settings: which name the store.
        event: what was done.
        actor: who did it: ``cli`` or ``server``.
        keys: of the store; None: those of the settings.
    """
    try:
        keep = Retention.of(settings.audit)
        with closing(open_store(settings.store, actor, keys or secret_keys(settings), keep)) as store:
            store.note(SERVER, event)
    except FacegroupError as error:
        return f"the audit entry {event.what} cannot be written: {error.detail}"
    return ""
