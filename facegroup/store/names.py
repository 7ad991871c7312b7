"""Names of galleries and people, and ids of people: which text is safe to store and to show.

Any script and emoji pass, joiners (ZWJ) included. A name goes into URLs, terminals, folders of an export and JSON, so
what would break or forge those is refused, and the message says what it was without repeating it.
"""

import re
import unicodedata
from functools import cache

from facegroup.errors import FacegroupError, ImageError, InvalidName
from facegroup.types import NO_FACE_FOUND, NOT_IN_DATASET, POOR_QUALITY

MAX_CHARACTERS = 200
MAX_BYTES = 800
ID = "[a-z0-9-]{1,64}"

_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that are shown as a space."""
_HIDDEN = re.compile("[\u034f\u17b4\u17b5\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Marks that are not shown, beside the category Cf."""
_STRANGER = re.compile(r"unknown \d+")
_FAULTS = {"Cc": "a control character", "Cs": "half of a surrogate pair", "Zl": "a line break", "Zp": "a line break"}


def clean_name(text: str, what: str = "name") -> str:
    r"""Return `text` as it is stored: normalised to NFC, without white space around it.

    Args:
        text: the name as it was entered.
        what: what the name is of, for the message, such as "gallery name".

    Raises:
        InvalidName: it is empty or nothing of it can be seen; is longer than 200 characters or 800 bytes of UTF-8; has
            control characters, surrogates, bidi overrides or isolates, noncharacters, `/` or `\`; is `.` or `..`; or
            is an answer that a face or photo gets in place of a name, such as ``not in the dataset``, ``poor_quality``,
            ``no face found``, ``no_face`` or ``unknown-17``, in any case and with anything that looks like a space.
    """
    name = text.strip()
    # Before normalising: NFC shortens a text threefold at most, and a megabyte of accents would take its time.
    if len(name) > 4 * MAX_CHARACTERS:
        raise InvalidName(f"the {what} is longer than {MAX_CHARACTERS} characters")
    name = unicodedata.normalize("NFC", name).strip()
    if fault := _fault(name):
        raise InvalidName(f"the {what} {fault}")
    return name


def check_id(person_id: str, whose: str = "person") -> str:
    """Return `person_id` unchanged: 1 to 64 characters of ``[a-z0-9-]``; `whose` id it is, a message says.

    Raises:
        InvalidName: it is anything else.
    """
    if re.fullmatch(ID, person_id) is None:
        raise InvalidName(f"a {whose}'s id is 1 to 64 characters of a-z, 0-9 and -")
    return person_id


def _fault(name: str) -> str | None:
    if not name:
        return "is empty"
    if len(name) > MAX_CHARACTERS:
        return f"is longer than {MAX_CHARACTERS} characters"
    for character in name:
        if fault := _character_fault(character):
            return f"holds {fault} (U+{ord(character):04X})"
    faults = {
        f"is longer than {MAX_BYTES} bytes": len(name.encode()) > MAX_BYTES,
        "is a path, not a name": name in (".", ".."),
        "has no visible characters": not _shown(name).strip(),
        "is reserved: it is what a face or photo without a name is answered; choose another": _is_answer(name),
    }
    return next((fault for fault, found in faults.items() if found), None)


def _character_fault(character: str) -> str | None:
    if character in "/\\":
        return "a slash"
    if character in _BIDI:
        return "a character that reverses the text around it"
    if 0xFDD0 <= ord(character) <= 0xFDEF or ord(character) & 0xFFFE == 0xFFFE:
        return "a code point that is no character"
    # Unassigned code points pass: what is unassigned depends on the Python that asks, and next year's emoji must not
    # make a stored name unreadable. Private ones pass too: rare characters of Chinese and Japanese names live there.
    return _FAULTS.get(unicodedata.category(character))


def _shown(name: str) -> str:
    """Return what can be seen of a name, with plain spaces."""
    kept = _HIDDEN.sub("", unicodedata.normalize("NFKC", name))
    return "".join(" " if c in _BLANK else c for c in kept if unicodedata.category(c) != "Cf")


def _is_answer(name: str) -> bool:
    """Return whether a name could be taken for an answer, as it is or with reasons in parentheses behind it."""
    words = " ".join(re.sub(r"[\W_]+", " ", _shown(name).casefold().partition("(")[0]).split())
    return words in _answers() or _STRANGER.fullmatch(words) is not None


@cache
def _answers() -> frozenset[str]:
    answers = (NOT_IN_DATASET, NO_FACE_FOUND, POOR_QUALITY, *_codes(ImageError))
    return frozenset(answer.replace("_", " ") for answer in answers)


def _codes(kind: type[FacegroupError]) -> set[str]:
    return {kind.code}.union(*map(_codes, kind.__subclasses__()))
