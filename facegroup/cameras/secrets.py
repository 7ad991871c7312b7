"""An address → what of it may be shown: all of it, but for user, password and what looks like a key elsewhere in it.

A camera's path and its usual options are shown as they are, since the channels of one device differ in nothing else. What
is neither known to be harmless nor to be secret is hidden.
"""

import re
from urllib.parse import SplitResult, unquote

HIDDEN = "***"

# fmt: off
_NAMES = frozenset((
    "action", "audio", "audiocodec", "camera", "ch", "chan", "channel", "channelid", "chn", "cmd", "codec",
    "compression", "enablesrtp", "format", "fps", "framerate", "height", "id", "img", "inst", "media", "mode",
    "motion", "multicast", "name", "number", "profile", "proto", "protocol", "q", "quality", "rate", "res",
    "resolution", "rotation", "size", "source", "stream", "streamid", "streamtype", "subtype", "substream", "track",
    "trackid", "transport", "transportmode", "type", "unicast", "video", "videocodec", "videoid", "width",
))
# fmt: on
"""Of options whose values say what to show, and how."""

_SECRET = (
    r"user(?:name)?|usr|login\w*?|pass\w*?|pwd|psw|pw|pin|code|token|\w*?key|auth\w*?|secret|"
    r"sig(?:nature)?|session(?:_?id)?|sid"
)
_ASSIGNED = re.compile(rf"(?i)((?<![a-z])(?:{_SECRET})=)(.*?)(?=[_&;][a-z]+=|$)")
_SECRETS = re.compile(rf"(?i)(?:.*[_.-])?(?:{_SECRET})")
_PLAIN = re.compile(r"\d{1,4}|\d{1,5}x\d{1,5}|true|false|on|off|yes|no", re.IGNORECASE)
_PIECE = re.compile(r"[^/&;=]+")
_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_HEX = re.compile(r"(?i)(?=.*[0-9])(?=.*[a-f])[0-9a-f-]+")
_WORDS = re.compile(
    r"(?i)h26[45]|preview|main|sub|minor|second|third|stream(?:ing)?|channels?|profile|live|video|media|onvif|mpeg4?|jpe?g|"
    r"https?|rtsp|input|track|unicast|realmonitor|camera|cam|high|low|hd|sd|ch|av|ip|(?<!\d)\d{1,4}(?!\d)|[_~+.-]"
)


def shown(parts: SplitResult) -> str:
    """Return an address for people. A part behind `#` is left out: no host is sent it."""
    place = _PIECE.sub(lambda word: HIDDEN if looks_random(word[0]) else word[0], parts.path)
    place, secrets = _ASSIGNED.subn(rf"\1{HIDDEN}", place)
    # A ? may be a part of the password in a path.
    query = HIDDEN if secrets and parts.query else "&".join(map(_option, parts.query.split("&")))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{place}{'?' if query else ''}{query}"


def looks_random(word: str) -> bool:
    """Whether a word is long and looks drawn by chance, as the key of many a webhook or stream is.

    Such a word changes between letters and digits, upper and lower case, more often than one that somebody made up:
    `h264Preview_01_sub` or `front_door_camera_2` do so every third character at most.
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


def _option(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        return name if name.lower() in _NAMES else HIDDEN if name else ""
    known = name.lower() in _NAMES and not looks_random(value)
    plain = _PLAIN.fullmatch(value) and len(name) > 1 and not _SECRETS.fullmatch(name)
    return f"{name}={value if known or plain else HIDDEN}"
