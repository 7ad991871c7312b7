"""The check of an audit log's chain: it finds the first entry that was removed, changed, inserted or moved."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from facegroup.errors import MalformedRequest
from facegroup.store import audit_chain
from facegroup.store.audit import Entry
from facegroup.store.audit_chain import Anchor, Chain

PAGE = 1000
_ATTEMPTS = 5


class Log(Protocol):
    """Class of what holds audit logs: a `Store`, or the client of a server."""

    def audit(self, gallery: str, after: str = "", limit: int = 100) -> list[Entry]:
        """Return a page of entries."""

    def audit_chain(self, gallery: str) -> Chain:
        """Return where the chain begins and ends."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Class of what is wrong with a log first.

    Attributes:
        entry: id of the entry at which it shows; "" at the end of the log.
        number: the number that the entry has, or should have.
        why: what is wrong.
    """

    entry: str
    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Class of the result of a check.

    Attributes:
        gallery: whose log it is; "" for the server's.
        entries: how many entries of the chain were read.
        older: how many entries are from before the chain, which nothing proves.
        start: the anchor from which the entries follow.
        head: the newest entry, as `Chain.head`.
        fault: what is wrong first; None: nothing.
    """

    gallery: str
    entries: int
    older: int
    start: Anchor
    head: str
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Class of a head that was noted: the hash of an entry, and its number unless that is not known (0)."""

    hash: str
    number: int = 0

    @classmethod
    def read(cls, text: str) -> "Head":
        """Return a head of ``number:hash`` or ``hash``. Raises `MalformedRequest`."""
        found = re.fullmatch(r"(?:(\d{1,15}):)?([0-9a-fA-F]{64})", text.strip())
        if not found:
            raise MalformedRequest("A head is the number of an entry, a colon and its hash of 64 hexadecimal digits.")
        return cls(found[2].lower(), int(found[1] or 0))


def verify(log: Log, gallery: str, heads: Sequence[Head] = ()) -> Verified:
    """Check the log of a gallery, page by page, while others may append to it and retention may shorten it.

    Args:
        log: what holds it.
        gallery: its name; "" for the server's log.
        heads: that were noted elsewhere, and must be in the chain.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    for attempt in range(_ATTEMPTS):
        chain = log.audit_chain(gallery)
        found = check(_entries(log, gallery), chain, heads, gallery)
        # What retention removed meanwhile looks as if it were missing.
        if found.fault is None or attempt == _ATTEMPTS - 1 or log.audit_chain(gallery).anchor == chain.anchor:
            break
    return found


def check(entries: Iterable[Entry], chain: Chain, heads: Sequence[Head] = (), gallery: str = "") -> Verified:
    """Check entries, oldest first, that follow a chain's anchor and lead at least to its head."""
    number, previous = chain.anchor.number, chain.anchor.hash
    count = older = 0
    open_heads = [head for head in heads if not _is(head, number, previous)]

    def result(fault: Fault | None = None) -> Verified:
        return Verified(gallery, count, older, chain.anchor, f"{number}:{previous}", fault)

    for entry in entries:
        if not entry.number and not count and not number and _before(entry.id, chain.anchor.id):
            older += 1
            continue
        if fault := _fault(entry, number + 1, previous):
            return result(fault)
        count += 1
        number, previous = entry.number, entry.hash
        open_heads = [head for head in open_heads if not _is(head, number, previous)]
        if number == chain.number and previous != chain.hash:
            return result(Fault(entry.id, number, "its hash is not the one that the head of the chain had"))
    if number < chain.number:
        return result(Fault("", number + 1, f"{_span(number + 1, chain.number)} missing at the end"))
    for head in open_heads:
        return result(Fault("", head.number, _missing(head, chain.anchor)))
    return result()


def anchor_of(entries: Sequence[Entry]) -> Chain:
    """Return the chain that exported entries are of: what is before the first of them, and the last."""
    linked = [each for each in entries if each.number]
    if not linked:
        return Chain(anchor=Anchor(entries[-1].id if entries else ""))
    first, last = linked[0], linked[-1]
    before = next((earlier.id for earlier, later in pairwise(entries) if later is first), "")
    return Chain(last.number, last.hash, Anchor(before, first.number - 1, first.previous))


def _entries(log: Log, gallery: str) -> Iterator[Entry]:
    after = ""
    while page := log.audit(gallery, after, PAGE):
        yield from page
        after = page[-1].id


def _is(head: Head, number: int, found: str) -> bool:
    return head.hash == found and head.number in (0, number)


def _before(entry: str, anchor: str) -> bool:
    """Whether an id is not after that of the anchor."""
    return bool(anchor) and [int(part) for part in entry.split("-")] <= [int(part) for part in anchor.split("-")]


def _fault(entry: Entry, wanted: int, previous: str) -> Fault | None:
    if not entry.number:
        why = "it is not in the chain: something other than this version of facegroup wrote it"
    elif entry.number > wanted:
        why = f"{_span(wanted, entry.number - 1)} missing before it"
    elif entry.number < wanted:
        why = f"it has the number {entry.number} and is in the place of {wanted}: it was inserted or moved"
    elif not audit_chain.fits(entry):
        why = "it was changed: its hash does not fit what it says"
    elif entry.previous != previous:
        why = "it does not follow the entry before it, or the anchor: one of them was exchanged"
    else:
        return None
    return Fault(entry.id, entry.number or wanted, why)


def _span(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"


def _missing(head: Head, anchor: Anchor) -> str:
    if 0 < head.number < anchor.number:
        return f"the head {head.number} is older than what is kept: retention removed entries up to {anchor.number}"
    kept = " or retention removed it" if anchor.number and not head.number else ""
    return f"the head {head.hash[:16]}… that was noted is not in the chain: the log was written anew{kept}"
