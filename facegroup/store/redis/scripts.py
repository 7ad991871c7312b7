"""The Lua scripts of the Redis store, in `lua/`. Each is one atomic step.

A script computes nothing. It is given what the caller read, and returns -1 (a conflict) if that has changed since, so that
the caller reads again. It returns nil if there is no gallery.
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgpack

from facegroup.store.redis.keys import Keys
from facegroup.store.redis.server import Command


@cache
def source(name: str) -> str:
    """Return the text of a file of `lua/`, without comments and indentation: it is sent and hashed with every call."""
    text = (files(__package__) / "lua" / f"{name}.lua").read_text("utf-8")
    return re.sub(r"(?m)^\s*--.*\n|^\s+", "", text)


def script(name: str, gallery: str, /, **arguments: Any) -> Command:
    """Return the command that runs a script on the keys of a gallery; see `on_keys` for the arguments."""
    return on_keys(name, Keys.of(gallery), arguments)


def on_keys(name: str, keys: Sequence[str], arguments: dict[str, Any]) -> Command:
    """Return the command that runs a script on keys.

    Args:
        name: of the script.
        keys: of one gallery or of several, as `Keys` has them.
        arguments: what the script takes as `args`. Numbers that are kept go in as text: Lua's own text of a number has 14
            digits.
    """
    # Bytes and text alike, in the oldest form: Lua does not tell them apart, and not every cmsgpack knows the newer.
    packed = msgpack.packb(arguments, use_bin_type=False)
    return ("EVAL", f"{source('prelude')}\n{source(name)}", len(keys), *keys, packed)
