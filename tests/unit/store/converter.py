"""A process that encrypts a store again and again with one key after the other: python -m tests.unit.store.converter URL."""

import sys
from typing import Any

from facegroup.store import open_store
from facegroup.store.encryption import SecretKeys

KEYS = (bytes([1]) * 32, bytes([2]) * 32)


def main(url: str) -> None:
    for turn in range(1_000):
        store: Any = open_store(url, keys=SecretKeys(KEYS if turn % 2 else KEYS[::-1]))
        store.convert()
        print(turn, flush=True)
        store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
