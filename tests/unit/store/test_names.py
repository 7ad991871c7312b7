import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegroup.errors import InvalidName
from facegroup.store.names import check_id, clean_name

NAMES = [
    *("Ann", "曾宏鈞", "محمد", "नरेंद्र", "Ö", "𠮷野", "O'Brien", "a.b", "...", "C++ & <b>"),
    "\U0001f469\u200d\U0001f680",  # woman astronaut, joined by ZWJ
    "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # flag of England, spelled in tags
    "\u200f\u05e9\u05dc\u05d5\u05dd",  # Hebrew after a right-to-left mark
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with its non-joiner
    "\ue000",  # a private character
    *("Noface", "No Face Foundation", "Unknown", "unknown-17-b", "Poor Quality Street", "(poor_quality)", "Conflict"),
    "\U0001fae8",  # an emoji that is younger than Python 3.11's tables
]


@pytest.mark.parametrize("name", NAMES)
def test_any_script_and_emoji_pass_unchanged(name: str) -> None:
    assert clean_name(name) == name


@pytest.mark.parametrize("text", ["Zoe\u0308", "  Zoë", "Zoë\u3000\n", "\u00a0Zoë\t"])
def test_names_are_normalised_and_stripped(text: str) -> None:
    assert clean_name(text) == "Zoë"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        (" \t\u2003\n", "empty"),
        ("\u200d\u200b", "visible"),
        ("a" * 201, "200 characters"),
        ("e\u0301" * 201, "200 characters"),
        ("a" * 1_000_000, "200 characters"),
        ("a\x00b", "control"),
        ("a\nb", "control"),
        ("a\x7fb", "control"),
        ("a\x85b", "control"),
        ("a\u2028b", "line break"),
        ("a\ud83d", "surrogate"),
        ("a\u202eb", "reverses"),
        ("\u2066ab\u2069", "reverses"),
        ("a\ufffeb", "no character"),
        ("a\U0010ffffb", "no character"),
        ("a\ufdd0b", "no character"),
        ("../etc", "slash"),
        ("a\\b", "slash"),
        (".", "path"),
        (" .. ", "path"),
        ("not in the dataset", "reserved"),
        ("Not In The DATASET ", "reserved"),
        ("not  in\u00a0the data\u200bset", "reserved"),
        ("ｎｏｔ in the dataset", "reserved"),
        ("not\u3164in\u2800the da\ufe0ftaset", "reserved"),
        ("not-in-the-dataset!", "reserved"),
        ("poor_quality", "reserved"),
        ("Poor\u2003Quality", "reserved"),
        ("poor_quality (too_blurred, face_cut_off)", "reserved"),
        ("no face found", "reserved"),
        ("NO FACE FOUND.", "reserved"),
        ("no_face", "reserved"),
        ("No\u202fFace", "reserved"),
        ("multiple-faces", "reserved"),
        ("truncated_image", "reserved"),
        ("Unknown-17", "reserved"),
        ("unknown\u00a0\uff11\uff17", "reserved"),
        ("\u3164\u115f", "visible"),
        ("\u2800\ufe0f", "visible"),
    ],
)
def test_what_would_break_or_forge_is_refused_by_name(text: str, fault: str) -> None:
    with pytest.raises(InvalidName, match=fault) as caught:
        clean_name(text, "gallery name")
    assert "gallery name" in str(caught.value)
    assert str(caught.value).isprintable()


def test_the_limits_themselves_pass() -> None:
    assert len(clean_name("a" * 200)) == 200
    assert len(clean_name("e\u0301" * 200)) == 200
    assert len(clean_name("👩" * 200).encode()) == 800


@given(st.text(max_size=300))
def test_a_clean_name_stays_as_it_is(text: str) -> None:
    try:
        name = clean_name(text)
    except InvalidName:
        return
    assert clean_name(name) == name
    assert unicodedata.is_normalized("NFC", name)
    assert 0 < len(name.encode()) <= 800


@pytest.mark.parametrize("person_id", ["a", "0", "ann-2", "f" * 64])
def test_ids_pass(person_id: str) -> None:
    assert check_id(person_id) == person_id


@pytest.mark.parametrize("person_id", ["", "A", "a_b", "a b", "é", "٣", "a\n", "a/b", "f" * 65, "\ud800"])
def test_other_ids_are_refused(person_id: str) -> None:
    with pytest.raises(InvalidName, match="a-z"):
        check_id(person_id)
