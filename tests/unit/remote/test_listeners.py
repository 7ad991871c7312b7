"""What listens on this machine, as the kernel tells it, and what another machine's ports answer."""

import os
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from facegroup.remote.listeners import Listener, listening, reach

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux tells it in /proc")


def test_a_socket_of_this_process_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as here, socket.create_server(("0.0.0.0", 0)) as everywhere:
        found = {each.port: each for each in listening()}
        own, open_one = (found[each.getsockname()[1]] for each in (here, everywhere))
        assert (own.address, own.pid, own.off_loopback) == ("127.0.0.1", os.getpid(), False)
        assert (open_one.address, open_one.pid, open_one.off_loopback) == ("0.0.0.0", os.getpid(), True)
        assert "py" in own.process
    assert own.port not in {each.port for each in listening()}


def test_a_socket_of_ipv6_is_found() -> None:
    with socket.socket(socket.AF_INET6) as both, socket.socket(socket.AF_INET6) as alone:
        try:
            both.bind(("::", 0))
            alone.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        for each in (both, alone):
            each.listen()
        found = {each.port: each for each in listening()}
        assert [found[each.getsockname()[1]].address for each in (both, alone)] == ["::", "::1"]
        assert [found[each.getsockname()[1]].off_loopback for each in (both, alone)] == [True, False]


@pytest.mark.skipif(sys.byteorder != "little", reason="the kernel writes words in its own order")
def test_what_the_kernel_tells_is_read(tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    rest = "00000000:00000000 00:00000000 00000000     0        0"
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(
        f"{head}   0: 0302010A:1F40 00000000:0000 0A {rest} 71 1\n   1: 0100007F:1F41 00000000:0000 01 {rest} 72 1\n"
    )
    (tmp_path / "net" / "tcp6").write_text(
        f"{head}   0: 0000000000000000FFFF00000100007F:1F42 {'0' * 32}:0000 0A {rest} 73 1\n"
        f"   1: B80D0120000000000000000001000000:1F43 {'0' * 32}:0000 0A {rest} 74 1\n"
    )
    for pid, inode, line in (("20", 71, b"ray::ServeReplica:facegroup:Ingress\0"), ("7", 71, b"raylet\0--x\0")):
        (tmp_path / pid / "fd").mkdir(parents=True)
        (tmp_path / pid / "fd" / "3").symlink_to(f"socket:[{inode}]")
        (tmp_path / pid / "cmdline").write_bytes(line)
    found = listening(tmp_path)
    assert found == [
        Listener(8000, "10.1.2.3", "raylet", 7),
        Listener(8002, "127.0.0.1", "", 0),
        Listener(8003, "2001:db8::1", "", 0),
    ]
    assert [each.off_loopback for each in found] == [True, False, True]


def test_a_port_is_open_closed_or_blocked() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert reach("127.0.0.1", port) == "open"
    assert reach("127.0.0.1", port) == "closed"
    with ExitStack() as stack, socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # who comes when the queue is full gets no answer, as behind a firewall
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        assert reach("127.0.0.1", full.getsockname()[1], 0.2) == "blocked"
    with pytest.raises(OSError, match=r"."):
        reach("nowhere.invalid", 1)
