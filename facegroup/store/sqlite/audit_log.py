"""The audit logs in a SQLite file, each a hash chain. `chains` has a row for each: its head, and what was removed."""

import sqlite3
from dataclasses import dataclass

from facegroup.store import audit_chain, validation
from facegroup.store.audit import DONE, Entry, Event, Origin, Retention
from facegroup.store.audit_chain import GENESIS, Anchor, Chain
from facegroup.store.staging import is_staging

_TRIMMED = 64
"""How many entries one write removes at most: more than it adds."""

_COLUMNS = "gallery, at, what, person, detail, actor, request, address, result, number, previous, hash"


@dataclass(frozen=True, slots=True)
class _Link:
    """Class of a row of `chains`; `older` counts the entries of before the chain."""

    number: int
    hash: bytes
    older: int
    anchor_id: int
    anchor_number: int
    anchor_hash: bytes

    @property
    def kept(self) -> int:
        """How many entries there are."""
        return self.older + self.number - self.anchor_number


def append(db: sqlite3.Connection, keep: Retention, gallery: str, event: Event, by: Origin, result: str = DONE) -> None:
    """Append an entry to a log, and let its oldest go."""
    if is_staging(gallery):
        return  # what is done there is no event
    found, now = _link(db, gallery), validation.now()
    number = found.number + 1
    digest = audit_chain.digest(gallery, now, event, by, result)
    new = audit_chain.link(found.hash, digest, number)
    who = (by.actor, by.request, by.address, result)
    row = (gallery, now, event.what, event.person_id or "", event.json(), *who, number, found.hash, new)
    db.execute(f"INSERT INTO audit ({_COLUMNS}) VALUES ({', '.join('?' * len(row))})", row)
    db.execute("UPDATE chains SET number = ?, hash = ? WHERE gallery = ?", (number, new, gallery))
    if found.kept >= keep.entries or number % _TRIMMED == 0:  # the age of entries is looked at with each 64th only
        trim(db, keep, gallery)


def trim(db: sqlite3.Connection, keep: Retention, gallery: str, most: int = _TRIMMED) -> int:
    """Remove up to `most` of the oldest entries that are not to be kept; return how many."""
    found, oldest = _link(db, gallery), keep.oldest(validation.now())
    excess = found.kept - keep.entries
    query = "SELECT key, at, number, hash FROM audit WHERE gallery = ? ORDER BY key LIMIT ?"
    gone = []
    for row in db.execute(query, (gallery, most if excess > 1 else 1)).fetchall():
        if excess <= 0 and row["at"] >= oldest:
            break
        excess -= 1
        gone.append(row)
    if gone:
        last, older = gone[-1], sum(not row["number"] for row in gone)
        db.execute("DELETE FROM audit WHERE gallery = ? AND key <= ?", (gallery, last["key"]))
        db.execute("UPDATE chains SET older = older - ? WHERE gallery = ?", (older, gallery))
        if last["number"]:
            anchor = "anchor_id = ?, anchor_number = ?, anchor_hash = ?"
            row = (last["key"], last["number"], last["hash"], gallery)
            db.execute(f"UPDATE chains SET {anchor} WHERE gallery = ?", row)
    return len(gone)


def page(db: sqlite3.Connection, gallery: str, after: int, limit: int) -> list[Entry]:
    """Return entries of a log, oldest first."""
    query = "SELECT * FROM audit WHERE gallery = ? AND key > ? ORDER BY key LIMIT ?"
    rows = db.execute(query, (gallery, after, limit)).fetchall()
    return [Entry.read(gallery, str(row["key"]), row["at"], dict(row)) for row in rows]


def chain(db: sqlite3.Connection, gallery: str) -> Chain:
    """Return where the chain of a log begins and ends."""
    found = _read(db, gallery) or _begun(db, gallery)
    key = str(found.anchor_id) if found.anchor_id else ""
    anchor = Anchor(key, found.anchor_number, found.anchor_hash.hex())
    return Chain(found.number, found.hash.hex(), anchor)


def names(db: sqlite3.Connection, after: str, limit: int) -> list[str]:
    """Return names of galleries that have a log."""
    query = (
        "SELECT gallery FROM audit WHERE gallery > ?1 UNION SELECT gallery FROM chains WHERE gallery > ?1"
        " ORDER BY gallery LIMIT ?2"
    )
    return [row[0] for row in db.execute(query, (after, limit))]


def _link(db: sqlite3.Connection, gallery: str) -> _Link:
    """Return the row of a log, made where there is none."""
    found = _read(db, gallery)
    if found is None:
        found = _begun(db, gallery)
        values = (found.number, found.hash, found.older, found.anchor_id, found.anchor_number, found.anchor_hash)
        db.execute("INSERT INTO chains VALUES (?, ?, ?, ?, ?, ?, ?)", (gallery, *values))
    return found


def _read(db: sqlite3.Connection, gallery: str) -> _Link | None:
    row = db.execute("SELECT * FROM chains WHERE gallery = ?", (gallery,)).fetchone()
    return None if row is None else _Link(*tuple(row)[1:])


def _begun(db: sqlite3.Connection, gallery: str) -> _Link:
    """Return the row of a chain that begins: entries that are there are of before it."""
    count, last = db.execute("SELECT count(*), max(key) FROM audit WHERE gallery = ?", (gallery,)).fetchone()
    return _Link(0, GENESIS, count, last or 0, 0, GENESIS)
