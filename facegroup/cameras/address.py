"""Addresses of sources and receivers: what may be opened, and what of it may be shown.

`rtsp(s)://`, `http(s)://`, `file:///…`, `v4l2:///dev/video0`. User, password and query values never leave this process but
towards the source itself: nothing here quotes an address in an error, other than by `shown`.
"""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_HIDDEN = "***"


def shown(source: str) -> str:
    """Return an address without user and password, and without the values of its query, where they may be secrets too."""
    try:
        parts = urlsplit(source)
        host = parts.netloc.rpartition("@")[2]
        query = urlencode([(name, _HIDDEN) for name, _ in parse_qsl(parts.query, keep_blank_values=True)], safe="*")
        return urlunsplit((parts.scheme, host, parts.path, query, ""))
    except ValueError:
        return _HIDDEN


def has_secret(source: str) -> bool:
    """Whether an address holds something that `shown` leaves out."""
    return shown(source) != source
