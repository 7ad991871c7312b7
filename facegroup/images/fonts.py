"""A text and a size → a font of this machine that can write it.

Pillow's own font writes Latin only; names come in every script. So the fonts that systems usually carry are looked for, at
the first use, and the first that has all the glyphs is taken; where none has, the one with the most.
"""

import functools
import os
import sys
from pathlib import Path
from typing import TypeAlias

from PIL import ImageFont

Font: TypeAlias = ImageFont.FreeTypeFont

_FILES = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "LiberationSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansTC-Regular.otf",
    "wqy-zenhei.ttc",
    "wqy-microhei.ttc",
    "DroidSansFallbackFull.ttf",
    "unifont.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "Arial Unicode.ttf",
    "PingFang.ttc",
)

_FOLDERS = (
    (Path("/System/Library/Fonts"), Path("/Library/Fonts"))
    if sys.platform == "darwin"
    else (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts")
)


def font_for(text: str, size: int) -> Font:
    """Return a font of `size` pixels that has the glyphs of `text`, or as many of them as any here."""
    wanted = frozenset(character for character in text if not character.isspace())
    return _sized(min(_found(), key=lambda path: len(_missing(path, wanted))), size)


@functools.cache
def _found() -> tuple[str, ...]:
    """The fonts of this machine by preference, and Pillow's own, named by an empty path."""
    places = {name: Path(folder, name) for top in _FOLDERS for folder, _, names in os.walk(top) for name in names}
    return (*(str(places[name]) for name in _FILES if name in places), "")


@functools.lru_cache(maxsize=256)
def _sized(path: str, size: int) -> Font:
    font = ImageFont.truetype(path, size) if path else ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType")
    return font


@functools.lru_cache(maxsize=4096)
def _missing(path: str, characters: frozenset[str]) -> frozenset[str]:
    """The characters for which the font draws what it draws for a character that does not exist."""
    font = _sized(path, 20)
    nothing = _drawn(font, "\U0010ffff")
    return frozenset(character for character in characters if _drawn(font, character) == nothing)


def _drawn(font: Font, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)
