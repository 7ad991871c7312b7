"""Settings that no process can keep: the server ends, and its last line says why."""

from pathlib import Path

import pytest

from tests.cluster.server import Server

REFUSED_BY_A_REPLICA = {"FACEGROUP_DETECTOR__ENGINE": "keras", "FACEGROUP_DETECTOR__PRECISION": "bf16"}
MORE_GPUS_THAN_ANY_MACHINE_HAS = {"FACEGROUP_EMBEDDER__NUM_GPUS": "0.5", "FACEGROUP_EMBEDDER__REPLICAS": "200"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (REFUSED_BY_A_REPLICA, "facegroup: the detector on keras computes in fp32, not in bf16 (engine_unavailable)"),
        (MORE_GPUS_THAN_ANY_MACHINE_HAS, "facegroup: num_gpus of all detector and embedder replicas is 100 together, "),
    ],
)
def test_what_cannot_be_kept_is_said_in_the_last_line(
    settings: dict[str, str], said: str, network: dict[str, str], tmp_path: Path
) -> None:
    server = Server(tmp_path, FACEGROUP_STORE=f"sqlite:///{tmp_path / 'gallery.db'}", **network, **settings)
    assert server.refused() == 2
    last = server.log().splitlines()[-1]
    assert last.startswith(said)
    assert last.endswith(" (engine_unavailable)")
