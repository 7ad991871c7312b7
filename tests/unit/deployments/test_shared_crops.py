"""Crops that another process finds where they are: as they were, for as long as it likes, and never others."""

import asyncio
import hashlib
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deployments.shared_crops import CropSender, SharedCrops, can_share, open_shared, share
from facegroup.pipeline.batches import CropAnswers, CropBatch

BORROWER = """
import hashlib, pickle, sys
from deployments.shared_crops import open_shared
cut = open_shared(pickle.load(sys.stdin.buffer))
print(cut.crops.shape, cut.crops.dtype, hashlib.sha256(cut.crops).hexdigest(), cut.counts)
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="lent on Linux only")


def made(count: int = 3, seed: int = 0) -> CropBatch:
    crops = np.random.default_rng(seed).integers(0, 256, (count, 20, 20, 3), np.uint8)
    return CropBatch(crops, (count,), (None,), (True,), np.zeros((count, 2), np.float32), np.zeros(count, np.float32))


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_another_process_gets_the_crops_as_they_are() -> None:
    cut = made()
    with share(cut) as lent:
        assert len(pickle.dumps(lent)) < 1000
        done = subprocess.run(
            [sys.executable, "-c", BORROWER], input=pickle.dumps(lent), capture_output=True, check=True
        )
    assert (
        done.stdout.decode().strip() == f"(3, 20, 20, 3) uint8 {hashlib.sha256(cut.crops.tobytes()).hexdigest()} (3,)"
    )


def test_the_crops_themselves_do_not_travel_with_their_location() -> None:
    cut = made(200)
    with share(cut) as lent:
        assert lent.whole is cut
        came = pickle.loads(pickle.dumps(lent))
        assert came.whole is None
        found = open_shared(came)
    assert found is not None
    assert np.array_equal(found.crops, cut.crops)


def test_what_was_found_stays_and_is_not_found_again() -> None:
    cut = made(200)
    before = open_files()
    with share(cut) as lent:
        found = open_shared(lent)
    assert found is not None
    assert np.array_equal(found.crops, cut.crops)
    assert not found.crops.flags.writeable
    assert open_shared(lent) is None
    del found
    assert open_files() == before


def test_a_number_that_is_used_again_finds_nothing() -> None:
    with share(made()) as first:
        pass
    with share(made(1, seed=1)) as second:
        assert (second.process, second.file) == (first.process, first.file)
        assert open_shared(first) is None


def test_neither_another_machine_nor_a_process_that_is_gone_finds_any() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    with share(made()) as lent:
        assert open_shared(replace(lent, machine="another")) is None
        assert open_shared(replace(lent, process=gone.pid)) is None


def test_nobody_can_cut_short_or_change_what_is_lent() -> None:
    with share(made()) as lent:
        path = Path(f"/proc/{lent.process}/fd/{lent.file}")
        for change in (lambda: os.truncate(path, 0), lambda: path.write_bytes(b"x")):
            with pytest.raises(PermissionError):
                change()


def test_nothing_stays_open_when_the_call_fails() -> None:
    async def fail(cut: CropBatch | SharedCrops) -> list[CropAnswers] | None:
        raise ConnectionError

    before = open_files()
    with pytest.raises(ConnectionError):
        asyncio.run(CropSender(fail)(made()))
    assert open_files() == before


def test_crops_are_lent_until_somebody_cannot_have_them(caplog: pytest.LogCaptureFixture) -> None:
    assert can_share()
    came: list[type] = []
    machine = ["here"]

    async def embed(cut: CropBatch | SharedCrops) -> list[CropAnswers] | None:
        came.append(type(cut))
        if isinstance(cut, SharedCrops) and machine[0] != "here":
            cut = replace(cut, machine=machine[0])
        found = open_shared(cut) if isinstance(cut, SharedCrops) else cut
        return None if found is None else [CropAnswers(found.crops.reshape(len(found), -1).astype(np.float32), None)]

    async def ask() -> None:
        cut = made()
        send = CropSender(embed)
        assert send.shares
        for where in ("here", "elsewhere", "here"):
            machine[0] = where
            (answer,) = await send(cut)
            assert answer.descriptors is not None
            assert np.array_equal(answer.descriptors, cut.crops.reshape(3, -1))
        assert not send.shares

    with caplog.at_level("INFO", "facegroup"):
        asyncio.run(ask())
    assert came == [SharedCrops, SharedCrops, CropBatch, CropBatch]
    assert [record.message for record in caplog.records] == [
        "An embedder cannot open shared memory, for example in another container. Crops are sent by gRPC."
    ]


def test_where_there_are_no_faces_nothing_is_lent() -> None:
    async def embed(cut: CropBatch | SharedCrops) -> list[CropAnswers] | None:
        assert isinstance(cut, CropBatch)
        return []

    assert asyncio.run(CropSender(embed)(made(0))) == []
