"""A process that enrols one photo after the other and says so after each: python -m tests.unit.store.writer …"""

import sys

from facegroup.store import open_store
from tests.unit.store.samples import NETWORK, sample


def main(url: str, gallery: str, person: str, first: str, count: str) -> None:
    store = open_store(url)
    for number in range(int(first), int(first) + int(count)):
        store.add_samples(gallery, person, [sample(number)], NETWORK)
        print(number, flush=True)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
