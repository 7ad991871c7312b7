"""The commands `secret-key`, which makes a key, and `encrypt`, which encrypts what a store holds."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, cast

import typer

from facegroup.cameras import journal
from facegroup.cameras.journal.conversion import JournalConversion
from facegroup.cli.options import AsJson, Store
from facegroup.cli.output import bar, show_log
from facegroup.errors import FacegroupError, InvalidSettings
from facegroup.settings import Settings, load
from facegroup.store import open_store, server_log
from facegroup.store.audit import Event, Retention
from facegroup.store.conversion import Converted, Converts
from facegroup.store.encryption import PLAIN, SecretKeys, new_key
from facegroup.store.secret_key import secret_keys


def add_commands(app: typer.Typer) -> None:
    """Add the commands to a Typer app."""
    app.command("secret-key")(secret_key)
    app.command()(encrypt)


def secret_key() -> None:
    """Make a key for FACEGROUP_SECRET_KEY, which encrypts descriptors, face crops and secrets in the store.

    Keep a copy of it: without the key nothing of the store can be read.
    """
    typer.echo(new_key())


def encrypt(
    decrypt: Annotated[bool, typer.Option("--decrypt", help="decrypt everything instead")] = False,
    clean: Annotated[
        bool,
        typer.Option(
            help="remove old values from the database too. A write to SQLite waits meanwhile, up to 10 seconds, and then "
            "gets store_unavailable"
        ),
    ] = True,
    store: Store = None,
    as_json: AsJson = False,
) -> None:
    """Encrypt what the store holds with the first secret key, beside running servers. If it is interrupted, run it again.

    It also moves values from an older key to the first. Status 1 if values were left that no key can decrypt, if a server
    still writes under another key, if a gallery is damaged, or if old values could not be removed.
    """
    settings = load(store=store)
    show_log(settings)
    keys = secret_keys(settings)
    if decrypt:
        keys = keys.decrypting()
    elif keys.own == PLAIN:
        raise InvalidSettings(
            "There is no key to encrypt with. Set FACEGROUP_SECRET_KEY_FILE to a file that holds the output of "
            "`facegroup secret-key`."
        )
    text = "decrypting" if decrypt else "encrypting"
    done, cleaned = Converted(), clean
    for what, place in _places(settings, keys):
        with closing(place):
            with bar(f"{text}{what}", place.rows()) as progress:
                done += place.convert(progress.advance)
            cleaned = clean and _cleaned(place) and cleaned
    event = Event("decrypted" if decrypt else "encrypted", None, asdict(done))
    if fault := server_log.note(settings, event, "cli", keys):
        typer.echo(fault, err=True)
    answer = {"values": done.values, "unreadable": done.unreadable, "complete": done.complete, "cleaned": cleaned}
    typer.echo(
        json.dumps(answer) if as_json else f"{done.values} values were {'decrypted' if decrypt else 'encrypted'}"
    )
    if done.unreadable:
        typer.echo(f"left as they are: {done.unreadable} values that cannot be decrypted", err=True)
    if not done.complete:
        typer.echo(
            "Some values are still under another key: a server writes under it, or a gallery is damaged, which the log "
            "names. Start all servers with the new key, then run this again.",
            err=True,
        )
    if settings.store.startswith("redis"):
        files = "Snapshots (dump.rdb), files of replicas and backups hold the old values until they are replaced."
        if not cleaned:
            files += " So does the append-only file, until the next BGREWRITEAOF."
        typer.echo(files, err=True)
    if done.unreadable or not done.complete or (clean and not cleaned):
        raise typer.Exit(1)


def _places(settings: Settings, keys: SecretKeys) -> Iterator[tuple[str, Converts]]:
    """Open what is to be encrypted, each with the words for it."""
    yield "", cast(Converts, open_store(settings.store, "cli", keys, Retention.of(settings.audit)))
    if journal.may_be_there(settings.store):
        yield " what cameras saw", JournalConversion(settings.store, settings.cameras.key, keys)


def _cleaned(place: Converts) -> bool:
    try:
        place.clean()
    except FacegroupError as error:
        typer.echo(f"Old values were not removed from the database: {error.detail} Run this again.", err=True)
        return False
    return True
