"""Hostile bytes at each seam: some seconds of what `python -m tests.fuzzing` does for hours. What that found is in FOUND."""

from itertools import islice

import pytest

from tests.fuzzing.mutations import drawn
from tests.fuzzing.seams import SEAMS, seam

INPUTS = {"images": 600, "multipart": 150, "archives": 300, "networks": 300, "redis": 3000}

FOUND: dict[str, list[bytes]] = {
    # NumPy's reader of headers raises tokenize.TokenError and SyntaxError.
    "archives": [b"\1\x93NUMPY\1\0\x0c\0{'descr': (\n", b"\1\x93NUMPY\1\0\x06\0{'a\0':", b"\1\x93NUMPY\1\0\x02\0 {"],
    # Entries of the audit log: detail, date and number.
    "redis": [
        b"\x0f[",
        b"\x0f[]",
        b"\x0f" + b"[" * 100_000,
        b'\x0f{"a": NaN}',
        b"\3nan",
        b"\3x",
        b"\x23-1",
        b"\x23" + b"9" * 5000,
    ],
}
"""By seam, what once broke it."""


@pytest.mark.parametrize("name", SEAMS)
def test_whatever_comes_in_is_refused_or_read(name: str) -> None:
    place = seam(name)
    for data in (*place.seeds, *FOUND.get(name, ()), *islice(drawn(place.seeds, 19), INPUTS[name])):
        try:
            place.send(data)
        except Exception as error:
            raise AssertionError(f"{name} breaks on {data[:2000]!r}") from error
