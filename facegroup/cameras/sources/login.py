"""Answers HTTP and RTSP authentication challenges: Basic, and Digest (RFC 7616).

FFmpeg's and Python's own clients know Digest with MD5 only. Here the strongest challenge is answered, in whichever order
they come: SHA-512-256, SHA-256, MD5, each also with `-sess`; then Basic.
"""

import base64
import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Sequence

from facegroup.errors import SourceRefused

_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_STRENGTH = ("SHA-512-256", "SHA-256", "MD5")
_SCHEME = re.compile(
    r"(?:^|,)\s*([A-Za-z][\w-]*)\s+(?=[\w-]+\s*=)|(?:^|,)\s*(Basic|NTLM|Negotiate)\s*(?=,|$)", re.IGNORECASE
)
_PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]*))')


class Login:
    """Class that answers challenges with a user and a password.

    Args:
        user: not escaped.
        password: not escaped.
    """

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._counts: Counter[str] = Counter()  # answers to each nonce

    def answer(self, challenges: Sequence[str], method: str, uri: str) -> str | None:
        """Return the value of `Authorization`; None if no challenge is of a known kind.

        Args:
            challenges: values of all `WWW-Authenticate` headers.
            method: of the request, such as GET or DESCRIBE.
            uri: as in the request's first line.
        """
        asked = parsed(challenges)
        known = [each for scheme, each in asked if scheme == "digest" and _algorithm(each) is not None]
        if known:
            best = min(known, key=lambda each: _STRENGTH.index(_algorithm(each) or "MD5"))
            return self._digest(best, method, uri)
        if any(scheme == "basic" for scheme, _ in asked):
            pair = f"{self._user}:{self._password}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        return None

    def _digest(self, asked: dict[str, str], method: str, uri: str) -> str:
        algorithm = asked.get("algorithm", "MD5")
        name = _algorithm(asked) or "MD5"

        def hashed(*parts: str) -> str:
            return hashlib.new(_HASHES[name], ":".join(parts).encode(), usedforsecurity=False).hexdigest()

        realm, nonce = asked.get("realm", ""), asked.get("nonce", "")
        self._counts[nonce] += 1
        count, own = f"{self._counts[nonce]:08x}", secrets.token_hex(8)
        first = hashed(self._user, realm, self._password)
        if algorithm.lower().endswith("-sess"):
            first = hashed(first, nonce, own)
        second = hashed(method, uri)
        named = {"username": self._user, "realm": realm, "nonce": nonce, "uri": uri}
        plain = {"algorithm": algorithm} if "algorithm" in asked else {}
        if "auth" in re.split(r"[,\s]+", asked.get("qop", "").lower()):
            named |= {"response": hashed(first, nonce, count, own, "auth", second), "cnonce": own}
            plain |= {"qop": "auth", "nc": count}
        else:
            named["response"] = hashed(first, nonce, second)
        if "opaque" in asked:
            named["opaque"] = asked["opaque"]
        quoted = [f'{key}="{_escaped(value)}"' for key, value in named.items()]
        return "Digest " + ", ".join([*quoted, *(f"{key}={value}" for key, value in plain.items())])


def parsed(challenges: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """Return scheme (lower case) and parameters of each challenge. A header may hold several."""
    found: list[tuple[str, dict[str, str]]] = []
    for text in challenges:
        starts = list(_SCHEME.finditer(text))
        for start, after in zip(starts, [*starts[1:], None], strict=False):
            rest = text[start.end() : after.start() if after else len(text)]
            pairs = {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) or plain
                for name, quoted, plain in _PARAMETER.findall(rest)
            }
            found.append(((start[1] or start[2]).lower(), pairs))
    return found


def refusal(challenges: Sequence[str], *, logs_in: bool) -> SourceRefused:
    """Return the error of a source that asks for a login, or refuses it.

    Args:
        challenges: as of `Login.answer`.
        logs_in: whether the source's address has a user and a password.
    """
    asked = parsed(challenges)
    if not logs_in:
        return SourceRefused("The source asks for a user and a password. Write them as scheme://user:password@host.")
    if asked and Login("", "").answer(challenges, "GET", "/") is None:
        kinds = sorted({f"{scheme.title()} {each.get('algorithm', '')}".strip()[:40] for scheme, each in asked})
        return SourceRefused(
            f"The source asks for a login of a kind that is not known here ({', '.join(kinds)}). None was sent."
        )
    return SourceRefused("The source refuses the user and the password.")


def ffmpeg_answers(challenges: Sequence[str]) -> bool:
    """Return whether FFmpeg 8.1 can answer: it takes the last of several Digests, and knows MD5 only."""
    digests = [each for scheme, each in parsed(challenges) if scheme == "digest"]
    return (_algorithm(digests[-1]) == "MD5") if digests else any(scheme == "basic" for scheme, _ in parsed(challenges))


def _algorithm(asked: dict[str, str]) -> str | None:
    name = asked.get("algorithm", "MD5").upper().removesuffix("-SESS")
    return name if _HASHES.get(name) in hashlib.algorithms_available else None


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"")
