"""The Lua files: each compiles on a server, and gets its one argument whole, whatever bytes are in it."""

import re
from importlib.resources import files
from typing import Any

import msgpack
import pytest
import redis

from facegroup.store.redis import scripts
from facegroup.store.redis.keys import Keys

NAMES = sorted(each.name.removesuffix(".lua") for each in (files("facegroup.store.redis") / "lua").iterdir())
ECHO = "return cmsgpack.pack(cmsgpack.unpack(ARGV[1]))"


@pytest.mark.parametrize("name", NAMES)
def test_every_file_compiles(name: str, redis_url: str) -> None:
    alone = name in ("prelude", "lose", "accept")
    text = scripts.source(name) if alone else str(scripts.script(name, "group")[1])
    with redis.Redis.from_url(redis_url) as client:
        assert client.script_load(text)


@pytest.mark.parametrize(
    "value",
    [
        bytes(range(256)),
        b"\xff\xd8" + bytes(70_000),
        b"",
        "曾é \0 😀",
        str(1795988652.5807037),
        2**52 + 1,
        -1,
        True,
        [b"\x00", b"\xc1", "a"],
        {"a": b"\x80", "b": [{"c": b"\x93\x00"}] * 40},
    ],
)
def test_an_argument_arrives_whole(value: Any, redis_url: str) -> None:
    *_, packed = scripts.script("note", "group", value=value, none=None)
    with redis.Redis.from_url(redis_url, protocol=2) as client:
        found = msgpack.unpackb(client.eval(ECHO, 0, packed), raw=True)
    assert found == msgpack.unpackb(msgpack.packb({"value": value}, use_bin_type=False), raw=True)


def test_a_script_is_given_the_keys_of_the_gallery_and_one_argument() -> None:
    command = scripts.script("change_person", "group", id="ann")
    assert command[2] == len(Keys._fields)
    assert command[3:-1] == Keys.of("group")
    assert msgpack.unpackb(command[-1]) == {"id": "ann"}


def test_the_scripts_name_the_keys_in_their_order() -> None:
    listed = re.search(r"FIELDS = \{([^}]*)\}", scripts.source("prelude"))
    assert listed
    assert tuple(re.findall(r"'(\w+)'", listed[1])) == Keys._fields
