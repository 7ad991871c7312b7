"""Changes of bytes that break readers most often: flips, cuts, repeats, and numbers at the edge of what fits."""

import random
import struct
from collections.abc import Iterator, Sequence

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WORDS = (
    *(b"", b"\0", b"\xff\xfe", b"NaN", b"-1", b"1e999", b"9" * 400, b"null", b"[]", b"{}", b'""', b"true", b"\r\n\r\n"),
    *(
        b"[" * 2000,
        b'{"a":' * 500,
        b"&a [*a]",
        b"!!python/object:os.system {}",
        b"../../x",
        b"\xed\xa0\x80",
        "é曾\u202e".encode(),
    ),
)


def changed(data: bytes, draw: random.Random, others: Sequence[bytes] = ()) -> bytes:
    """Return bytes with one to four changes; some take a piece of one of the others."""
    made = bytearray(data)
    for _ in range(draw.randint(1, 4)):
        start = draw.randint(0, len(made))
        end = min(len(made), start + draw.choice((1, 2, 4, 16, 200)))
        piece = bytes(made[start:end])
        match draw.randrange(7):
            case 0:
                made[start:end] = bytes(byte ^ (1 << draw.randrange(8)) for byte in piece[:1]) + piece[1:]
            case 1:
                made[start:end] = draw.randbytes(len(piece))
            case 2:
                del made[start:end]
            case 3:
                made[start:start] = piece * draw.choice((1, 2, 50))
            case 4:
                made[start:end] = draw.choice(_WORDS)
            case 5:
                kind = draw.choice((">B", "<H", ">H", "<I", ">I"))
                most = 256 ** struct.calcsize(kind) - 1
                made[start : start + struct.calcsize(kind)] = struct.pack(kind, draw.choice(_NUMBERS) & most)
            case _:
                other = draw.choice(others) if others else data
                place = draw.randint(0, len(other))
                made[start:end] = other[place : place + draw.choice((4, 32, 500))]
    return bytes(made[: 1 << 20])


def drawn(seeds: Sequence[bytes], seed: int) -> Iterator[bytes]:
    """Give changes of some seeds for ever, the same for the same number."""
    draw = random.Random(seed)
    while True:
        yield changed(draw.choice(seeds), draw, seeds)
