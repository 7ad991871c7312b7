"""A writer that is killed at any moment: what it said stands, whole, and the numbers go on without a gap."""

import random
import subprocess
import sys
import time

from facegroup.cameras.journal import open_journal
from facegroup.cameras.sightings.journal import Filter


def test_what_was_said_stands(url: str) -> None:
    said: dict[int, str] = {}
    for turn in range(3):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.unit.cameras.journal.writer", url], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(random.Random(turn).uniform(0.02, 0.3))
            process.kill()
            lines = [first, *process.stdout.read().splitlines()]
        said.update({int(seq): key for seq, key in (line.split() for line in lines if len(line.split()) == 2)})
    journal = open_journal(url)
    events = journal.events(0, 100_000)
    assert [each.seq for each in events] == list(range(1, len(events) + 1))
    assert journal.span() == (1, len(events))
    assert len(events) % 3 == 0  # a step is whole
    by_seq = {each.seq: each.sighting.id for each in events}
    last = max(said)
    assert all(by_seq[seq] == key for seq, key in said.items() if seq != last or len(key) == 32)
    assert {each.sighting.id for each in events} == {each.id for each in journal.sightings(Filter(), limit=100_000)}
    journal.close()
