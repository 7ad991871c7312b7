"""Writes events and delivers them until it is killed: `python -m tests.unit.cameras.delivery.delivery_process URL KEY`."""

import sys
import time

from pydantic import SecretStr

from facegroup.cameras.journal import open_journal
from tests.unit.cameras.delivery.delivering import Delivering


def main(url: str, key: str) -> None:
    with Delivering(open_journal(url, SecretStr(key))) as delivering:
        while True:
            delivering.begin(3)
            time.sleep(0.05)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
