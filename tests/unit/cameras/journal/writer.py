"""A process that writes events until it is killed: `python -m tests.unit.cameras.journal.writer URL`."""

import sys

from facegroup.cameras.journal import open_journal
from facegroup.cameras.sightings.journal import NewEvent
from tests.unit.cameras.journal.made import sighting, unknown


def main(url: str) -> None:
    journal = open_journal(url)
    number = 0
    while True:
        number += 1
        news = [NewEvent("began", sighting(float(number + each)), b"face", unknown(number)) for each in range(3)]
        for event in journal.record(news):
            sys.stdout.write(f"{event.seq} {event.sighting.id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
