"""Choose an installed font that can write a given text.

Pillow's own font has only Latin letters, but names come in every script. The usual system fonts are searched at the first
use, and the first one with all glyphs is taken, or else the one with most of them.
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
    """Return the installed font with the most glyphs of `text`, at `size` pixels."""
    wanted = frozenset(character for character in text if not character.isspace())
    return _sized(min(_found(), key=lambda path: len(_missing(path, wanted))), size)


@functools.cache
def _found() -> tuple[str, ...]:
    """Return the installed fonts in order of preference, and Pillow's own as an empty path."""
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
    """Return the characters that the font draws like a character that does not exist."""
    font = _sized(path, 20)
    nothing = _drawn(font, "\U0010ffff")
    return frozenset(character for character in characters if _drawn(font, character) == nothing)


def _drawn(font: Font, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)
