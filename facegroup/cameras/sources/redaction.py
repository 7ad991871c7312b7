"""Redacts addresses: hides user, password, and whatever looks like a key elsewhere in an address.

A camera's path and its usual options are shown, since the channels of one device differ in nothing else. The value of an
option is shown only if its name is known and the value is a short number, a resolution, or made of known words.
"""

import re
from urllib.parse import SplitResult, unquote

HIDDEN = "***"

# fmt: off
_NAMES = frozenset((
    "action", "audio", "audiocodec", "camera", "ch", "chan", "channel", "channelid", "chn", "cmd", "codec",
    "compression", "enablesrtp", "format", "fps", "framerate", "height", "id", "img", "inst", "media", "mode",
    "motion", "multicast", "name", "number", "profile", "proto", "protocol", "q", "quality", "rate", "res",
    "resolution", "rotation", "sessiontimeout", "size", "source", "stream", "streamid", "streamtype", "subtype",
    "substream", "track", "trackid", "transport", "transportmode", "type", "unicast", "video", "videocodec", "videoid",
    "width",
))
# fmt: on
"""Names of options whose values choose a stream or its format."""

_SECRET = (
    r"user(?:name)?|usr|login\w*?|pass\w*?|pas|pwd|psw|pw|psk|pin(?:code)?|code|token|\w*?key|auth\w*?|access\w*?|"
    r"cred\w*?|secret|sig(?:nature)?|session(?:_?id)?|sid|otp|jwt|bearer"
)
_ASSIGNED = re.compile(rf"(?i)((?<![a-z])(?:{_SECRET})=)(.*?)(?=[_&;][a-z]+=|$)")
_SECRETS = re.compile(rf"(?i)(?:.*[_.-])?(?:{_SECRET})s?")
_PIECE = re.compile(r"[^&;=]+")
_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_HEX = re.compile(r"(?i)(?=.*[0-9])(?=.*[a-f])[0-9a-f-]+")
_WORD = (
    r"h26[45]|preview|main|sub|minor|second|third|stream(?:ing)?|channels?|profile|live|video|media|onvif|mpeg4?|jpe?g|"
    r"https?|rtsp|input|track|unicast|realmonitor|camera|cam|high|low|hd|sd|ch|av|ip|(?<!\d)\d{1,4}(?!\d)|[_~+.-]"
)
_WORDS = re.compile(rf"(?i){_WORD}")
_RESOLUTION = re.compile(r"(?i)\d{1,5}[x*]\d{1,5}|\d{3,4}p")
_PLAIN = re.compile(
    rf"(?i){_WORD}|true|false|on|off|yes|none|no|standard|"
    r"normal|default|auto|best|medium|snap(?:shot)?|image|tcp|udp|rtp|primary|"
    r"secondary|all|aac|opus|pcm[au]?|hevc|avc|mjpe?g|4?cif|q?vga"
)
_NAME = re.compile(r"[A-Za-z][\w.-]{,23}")


def shown(parts: SplitResult) -> str:
    """Return an address for people. A part after `#` is left out: it is never sent to a host."""
    place, secret = _place(parts.path)
    # In a path with a password, a ? may be part of the password.
    query = HIDDEN if secret and parts.query else "&".join(map(_option, parts.query.split("&")))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{place}{'?' if query else ''}{query}"


def looks_random(word: str) -> bool:
    """Return whether a word is long and looks random, as the keys of many webhooks and streams are.

    A random word changes between letters and digits, upper and lower case, more often than a name:
    `h264Preview_01_sub` and `front_door_camera_2` do so at most every third character.
    """
    word = unquote(word)
    if len(word) < 16 or len(_WORDS.sub("", word)) <= 2 or not word.isascii():
        return False
    if _HEX.fullmatch(word):
        return True
    runs = _RUN.findall(word)
    if sum(map(len, runs)) < 3 * len(runs) or not runs:
        return True
    pieces = re.split(r"[_~+.-]", word)
    return any(len(each) >= 16 and not each.isalpha() and not each.isdigit() for each in pieces)


def _place(path: str) -> tuple[str, bool]:
    """Return a path for people, and whether it has a secret in it, not only a word that looks random."""
    path, assigned = _ASSIGNED.subn(rf"\1{HIDDEN}", path)
    pieces, named, secret = [], False, assigned > 0
    for piece in path.split("/"):
        word = unquote(piece)
        hidden = bool(piece) and (named or ":" in word)
        pieces.append(
            HIDDEN if hidden else _PIECE.sub(lambda part: HIDDEN if looks_random(part[0]) else part[0], piece)
        )
        secret |= hidden
        named = _SECRETS.fullmatch(word) is not None if piece else named
    return "/".join(pieces), secret


def _option(pair: str) -> str:
    name, _, value = pair.partition("=")
    known = name.lower() in _NAMES
    if not value:
        return pair if known or not pair else HIDDEN
    if known and _is_plain(value):
        return pair
    return f"{name if _NAME.fullmatch(name) and not looks_random(name) else HIDDEN}={HIDDEN}"


def _is_plain(value: str) -> bool:
    """Return whether a value is a short number, a resolution, or made of known words with few digits."""
    if _RESOLUTION.fullmatch(value):
        return True
    digits = re.findall(r"\d", re.sub(r"(?i)h26[45]", "", value))
    return len(digits) <= 4 and not _PLAIN.sub("", value)
